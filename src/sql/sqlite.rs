//! SQLite as a [`Database`], on a thread of its own.
//!
//! Natively only, with the feature `sqlite`: SQLite itself comes with it, nothing of the system's is needed.
//!
//! ```
//! use tower_egress::sql::{Database, DatabaseExt, Statement, sqlite::Sqlite};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_egress::sql::SqlError> {
//! let database = Sqlite::open_in_memory().await?;
//! database.run("CREATE TABLE repos (name TEXT PRIMARY KEY, stars INTEGER)".into()).await?;
//! let insert = Statement::new("INSERT INTO repos VALUES (?, ?)").bind("tower").bind(3_600);
//! assert_eq!(database.run(insert).await?.rows_changed, 1);
//! let stars: Option<u32> = database.first_as("SELECT stars FROM repos".into()).await?;
//! assert_eq!(stars, Some(3_600));
//! # Ok(())
//! # }
//! ```

mod connection;
mod message;
mod options;
mod thread;
mod wal;

pub use self::options::SqliteOptions;

use self::thread::{Ask, Job};
use super::{Changes, Database, Limits, Outcome, Row, SqlError, SqlErrorKind, Statement};
use std::{fmt, path::Path, sync::mpsc::Sender};
use tokio::sync::oneshot;

/// A SQLite database: a handle, cheap to clone, that goes anywhere. It works under any executor.
///
/// # The thread
///
/// SQLite blocks. So each database that is opened has one thread, which owns the one connection and carries out what
/// the handles send it, one after the other. It ends, and closes the file, after the last handle is dropped and what
/// was sent is done. Whoever wants reads beside writes opens the file twice.
///
/// # Settings
///
/// A file is in [WAL mode](https://sqlite.org/wal.html) and stays so. Foreign keys are enforced, as in D1.
/// [`SqliteOptions`] has the others.
///
/// # What it refuses
///
/// The same as D1, so that what runs here runs there: more than one statement in a text, named placeholders, another
/// number of values than of placeholders, NaN and infinities, BEGIN and COMMIT.
///
/// # Batches
///
/// A batch is one transaction, `IMMEDIATE` if anything in it may write. An error says which statement failed.
///
/// # Cancel safety
///
/// Nothing is sent before a future is polled. If it is dropped before its statement has begun, the statement is not
/// run; one that has begun is finished, and so is a batch.
#[derive(Clone)]
pub struct Sqlite {
    jobs: Sender<Job>,
    limits: Limits,
}

impl Sqlite {
    /// Opens a file, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, is no database, or is held by others for longer than the busy timeout.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, SqlError> {
        SqliteOptions::new().open(path).await
    }

    /// Makes a database in memory, which is gone with its last handle.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub async fn open_in_memory() -> Result<Self, SqlError> {
        SqliteOptions::new().open_in_memory().await
    }

    async fn send(&self, ask: Ask) -> Result<Vec<Outcome>, SqlError> {
        let (reply, answer) = oneshot::channel();
        let gone = || SqlError::new(SqlErrorKind::ConnectionLost, "the thread has ended");
        self.jobs.send(Job { ask, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn one(&self, ask: Ask) -> Result<Outcome, SqlError> {
        let outcome = self.send(ask).await?.pop();
        Ok(outcome.unwrap_or_default())
    }
}

impl Database for Sqlite {
    async fn run(&self, statement: Statement) -> Result<Changes, SqlError> {
        Ok(self.one(Ask::Run(statement)).await?.changes)
    }

    /// The other rows are not made.
    async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
        Ok(self.one(Ask::First(statement)).await?.rows.pop())
    }

    async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        Ok(self.one(Ask::All(statement)).await?.rows)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        self.send(Ask::Batch(statements)).await
    }

    /// What this SQLite says of itself.
    fn limits(&self) -> Limits {
        self.limits
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
