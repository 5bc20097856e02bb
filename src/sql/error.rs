//! Why a statement failed.

mod redact;

use self::redact::redact;
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
    ///
    /// But for a statement that is run by itself and stopped by FAIL, in `OR FAIL`, `ON CONFLICT FAIL` or `RAISE(FAIL,
    /// …)`: by SQLite's rules it keeps the rows before the one that failed. In a batch it does not.
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
    /// part of a value, as in a bad JSON path or a bad full-text query. What a trigger says, with RAISE, it says
    /// without what was bound, numbers too; but it may tell what it has read from another row, and that is the
    /// schema's own affair.
    pub fn of_database(kind: SqlErrorKind, message: &str, statements: &[Statement]) -> Self {
        Self::new(kind, redact(kind, message, statements))
    }

    /// Takes values out of what a trigger says.
    pub(crate) fn without<'a>(mut self, values: impl Iterator<Item = &'a Value>) -> Self {
        if redact::is_of_trigger(self.0.kind, &self.0.message) {
            self.0.message = redact::of_trigger(&self.0.message, values).into();
        }
        self
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
