//! SQL and the values for its placeholders.

use super::{Limits, SqlError, SqlErrorKind, TokenKind, Tokens, Value, limits, script};
use std::{borrow::Cow, fmt};

/// What would make, or end, a transaction.
const OF_TRANSACTIONS: [&str; 6] = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];

/// One statement of SQL, and the values for its placeholders.
///
/// The first value is for `?` or `?1`, the second for the next `?` or for `?2`, and so on. Named placeholders, as in
/// `:name`, are not for every database.
///
/// Its `Debug` output has the SQL and the number of values, not the values.
///
/// # Repeating
///
/// A database that loses its connection cannot say whether a statement was carried out. A statement that only reads
/// is tried again; one that writes is not, unless it is marked as [idempotent](Self::idempotent).
///
/// # Example
///
/// ```
/// use tower_egress::sql::{Statement, Value};
///
/// let update = Statement::new("UPDATE repos SET stars = ?2 WHERE id = ?1").bind(7).bind(3_600).idempotent();
/// assert!(update.is_idempotent() && !update.is_read_only());
/// let many = Statement::new("SELECT * FROM repos WHERE id IN (?, ?)").bind_all([7, 8]);
/// assert_eq!(many.values(), [Value::from(7), Value::from(8)]);
/// assert!(Statement::from("SELECT 1").is_read_only());
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a statement does nothing unless a database runs it"]
pub struct Statement {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    idempotent: bool,
}

impl Statement {
    /// Makes a statement without values.
    pub fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            sql: sql.into(),
            values: Vec::new(),
            idempotent: false,
        }
    }

    /// Adds the value for the next placeholder.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds values for the next placeholders.
    pub fn bind_all<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// Says that it does no harm to run it twice, as with `INSERT OR IGNORE` or `SET done = 1`.
    ///
    /// A batch is repeated as a whole, if every statement of it is marked or only reads. So mark a statement of a
    /// batch only if the whole batch can be repeated: two statements of which each alone is idempotent need not be so
    /// one after the other.
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Returns the SQL.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Returns the values in the order of their placeholders.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Tells whether it may be run again when nobody knows whether it was.
    pub fn is_idempotent(&self) -> bool {
        self.idempotent || self.is_read_only()
    }

    /// Tells whether it is sure to write nothing.
    ///
    /// It goes by the keywords: a single SELECT, VALUES or EXPLAIN; or a WITH in which no INSERT, UPDATE, DELETE or
    /// REPLACE stands. A PRAGMA may write.
    pub fn is_read_only(&self) -> bool {
        let tokens = Tokens::new(&self.sql).filter(|token| token.kind != TokenKind::Space);
        let mut tokens = tokens.skip_while(|token| token.kind == TokenKind::Semicolon);
        let is = |token: &str, words: &[&str]| words.iter().any(|w| token.eq_ignore_ascii_case(w));
        let Some(first) = tokens.next() else {
            return false;
        };
        let with = is(first.text, &["WITH"]);
        if !with && !is(first.text, &["SELECT", "VALUES", "EXPLAIN"]) {
            return false;
        }
        let mut ended = false;
        tokens.all(|token| match token.kind {
            TokenKind::Semicolon => {
                ended = true;
                true
            }
            // A second statement.
            _ if ended => false,
            TokenKind::Word if with => !is(token.text, &["INSERT", "UPDATE", "DELETE", "REPLACE"]),
            _ => true,
        })
    }

    /// Returns the SQL as a database is to run it: the one statement in it, without a semicolon.
    ///
    /// For whoever makes a [`Database`](super::Database): all of them refuse the same things.
    ///
    /// # Errors
    ///
    /// If it has no statement or more than one, U+0000 in the SQL, more than the limits allow, or a value that is NaN
    /// or infinite, for which NULL would be stored. And if it is BEGIN, COMMIT, SAVEPOINT or the like: a transaction is
    /// a [`batch`](super::Database::batch).
    pub fn check(&self, limits: &Limits) -> Result<&str, SqlError> {
        let invalid = |message: &str| Err(SqlError::new(SqlErrorKind::InvalidStatement, message));
        // SQLite would stop there.
        if self.sql.contains('\0') {
            return invalid("there is U+0000 in the SQL");
        }
        let sql = script::only(&self.sql)?;
        let first = Tokens::new(sql).find(|token| token.kind != TokenKind::Space);
        match first {
            None => return invalid("there is no statement"),
            Some(first)
                if OF_TRANSACTIONS
                    .iter()
                    .any(|w| first.text.eq_ignore_ascii_case(w)) =>
            {
                return invalid("a transaction is made by a batch");
            }
            Some(_) => {}
        }
        if sql.len() > limits.sql_bytes {
            let (has, takes) = (sql.len(), limits.sql_bytes);
            let message = format!("{has} bytes of SQL, and the database takes {takes}");
            return Err(limits::too_large(message));
        }
        if self.values.len() > limits.values {
            let (has, takes) = (self.values.len(), limits.values);
            let message = format!("{has} values, and the database takes {takes}");
            return Err(limits::too_large(message));
        }
        for (value, n) in self.values.iter().zip(1..) {
            limits.check_value(value, || format!("the value {n}"))?;
        }
        Ok(sql)
    }

    /// Returns how many bytes of SQL and of values it has.
    pub(crate) fn bytes(&self) -> usize {
        let values = self.values.iter().map(|value| value.bytes().max(8));
        self.sql.len() + values.sum::<usize>()
    }

    /// Takes the mark off that it may be run twice.
    pub(crate) fn only_once(mut self) -> Self {
        self.idempotent = false;
        self
    }

    /// Takes it apart into its SQL and its values.
    pub fn into_parts(self) -> (Cow<'static, str>, Vec<Value>) {
        (self.sql, self.values)
    }
}

impl From<&'static str> for Statement {
    fn from(sql: &'static str) -> Self {
        Self::new(sql)
    }
}

impl From<String> for Statement {
    fn from(sql: String) -> Self {
        Self::new(sql)
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("sql", &self.sql)
            .field("values", &self.values.len())
            .field("idempotent", &self.idempotent)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_may_write_is_not_taken_for_a_read() {
        for (sql, read_only) in [
            ("SELECT 1", true),
            ("select 'DELETE'; -- that is all", true),
            (" /* DELETE */ -- x\n values (1)", true),
            ("EXPLAIN QUERY PLAN DELETE FROM t", true),
            (";; SELECT 1;", true),
            ("; DELETE FROM t", false),
            ("WITH a AS (SELECT 1) SELECT * FROM a", true),
            ("WITH a AS (SELECT 1) SELECT \"update\" FROM a", true),
            ("SELECT replace(a, 'x', 'y') FROM t", true),
            ("", false),
            ("-- SELECT", false),
            ("SELECTED", false),
            ("INSERT INTO t SELECT 1", false),
            ("with a as (select 1) delete from t", false),
            ("SELECT 1; DELETE FROM t", false),
            ("SELECT ';'; SELECT 1", false),
            ("PRAGMA user_version = 1", false),
            ("\"SELECT\"", false),
        ] {
            assert_eq!(Statement::new(sql).is_read_only(), read_only, "{sql}");
        }
    }

    #[test]
    fn only_a_read_or_what_is_marked_may_be_repeated() {
        let write = Statement::new("UPDATE t SET a = 1");
        assert!(!write.is_idempotent());
        assert!(write.idempotent().is_idempotent());
        assert!(Statement::new("SELECT 1").is_idempotent());
    }

    #[test]
    fn what_no_database_is_to_run_is_refused() {
        let limits = Limits::D1;
        for sql in [
            "",
            " -- a",
            ";;",
            "SELECT 1; SELECT 2",
            "SELECT 1\0",
            "begin",
            "/* a */ COMMIT;",
            "END",
            "Rollback TO a",
            "SAVEPOINT a",
            "RELEASE a",
        ] {
            let error = Statement::new(sql).check(&limits).unwrap_err();
            assert_eq!(error.kind(), SqlErrorKind::InvalidStatement, "{sql}");
        }
        let many = Statement::new("?")
            .bind_all(vec![0; 101])
            .check(&limits)
            .unwrap_err();
        assert_eq!(many.message(), "101 values, and the database takes 100");
        let long = Statement::new("x".repeat(100_001))
            .check(&limits)
            .unwrap_err();
        assert_eq!(
            long.message(),
            "100001 bytes of SQL, and the database takes 100000"
        );
        let nan = Statement::new("?")
            .bind(0)
            .bind(f64::NAN)
            .check(&limits)
            .unwrap_err();
        assert_eq!(nan.message(), "the value 2 is NaN or infinite");
        assert_eq!(
            Statement::new(";SELECT ? ; -- c").check(&limits),
            Ok("SELECT ?")
        );
    }

    #[test]
    fn debug_output_has_no_values() {
        let statement = Statement::new("SELECT ?").bind("secret");
        let text = format!("{statement:?}");
        assert!(
            text.contains("SELECT ?") && !text.contains("secret"),
            "{text}"
        );
    }
}
