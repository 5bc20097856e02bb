//! Statements that are done together or not at all, under conditions.

use super::{Database, Outcome, Script, SqlError, SqlErrorKind, Statement, limits};
use std::{borrow::Cow, error::Error, fmt};

/// What SQLite's error says of a guard, before its number.
const MARK: &str = "tower-egress guard ";

/// A transaction: statements that are collected and sent as one batch, and guards between them.
///
/// D1 has no transaction that a program could read in, and decide what to write. So read before, decide, and have a
/// **guard** see to it that what was read still holds: if it does not, nothing is done, and the error says which guard.
/// Read again then, and try again.
///
/// ```
/// use tower_egress::sql::{Database, DatabaseExt, Statement, Transaction, TransactionError};
///
/// /// Buys one, if there is one left. False if another was quicker, and it should be tried again.
/// async fn buy(database: &impl Database, id: i64) -> Result<bool, TransactionError> {
///     let read = Statement::new("SELECT version, left FROM stock WHERE id = ?").bind(id);
///     let Some((version, left)) = database.first_as::<(i64, i64)>(read).await? else {
///         return Ok(false);
///     };
///     let mut transaction = Transaction::new();
///     let same = "SELECT 1 FROM stock WHERE id = ? AND version = ?";
///     transaction.require("the stock has not changed", Statement::new(same).bind(id).bind(version));
///     let take = "UPDATE stock SET left = ?, version = version + 1 WHERE id = ?";
///     transaction.push(Statement::new(take).bind(left - 1).bind(id));
///     transaction.push(Statement::new("INSERT INTO sold (id) VALUES (?)").bind(id));
///     match transaction.commit(database).await {
///         Ok(_) => Ok(true),
///         Err(TransactionError::Guard { .. }) => Ok(false),
///         Err(error) => Err(error),
///     }
/// }
/// # fn main() {}
/// ```
///
/// # Limits
///
/// Those of a batch: with D1 1,000 statements, guards included, 8 MB, and 30 seconds for all of them together; each
/// within the limits of a statement. What is larger is refused before anything is sent.
///
/// No statement can use what another has returned, but in SQL: `last_insert_rowid()`, subqueries.
///
/// # Repeating
///
/// A transaction that writes, and has guards, is never sent twice: a guard would refuse what the first one has done.
#[derive(Clone, Debug, Default)]
#[must_use = "a transaction does nothing unless it is committed"]
pub struct Transaction {
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Push(Statement),
    Require(Cow<'static, str>, Statement),
}

impl Transaction {
    /// Starts with nothing to do.
    pub const fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Adds a statement.
    pub fn push(&mut self, statement: impl Into<Statement>) -> &mut Self {
        self.steps.push(Step::Push(statement.into()));
        self
    }

    /// Adds statements: those of a [`Table`](super::Table), say.
    pub fn push_all(&mut self, statements: impl IntoIterator<Item = Statement>) -> &mut Self {
        self.steps.extend(statements.into_iter().map(Step::Push));
        self
    }

    /// Adds a guard, which sees what was done by the statements before it.
    ///
    /// It is a query for one value, and holds if there is a row and the value is neither 0 nor NULL: `SELECT 1 FROM …
    /// WHERE …`, or `SELECT count(*) < 10 FROM …`. `what` says what holds then, for the error.
    pub fn require(
        &mut self,
        what: impl Into<Cow<'static, str>>,
        query: impl Into<Statement>,
    ) -> &mut Self {
        self.steps.push(Step::Require(what.into(), query.into()));
        self
    }

    /// Does all of it, or nothing, and returns what came of the statements that were pushed.
    ///
    /// # Errors
    ///
    /// If a guard does not hold, or a statement fails: then nothing is done, unless the error's
    /// [`fate`](SqlError::fate) says otherwise.
    pub async fn commit<D: Database + ?Sized>(
        &self,
        database: &D,
    ) -> Result<Vec<Outcome>, TransactionError> {
        let statements = self.statements(database)?;
        let outcomes = database.batch(statements).await;
        let outcomes = outcomes.map_err(|error| self.explain(&error))?;
        let pushed = outcomes.into_iter().zip(&self.steps);
        let pushed = pushed.filter(|(_, step)| matches!(step, Step::Push(_)));
        Ok(pushed.map(|(outcome, _)| outcome).collect())
    }

    fn statements<D: Database + ?Sized>(&self, database: &D) -> Result<Vec<Statement>, SqlError> {
        let limits = database.limits();
        let guarded = self
            .steps
            .iter()
            .any(|step| matches!(step, Step::Require(..)));
        let mut statements = Vec::with_capacity(self.steps.len());
        let mut bytes = 0_usize;
        for (n, step) in self.steps.iter().enumerate() {
            let statement = match step {
                Step::Push(statement) if guarded => statement.clone().only_once(),
                Step::Push(statement) => statement.clone(),
                Step::Require(what, query) => guard(n, what, query)?,
            };
            bytes = bytes.saturating_add(statement.bytes());
            statements.push(statement);
        }
        if statements.len() > limits.statements {
            let (has, takes) = (statements.len(), limits.statements);
            let message = format!("{has} statements, and the database takes {takes} in a batch");
            return Err(limits::too_large(message));
        }
        if bytes > limits.batch_bytes {
            let takes = limits.batch_bytes;
            let message = format!("{bytes} bytes, and the database takes {takes} in a batch");
            return Err(limits::too_large(message));
        }
        Ok(statements)
    }

    /// Finds the guard that an error is of.
    fn explain(&self, error: &SqlError) -> TransactionError {
        let guard = marked(error.message());
        let guard = guard.filter(|_| error.kind() == SqlErrorKind::InvalidStatement);
        let number: Option<usize> =
            guard.and_then(|guard| guard[1 + MARK.len()..guard.len() - 1].parse().ok());
        if let Some(Step::Require(what, _)) = number.and_then(|n| self.steps.get(n)) {
            return TransactionError::Guard { what: what.clone() };
        }
        // It is counted among all statements, and the caller has only pushed some of them.
        let plain = SqlError::new(error.kind(), error.message());
        let failed = error.statement().and_then(|n| self.steps.get(..=n));
        TransactionError::Failed(match failed {
            Some([before @ .., Step::Push(_)]) => {
                let pushed = before.iter().filter(|step| matches!(step, Step::Push(_)));
                plain.with_statement(pushed.count())
            }
            _ => plain,
        })
    }
}

/// Finds the mark of a guard in a message: with its quotes, as it stands in the SQL.
pub(super) fn marked(message: &str) -> Option<&str> {
    let (before, after) = message.split_once(MARK)?;
    let digits = after.find(|c: char| !c.is_ascii_digit())?;
    let quoted = before.ends_with('\'') && after[digits..].starts_with('\'');
    quoted.then(|| &message[before.len() - 1..before.len() + MARK.len() + digits + 1])
}

/// Makes a statement that fails if a query does not hold: there is no `RAISE` outside of triggers, but a bad path of
/// JSON is an error that quotes it.
fn guard(n: usize, what: &str, query: &Statement) -> Result<Statement, SqlError> {
    let mut script = Script::new(query.sql());
    let (sql, more) = (script.next().unwrap_or_default(), script.next());
    if !query.is_read_only() || more.is_some() {
        let message = format!("the guard that {what} is no query");
        return Err(SqlError::new(SqlErrorKind::InvalidStatement, message));
    }
    let sql = format!(
        "SELECT CASE WHEN coalesce((\n{sql}\n), 0) IS NOT 0 THEN 1 ELSE json_extract('{{}}', '{MARK}{n}') END AS held"
    );
    Ok(Statement::new(sql).bind_all(query.values().iter().cloned()))
}

/// Why a transaction was not done.
///
/// ```
/// use tower_egress::sql::{Database, Transaction, TransactionError};
///
/// /// Says whether another was quicker.
/// async fn close(database: &impl Database) -> Result<bool, TransactionError> {
///     let mut transaction = Transaction::new();
///     transaction.require("it is open", "SELECT 1 FROM doors WHERE open");
///     transaction.push("UPDATE doors SET open = 0");
///     match transaction.commit(database).await {
///         Ok(_) => Ok(false),
///         Err(TransactionError::Guard { .. }) => Ok(true),
///         Err(error) => Err(error),
///     }
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionError {
    /// A guard does not hold: nothing is done.
    Guard {
        /// What does not hold.
        what: Cow<'static, str>,
    },
    /// A statement failed; its number, if it is known, is that among the statements pushed.
    Failed(SqlError),
}

impl From<SqlError> for TransactionError {
    fn from(error: SqlError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard { what } => {
                write!(f, "nothing is done, because it does not hold that {what}")
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Error for TransactionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Guard { .. } => None,
            Self::Failed(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn transaction() -> Transaction {
        let mut transaction = Transaction::new();
        transaction
            .push("INSERT 0")
            .require("a is b", "SELECT 1")
            .push("INSERT 1");
        transaction
    }

    #[test]
    fn an_error_is_told_as_the_guard_or_the_statement_that_was_pushed() {
        let error = |message: &str, n| {
            let error = SqlError::new(SqlErrorKind::InvalidStatement, message);
            transaction().explain(&error.with_statement(n))
        };
        let guard = error("bad JSON path: 'tower-egress guard 1'", 1);
        assert_eq!(
            guard,
            TransactionError::Guard {
                what: "a is b".into()
            }
        );
        for (n, told) in [(0, Some(0)), (1, None), (2, Some(1)), (9, None)] {
            match error("no such table: t", n) {
                TransactionError::Failed(error) => assert_eq!(error.statement(), told),
                guard => panic!("{guard}"),
            }
        }
    }

    #[test]
    fn a_guard_is_one_query() {
        for sql in [
            "DELETE FROM t",
            "SELECT 1; SELECT 2",
            "",
            "PRAGMA user_version",
        ] {
            let error = guard(0, "it is", &Statement::new(sql)).unwrap_err();
            assert_eq!(error.kind(), SqlErrorKind::InvalidStatement, "{sql}");
        }
        let made = guard(7, "it is", &Statement::new(";SELECT ? ; -- c").bind(1)).unwrap();
        assert!(made.sql().contains("(\nSELECT ?\n)") && made.sql().contains("guard 7'"));
        assert_eq!(made.values(), [1.into()]);
    }
}
