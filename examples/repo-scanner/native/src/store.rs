//! What was scanned, in SQLite.

use repo_scanner_core::{Failed, Outcome, Scanned};
use rusqlite::{Connection, Transaction, params};
use std::{path::Path, thread, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// How many outcomes one transaction holds at most.
const BATCH: usize = 100;

/// How many outcomes may wait for the database before the scan waits for it too.
const BACKLOG: usize = 4 * BATCH;

/// The tables. `name` is what was asked for, `full_name` what GitHub calls it today.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS repositories (
        name        TEXT PRIMARY KEY,
        full_name   TEXT NOT NULL,
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
        name        TEXT PRIMARY KEY,
        reason      TEXT NOT NULL,
        failed_at   TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    ) STRICT;
";

/// Moves tables of before `name` out of the way, and their rows into the new ones.
const BEFORE: &str = "
    ALTER TABLE repositories RENAME TO repositories_before;
    ALTER TABLE failures RENAME COLUMN full_name TO name;
";
const AFTER: &str = "
    INSERT INTO repositories
        SELECT full_name, full_name, id, description, language, stars, forks, open_issues, topics, pushed_at, scanned_at
        FROM repositories_before;
    DROP TABLE repositories_before;
";

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

/// The database cannot be written to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database cannot be written to any more")]
pub(crate) struct StoreGone;

impl Store {
    /// Opens the database, or makes it.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        prepare(&mut connection)?;
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

    /// Writes one outcome; returns when it is committed.
    pub(crate) async fn keep(&self, outcome: Outcome) -> Result<(), StoreGone> {
        let (tell, written) = oneshot::channel();
        let order = self.outcomes.send((outcome, tell)).await;
        order.map_err(|_| StoreGone)?;
        written.await.map_err(|_| StoreGone)
    }

    /// Closes the database.
    pub(crate) async fn close(self) -> Result<(), String> {
        drop(self.outcomes);
        match self.closed.await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("the writing thread died".to_owned()),
        }
    }
}

/// Makes the tables, of whatever age the database is.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let columns = |condition: &str| -> rusqlite::Result<bool> {
        let columns = "SELECT count(*) FROM pragma_table_info('repositories')";
        let count: i64 =
            transaction.query_row(&format!("{columns} WHERE {condition}"), [], |row| {
                row.get(0)
            })?;
        Ok(count > 0)
    };
    let old = columns("name = 'full_name'")? && !columns("name = 'name'")?;
    if old {
        transaction.execute_batch(BEFORE)?;
    }
    transaction.execute_batch(SCHEMA)?;
    if old {
        transaction.execute_batch(AFTER)?;
    }
    transaction.commit()
}

fn write_all(mut connection: Connection, mut inbox: mpsc::Receiver<Order>) -> rusqlite::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut told = Vec::with_capacity(BATCH);
    while inbox.blocking_recv_many(&mut batch, BATCH) > 0 {
        let transaction = connection.transaction()?;
        for (outcome, tell) in batch.drain(..) {
            write(&transaction, outcome)?;
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

fn write(transaction: &Transaction<'_>, outcome: Outcome) -> rusqlite::Result<()> {
    match outcome {
        Outcome::Scanned(scanned) => {
            save(transaction, &scanned)?;
            let mut forget = transaction.prepare_cached("DELETE FROM failures WHERE name = ?1")?;
            forget.execute([scanned.name.as_str()])?;
        }
        Outcome::Failed(Failed { name, reason, .. }) => {
            let mut fail = transaction.prepare_cached(
                "INSERT INTO failures (name, reason) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET reason = ?2, failed_at = CURRENT_TIMESTAMP",
            )?;
            fail.execute([name.as_str(), &reason])?;
        }
    }
    Ok(())
}

fn save(transaction: &Transaction<'_>, scanned: &Scanned) -> rusqlite::Result<()> {
    let Scanned { name, repository } = scanned;
    let mut save = transaction.prepare_cached(
        "INSERT INTO repositories
             (name, full_name, id, description, language, stars, forks, open_issues, topics, pushed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (name) DO UPDATE SET
             full_name = ?2, id = ?3, description = ?4, language = ?5, stars = ?6, forks = ?7, open_issues = ?8,
             topics = ?9, pushed_at = ?10, scanned_at = CURRENT_TIMESTAMP",
    )?;
    save.execute(params![
        name.as_str(),
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
