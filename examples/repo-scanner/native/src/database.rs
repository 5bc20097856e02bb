//! The database: a file of SQLite, ours or about to be.

mod look;
mod older;
mod pool;

pub(crate) use self::pool::Pool;

use self::look::Kind;
use repo_scanner_core::{Store, StoreError};
use std::path::{Path, PathBuf, absolute};
use tower_egress::{
    TokioTimer,
    monitor::Monitor,
    sql::{Database, MigrationError, SqlError, Statement, sqlite::SqliteOptions},
};

/// The store of this program.
pub(crate) type SqliteStore = Store<Pool, TokioTimer>;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// SQLite says so, before we have changed anything.
    #[error("{}", one_line(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// A table of ours has columns that are not ours.
    #[error("its table {table:?} has no column {column:?}; is it the database of another program?")]
    Foreign {
        table: &'static str,
        column: &'static str,
    },
    /// It has a table that is not ours.
    #[error("its table {0:?} is not ours; is it the database of another program?")]
    Stranger(String),
    /// A later version of this program has changed it.
    #[error(
        "its migration {0:?} is not known here; is it of a later version, or of another program?"
    )]
    Later(String),
    /// A table has our columns and takes no row of ours.
    #[error("its tables take no row: {}; is it the database of another program?", one_line(.0))]
    Refused(rusqlite::Error),
    /// Its folder is not known.
    #[error("the current folder is not known: {0}")]
    NoFolder(std::io::Error),
    /// SQLite says so.
    #[error("{}", plain(.0))]
    Store(#[from] StoreError),
}

impl From<SqlError> for DatabaseError {
    fn from(error: SqlError) -> Self {
        Self::Store(error.into())
    }
}

/// Opens a database, or makes it. One of an older version is taken over with its rows; one that is not ours is left as it is.
pub(crate) async fn open(
    path: &Path,
    monitor: Monitor<TokioTimer>,
) -> Result<SqliteStore, DatabaseError> {
    let path = file(path)?;
    // First of all, and only to read, so that the database of another program stays as it is.
    let kind = look::at(&path)?;
    if kind == Kind::Older {
        older::set_aside(&path)?;
    }
    // What is not on the disk when the power fails is fetched again.
    let options = SqliteOptions::new().with_durable(false);
    let database = Pool::open(&path, options).await?;
    let store = Store::open(database, TokioTimer::new(), monitor).await?;
    older::take_over(store.database()).await?;
    Ok(store)
}

/// Returns the same store with so many connections of its own for what only reads.
pub(crate) async fn with_readers(
    store: &SqliteStore,
    path: &Path,
    count: usize,
) -> Result<SqliteStore, DatabaseError> {
    let pool = store.database().with_readers(&file(path)?, count).await?;
    Ok(store.on(pool))
}

/// Brings the file up to date before the end: what is in its log is read from there otherwise, and left behind when
/// somebody copies the file alone.
pub(crate) async fn close(store: &SqliteStore) {
    for pragma in [
        "PRAGMA busy_timeout = 100",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        // Somebody else may be at it, and nothing is lost.
        let _ = store.database().all(Statement::new(pragma)).await;
    }
}

/// Returns the path of a file, since to SQLite `:memory:` is no file, and `file:…` is a URL.
pub(crate) fn file(path: &Path) -> Result<PathBuf, DatabaseError> {
    absolute(path).map_err(DatabaseError::NoFolder)
}

/// What SQLite says, without the statement that it says it of.
fn one_line(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}

/// What the database says, and what it says it of.
fn plain(error: &StoreError) -> String {
    match error {
        StoreError::Migration(
            error @ (MigrationError::Failed { source, .. } | MigrationError::Unfit { source, .. }),
        ) => {
            format!("{error}: {source}")
        }
        StoreError::Migration(MigrationError::Record(source)) => source.to_string(),
        error => error.to_string(),
    }
}
