//! What was scanned, in SQLite.

use repo_scanner_core::{Failed, Outcome, Repository};
use rusqlite::{Connection, Transaction, params};
use std::{path::Path, thread, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// How many outcomes one transaction holds at most.
const BATCH: usize = 100;

/// How many outcomes may wait for the database before the scan waits for it too.
const BACKLOG: usize = 4 * BATCH;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS repositories (
        full_name   TEXT PRIMARY KEY,
        id          INTEGER NOT NULL,
        description TEXT,
        language    TEXT,
        stars       INTEGER NOT NULL,
        forks       INTEGER NOT NULL,
        open_issues INTEGER NOT NULL,
        topics      TEXT NOT NULL,
        pushed_at   TEXT,
        scanned_at  TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    ) STRICT;
    CREATE TABLE IF NOT EXISTS failures (
        full_name   TEXT PRIMARY KEY,
        reason      TEXT NOT NULL,
        failed_at   TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    ) STRICT;
";

/// A database that a thread of its own writes to, in batches.
///
/// An outcome that was taken is written at the latest when the store is closed; a batch waits for nothing, so what is
/// scanned is on disk a moment later.
#[derive(Debug)]
pub(crate) struct Store {
    outcomes: mpsc::Sender<Outcome>,
    closed: oneshot::Receiver<rusqlite::Result<()>>,
}

/// The database cannot be written to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database cannot be written to any more")]
pub(crate) struct StoreGone;

impl Store {
    /// Opens the database, or makes it.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.execute_batch(SCHEMA)?;
        let (outcomes, inbox) = mpsc::channel(BACKLOG);
        let (close, closed) = oneshot::channel();
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                // Nobody listens any more if the scan was given up.
                let _ = close.send(write_all(connection, inbox));
            })
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Self { outcomes, closed })
    }

    /// Takes one outcome to write; waits while too many wait already.
    pub(crate) async fn keep(&self, outcome: Outcome) -> Result<(), StoreGone> {
        self.outcomes.send(outcome).await.map_err(|_| StoreGone)
    }

    /// Writes what is left and closes the database.
    pub(crate) async fn close(self) -> Result<(), String> {
        drop(self.outcomes);
        match self.closed.await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("the writing thread died".to_owned()),
        }
    }
}

fn write_all(
    mut connection: Connection,
    mut inbox: mpsc::Receiver<Outcome>,
) -> rusqlite::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while inbox.blocking_recv_many(&mut batch, BATCH) > 0 {
        let transaction = connection.transaction()?;
        for outcome in batch.drain(..) {
            write(&transaction, outcome)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

fn write(transaction: &Transaction<'_>, outcome: Outcome) -> rusqlite::Result<()> {
    match outcome {
        Outcome::Scanned(repository) => {
            save(transaction, &repository)?;
            let mut forget =
                transaction.prepare_cached("DELETE FROM failures WHERE full_name = ?1")?;
            forget.execute([&repository.full_name])?;
        }
        Outcome::Failed(Failed { name, reason, .. }) => {
            let mut fail = transaction.prepare_cached(
                "INSERT INTO failures (full_name, reason) VALUES (?1, ?2)
                 ON CONFLICT (full_name) DO UPDATE SET reason = ?2, failed_at = CURRENT_TIMESTAMP",
            )?;
            fail.execute([name.as_str(), &reason])?;
        }
    }
    Ok(())
}

fn save(transaction: &Transaction<'_>, repository: &Repository) -> rusqlite::Result<()> {
    let mut save = transaction.prepare_cached(
        "INSERT INTO repositories
             (full_name, id, description, language, stars, forks, open_issues, topics, pushed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (full_name) DO UPDATE SET
             id = ?2, description = ?3, language = ?4, stars = ?5, forks = ?6, open_issues = ?7,
             topics = ?8, pushed_at = ?9, scanned_at = CURRENT_TIMESTAMP",
    )?;
    save.execute(params![
        repository.full_name,
        repository.id,
        repository.description,
        repository.language,
        repository.stars,
        repository.forks,
        repository.open_issues,
        repository.topics.join(","),
        repository.pushed_at,
    ])?;
    Ok(())
}
