//! What was scanned, in SQLite.

mod rows;
mod schema;

use repo_scanner_core::Outcome;
use rusqlite::Connection;
use std::{
    path::{Path, absolute},
    thread,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// How many outcomes one transaction holds at most.
const BATCH: usize = 100;

/// How many outcomes may wait for the database before the scan waits for it too.
const BACKLOG: usize = 4 * BATCH;

/// A database that a thread of its own writes to, in batches.
///
/// A batch waits for nothing: it is whatever has come since the last one, so an outcome is written a moment later.
#[derive(Debug)]
pub(crate) struct Store {
    outcomes: mpsc::Sender<Order>,
    closed: oneshot::Receiver<rusqlite::Result<()>>,
}

/// An outcome to write, and whom to tell when it is.
type Order = (Outcome, oneshot::Sender<()>);

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite says so.
    #[error("{}", one_line(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// A table of ours has columns that are not ours.
    #[error("its table {table:?} has no column {column:?}; is it the database of another program?")]
    Foreign {
        table: &'static str,
        column: &'static str,
    },
    /// A table has our columns and takes no row of ours.
    #[error("its tables take no row: {}; is it the database of another program?", one_line(.0))]
    Refused(rusqlite::Error),
    /// Its folder is not known.
    #[error("the current folder is not known: {0}")]
    NoFolder(std::io::Error),
    /// The thread that writes could not be started.
    #[error("no thread to write with: {0}")]
    NoThread(std::io::Error),
    /// The thread that writes has panicked.
    #[error("the writing thread died")]
    Died,
}

/// The database cannot be written to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database cannot be written to any more")]
pub(crate) struct StoreGone;

impl Store {
    /// Opens the database, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // Absolute, because to SQLite `:memory:` is no file, and `file:…` is a URL.
        let path = absolute(path).map_err(StoreError::NoFolder)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        // First of all, so that the database of another program stays as it is.
        schema::prepare(&mut connection)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        let (outcomes, inbox) = mpsc::channel(BACKLOG);
        let (close, closed) = oneshot::channel();
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                // Nobody listens any more if the scan was given up.
                let _ = close.send(write_all(connection, inbox));
            })
            .map_err(StoreError::NoThread)?;
        Ok(Self { outcomes, closed })
    }

    /// Writes one outcome; returns when it is committed.
    pub(crate) async fn keep(&self, outcome: Outcome) -> Result<(), StoreGone> {
        let (tell, written) = oneshot::channel();
        let order = self.outcomes.send((outcome, tell)).await;
        order.map_err(|_| StoreGone)?;
        written.await.map_err(|_| StoreGone)
    }

    /// Closes the database.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        drop(self.outcomes);
        Ok(self.closed.await.map_err(|_| StoreError::Died)??)
    }
}

/// What SQLite says, without the statement that it says it of.
fn one_line(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}

fn write_all(mut connection: Connection, mut inbox: mpsc::Receiver<Order>) -> rusqlite::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut told = Vec::with_capacity(BATCH);
    while inbox.blocking_recv_many(&mut batch, BATCH) > 0 {
        let transaction = connection.transaction()?;
        for (outcome, tell) in batch.drain(..) {
            rows::write(&transaction, outcome)?;
            told.push(tell);
        }
        transaction.commit()?;
        for tell in told.drain(..) {
            // Who was given up meanwhile does not listen.
            let _ = tell.send(());
        }
    }
    Ok(())
}
