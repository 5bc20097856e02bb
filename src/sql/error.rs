//! Why a statement failed.

use super::{Statement, Value};
use std::{error::Error, fmt};

/// What went wrong, for a caller to match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SqlErrorKind {
    /// A constraint refused it: UNIQUE, NOT NULL, CHECK, a foreign key, or the type of a column of a STRICT table.
    Constraint,
    /// The statement cannot be run: bad syntax, an unknown table or column, too few or too many values, a value that
    /// the database cannot take, a write where only reading is allowed.
    InvalidStatement,
    /// The statement, its values or what it makes is larger than the database takes.
    TooLarge,
    /// The database has more to do than it can: send less, or make it cheaper. Trying again makes it worse.
    Overloaded,
    /// The connection was lost, or the database was restarted. Whether the statement was carried out is unknown.
    ConnectionLost,
    /// It took too long, or too much memory or computing time.
    TimedOut,
    /// The statement was carried out, but what it returned is not what was asked for: another type, no such column,
    /// an integer that the database has rounded.
    Decode,
    /// Something else.
    Other,
}

/// What has become of a statement, or a batch, that was answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Nothing of it is done.
    NotDone,
    /// All of it is done, or nothing is.
    Unknown,
    /// All of it is done; only the answer could not be read.
    Done,
}

/// Why a statement failed: plain data.
///
/// Its text has the database's message, without the values that were bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: SqlErrorKind,
    message: Box<str>,
    statement: Option<usize>,
}

impl SqlError {
    /// Makes an error. The message must hold no value that was bound.
    pub fn new(kind: SqlErrorKind, message: impl Into<Box<str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            statement: None,
        }))
    }

    /// Makes an error of what the database says about these statements.
    ///
    /// What was bound is taken out of the message, and so is whatever it quotes that does not stand in the SQL: a
    /// part of a value, as in a bad JSON path or a bad full-text query.
    pub fn of_database(kind: SqlErrorKind, message: &str, statements: &[Statement]) -> Self {
        Self::new(kind, redact(message, statements))
    }

    /// Says which statement of a batch it was, counted from 0.
    #[must_use]
    pub fn with_statement(mut self, index: usize) -> Self {
        self.0.statement = Some(index);
        self
    }

    /// Says that something else went wrong.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "SQLite's"))]
    pub(crate) fn with_kind(mut self, kind: SqlErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns what went wrong.
    pub const fn kind(&self) -> SqlErrorKind {
        self.0.kind
    }

    /// Returns the message, the database's or ours.
    pub const fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns which statement of a batch it was, counted from 0, if that is known. D1 does not say.
    pub const fn statement(&self) -> Option<usize> {
        self.0.statement
    }

    /// Tells whether anything was done.
    pub const fn fate(&self) -> Fate {
        match self.0.kind {
            SqlErrorKind::Constraint
            | SqlErrorKind::InvalidStatement
            | SqlErrorKind::TooLarge
            | SqlErrorKind::Overloaded => Fate::NotDone,
            SqlErrorKind::Decode => Fate::Done,
            // A database that was stopped may have been stopped after it had committed.
            SqlErrorKind::ConnectionLost | SqlErrorKind::TimedOut | SqlErrorKind::Other => {
                Fate::Unknown
            }
        }
    }

    /// Tells whether the same statement may succeed when it is sent again.
    ///
    /// That does not say that this is safe: it may have been carried out. See [`Statement::is_idempotent`].
    pub const fn is_retryable(&self) -> bool {
        matches!(self.0.kind, SqlErrorKind::ConnectionLost)
    }
}

/// The shortest text that is taken out wherever it stands; shorter ones are parts of words.
const TELLING: usize = 4;

/// What a full-text query is answered with, which may name parts of it.
const NAMING: [&str; 2] = ["no such column: ", "unknown special query: "];

fn redact(message: &str, statements: &[Statement]) -> String {
    let in_sql = |part: &str| statements.iter().any(|s| s.sql().contains(part));
    let mut message = message.to_owned();
    for value in statements.iter().flat_map(Statement::values) {
        if let Value::Text(text) = value
            && text.chars().count() >= TELLING
            // First: a message is short, and there may be thousands of values and statements.
            && message.contains(text.as_str())
            && !in_sql(text)
        {
            message = message.replace(text, "…");
        }
    }
    for naming in NAMING {
        if let Some((head, name)) = message.split_once(naming) {
            let (name, tail) = name.split_at(name.find([' ', ':']).unwrap_or(name.len()));
            if !in_sql(name) {
                message = format!("{head}{naming}…{tail}");
            }
        }
    }
    let mut redacted = String::with_capacity(message.len());
    let mut rest = &*message;
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, quoted) = rest.split_at(at);
        let (quote, after) = quoted.split_at(1);
        redacted.extend([before, quote]);
        rest = after;
        // Not an apostrophe, as in "the isolate's memory".
        if !before.ends_with(char::is_alphanumeric)
            && let Some(end) = after.find(quote)
            && (end == 0 || !in_sql(&after[..end]))
        {
            // What is quoted may hold such a quote itself.
            let end = after.rfind(quote).unwrap_or(end);
            redacted.push('…');
            rest = &after[end..];
        }
    }
    redacted + rest
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.kind {
            SqlErrorKind::Constraint => "a constraint refused the statement",
            SqlErrorKind::InvalidStatement => "the statement cannot be run",
            SqlErrorKind::TooLarge => "that is too large for the database",
            SqlErrorKind::Overloaded => "the database is overloaded",
            SqlErrorKind::ConnectionLost => "the connection to the database was lost",
            SqlErrorKind::TimedOut => "the database took too long",
            SqlErrorKind::Decode => "the result cannot be read",
            SqlErrorKind::Other => "the database failed",
        })?;
        if let Some(index) = self.0.statement {
            write!(f, " (statement {index} of the batch)")?;
        }
        write!(f, ": {}", self.0.message)
    }
}

impl Error for SqlError {}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn no_bound_value_is_told() {
        for (sql, value, message, told) in [
            (
                "SELECT a FROM b WHERE c MATCH ?",
                "pass\"word",
                "fts5: syntax error near \"\"word\"",
                "fts5: syntax error near \"…\"",
            ),
            (
                "SELECT a -> ?",
                "$.token!",
                "bad JSON path: '$.token!'",
                "bad JSON path: '…'",
            ),
            (
                "SELECT a FROM b WHERE c MATCH ?",
                "abc:1",
                "no such column: abc: SQLITE_ERROR",
                "no such column: …: SQLITE_ERROR",
            ),
            (
                "SELECT abc WHERE ?",
                "abc:1",
                "no such column: abc: SQLITE_ERROR",
                "no such column: abc: SQLITE_ERROR",
            ),
            ("SELECT ?", "secret", "what secret is it", "what … is it"),
            (
                "SELEC 1",
                "SELEC",
                "near \"SELEC\": syntax error",
                "near \"SELEC\": syntax error",
            ),
            (
                "SELEC 1",
                "x",
                "near \"SELEC\": syntax error",
                "near \"SELEC\": syntax error",
            ),
            (
                "SELECT 1",
                "x",
                "DB's isolate's memory, x",
                "DB's isolate's memory, x",
            ),
            ("SELECT 1", "x", "it says 'no", "it says 'no"),
            ("SELECT 1", "x", "", ""),
        ] {
            let statement = Statement::new(sql).bind(value);
            let error = SqlError::of_database(SqlErrorKind::Other, message, &[statement]);
            assert_eq!(error.message(), told);
        }
    }

    #[test]
    fn its_text_says_what_where_and_why() {
        let error = SqlError::new(SqlErrorKind::Constraint, "UNIQUE constraint failed: t.a");
        assert_eq!(
            error.with_statement(2).to_string(),
            "a constraint refused the statement (statement 2 of the batch): UNIQUE constraint failed: t.a"
        );
    }

    #[test]
    fn it_can_be_sent_anywhere() {
        fn anywhere<T: Send + Sync + 'static>() {}
        anywhere::<SqlError>();
    }
}
