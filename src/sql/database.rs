//! What a database can do.

use super::{Limits, Row, SqlError, Statement};
use serde::de::DeserializeOwned;
use std::{future::Future, rc::Rc, sync::Arc};

/// A database that runs SQL.
///
/// # Cancel safety
///
/// A future that is dropped takes back nothing: what was sent may still be carried out.
///
/// # `Send`
///
/// It follows the database: the futures of D1 stay in their invocation, those of SQLite go anywhere.
///
/// # Example
///
/// ```
/// use tower_egress::sql::{Database, SqlError, Statement};
///
/// /// Archives a repository, and says whether it was there.
/// async fn archive(database: &impl Database, id: i64) -> Result<bool, SqlError> {
///     let update = Statement::new("UPDATE repos SET archived = 1 WHERE id = ?").bind(id);
///     let log = Statement::new("INSERT INTO archived (id) SELECT id FROM repos WHERE id = ?").bind(id);
///     let outcomes = database.batch(vec![update, log]).await?;
///     Ok(outcomes[0].changes.rows_changed == 1)
/// }
/// # fn main() {}
/// ```
pub trait Database {
    /// Runs a statement, and says what it changed. Rows that it returns are passed over.
    fn run(&self, statement: Statement) -> impl Future<Output = Result<Changes, SqlError>>;

    /// Runs a statement and returns its first row, if there is one.
    ///
    /// The others may have been made, and sent, all the same: say `LIMIT 1`.
    fn first(&self, statement: Statement) -> impl Future<Output = Result<Option<Row>, SqlError>>;

    /// Runs a statement and returns all of its rows.
    fn all(&self, statement: Statement) -> impl Future<Output = Result<Vec<Row>, SqlError>>;

    /// Runs statements in order as one transaction, and returns what came of each.
    ///
    /// # Errors
    ///
    /// If one of them fails nothing is done. Whether anything is, the error's [`fate`](SqlError::fate) says: of a lost
    /// connection nobody knows.
    fn batch(
        &self,
        statements: Vec<Statement>,
    ) -> impl Future<Output = Result<Vec<Outcome>, SqlError>>;

    /// Returns what it takes at once. Those of D1 unless it says otherwise, the strictest there are.
    fn limits(&self) -> Limits {
        Limits::D1
    }
}

/// Reads rows as types that serde knows, by the rules of [`Row::deserialize`].
///
/// ```
/// use tower_egress::sql::{Database, DatabaseExt, SqlError, Statement};
///
/// async fn names(database: &impl Database, stars: i64) -> Result<Vec<(i64, String)>, SqlError> {
///     let count: Option<i64> = database.first_as("SELECT count(*) FROM repos".into()).await?;
///     println!("of {}", count.unwrap_or(0));
///     let select = Statement::new("SELECT id, name FROM repos WHERE stars > ?").bind(stars);
///     database.all_as(select).await
/// }
/// # fn main() {}
/// ```
pub trait DatabaseExt: Database {
    /// Runs a statement and returns its first row, if there is one, as a `T`.
    fn first_as<T: DeserializeOwned>(
        &self,
        statement: Statement,
    ) -> impl Future<Output = Result<Option<T>, SqlError>> {
        async move {
            let row = self.first(statement).await?;
            row.map(|row| row.deserialize()).transpose()
        }
    }

    /// Runs a statement and returns all of its rows, each as a `T`.
    fn all_as<T: DeserializeOwned>(
        &self,
        statement: Statement,
    ) -> impl Future<Output = Result<Vec<T>, SqlError>> {
        async move {
            let rows = self.all(statement).await?;
            rows.into_iter().map(|row| row.deserialize()).collect()
        }
    }
}

impl<D: Database + ?Sized> DatabaseExt for D {}

/// What a statement changed.
///
/// ```
/// use tower_egress::sql::{Changes, Database, SqlError, Statement};
///
/// /// Returns the id of what was inserted, if it was not there.
/// async fn insert(database: &impl Database, name: &str) -> Result<Option<i64>, SqlError> {
///     let insert = Statement::new("INSERT OR IGNORE INTO repos (name) VALUES (?)").bind(name);
///     let Changes { rows_changed, last_row_id, .. } = database.run(insert).await?;
///     Ok(last_row_id.filter(|_| rows_changed == 1))
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// How many rows it inserted, updated or deleted; those of triggers may count too.
    pub rows_changed: u64,
    /// The row id that was inserted last on this connection, not necessarily by this statement, if it is known exactly.
    pub last_row_id: Option<i64>,
}

impl Changes {
    /// Makes a record of what was changed.
    pub const fn new(rows_changed: u64, last_row_id: Option<i64>) -> Self {
        Self {
            rows_changed,
            last_row_id,
        }
    }
}

/// What came of a statement of a batch.
///
/// ```
/// use tower_egress::sql::{Changes, Outcome, Row};
///
/// let row = Row::new(["id"].map(Box::from).into(), vec![7.into()]);
/// let inserted = Outcome::new(Changes::new(1, Some(7)), vec![row]);
/// assert_eq!(inserted.changes.rows_changed, 1);
/// assert_eq!(inserted.rows[0].get_as::<i64>("id")?, 7);
/// # Ok::<(), tower_egress::sql::SqlError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// What it changed.
    pub changes: Changes,
    /// The rows that it returned.
    pub rows: Vec<Row>,
}

impl Outcome {
    /// Makes an outcome.
    pub const fn new(changes: Changes, rows: Vec<Row>) -> Self {
        Self { changes, rows }
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {
        $(impl<D: Database + ?Sized> Database for $pointer {
            fn run(&self, statement: Statement) -> impl Future<Output = Result<Changes, SqlError>> {
                (**self).run(statement)
            }

            fn first(
                &self,
                statement: Statement,
            ) -> impl Future<Output = Result<Option<Row>, SqlError>> {
                (**self).first(statement)
            }

            fn all(&self, statement: Statement) -> impl Future<Output = Result<Vec<Row>, SqlError>> {
                (**self).all(statement)
            }

            fn batch(
                &self,
                statements: Vec<Statement>,
            ) -> impl Future<Output = Result<Vec<Outcome>, SqlError>> {
                (**self).batch(statements)
            }

            fn limits(&self) -> Limits {
                (**self).limits()
            }
        })*
    };
}

forward!(&D, Rc<D>, Arc<D>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Value;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Answers every statement with one row of its values.
    #[derive(Default)]
    struct Echo;

    fn echo(statement: Statement) -> Vec<Row> {
        let (_, values) = statement.into_parts();
        let columns: Arc<[Box<str>]> = (0..values.len()).map(|n| format!("c{n}").into()).collect();
        vec![Row::new(columns, values)]
    }

    impl Database for Echo {
        async fn run(&self, _: Statement) -> Result<Changes, SqlError> {
            Ok(Changes::new(1, Some(7)))
        }

        async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
            Ok(echo(statement).pop())
        }

        async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
            Ok(echo(statement))
        }

        async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
            let rows = statements.into_iter().map(echo);
            Ok(rows
                .map(|rows| Outcome::new(Changes::default(), rows))
                .collect())
        }

        fn limits(&self) -> Limits {
            Limits::D1.with_values(7)
        }
    }

    fn now<F: Future>(future: F) -> F::Output {
        let mut task = tokio_test::task::spawn(future);
        match task.poll() {
            std::task::Poll::Ready(output) => output,
            std::task::Poll::Pending => panic!("it does not wait"),
        }
    }

    #[test]
    fn rows_are_read_as_what_is_asked_for_through_any_pointer() {
        let statement = || Statement::new("?, ?").bind(1).bind("a");
        let database = &Rc::new(Arc::new(Echo));
        let first: Option<(i64, String)> = now(database.first_as(statement())).unwrap();
        assert_eq!(first, Some((1, "a".to_owned())));
        let all: Vec<(u8, String)> = now(database.all_as(statement())).unwrap();
        assert_eq!(all, [(1, "a".to_owned())]);
        let error = now(database.all_as::<(i64, i64)>(statement())).unwrap_err();
        assert!(error.message().contains("`c1`"), "{error}");
        let outcomes = now(database.batch(vec![statement()])).unwrap();
        assert_eq!(outcomes[0].rows[0].get("c0"), Ok(&Value::Integer(1)));
        assert_eq!(now(database.run(statement())).unwrap().last_row_id, Some(7));
        assert_eq!(database.limits().values, 7);
    }

    /// Send follows.
    #[test]
    fn the_futures_of_a_database_that_is_send_are_send() {
        fn is_send<T: Send>(_: T) {}
        is_send(Echo.batch(Vec::new()));
        is_send(Echo.all_as::<i64>(Statement::new("")));
    }
}
