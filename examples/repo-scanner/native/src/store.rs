//! What was scanned, in SQLite.

use repo_scanner_core::{Failed, Outcome, Repository};
use rusqlite::{Connection, TransactionBehavior, params};
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

/// The columns that are written to.
const COLUMNS: [(&str, &[&str]); 2] = [
    (
        "repositories",
        &[
            "name",
            "full_name",
            "id",
            "description",
            "language",
            "stars",
            "forks",
            "open_issues",
            "topics",
            "pushed_at",
            "scanned_at",
        ],
    ),
    ("failures", &["name", "reason", "failed_at"]),
];

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
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        // First of all, so that the database of another program stays as it is.
        prepare(&mut connection)?;
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

/// Makes the tables, of whatever age the database is, and makes sure that they are ours.
fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    // To write from the start: one that begins to read cannot wait its turn when it comes to write.
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old = !has(&transaction, "repositories", "name")?
        && has(&transaction, "repositories", "full_name")?
        && has(&transaction, "failures", "full_name")?;
    if old {
        transaction.execute_batch(BEFORE)?;
    }
    transaction.execute_batch(SCHEMA)?;
    if old {
        transaction.execute_batch(AFTER)?;
    }
    for (table, columns) in COLUMNS {
        for column in columns {
            if !has(&transaction, table, column)? {
                return Err(StoreError::Foreign { table, column });
            }
        }
    }
    // Types, keys and whatever else may be against it: tried with a row that is not kept.
    let attempt = transaction.savepoint()?;
    save(&attempt, "", &sample()).map_err(StoreError::Refused)?;
    fail(&attempt, "", "").map_err(StoreError::Refused)?;
    attempt.finish()?;
    transaction.commit()?;
    Ok(())
}

fn has(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    let found = "SELECT count(*) > 0 FROM pragma_table_info(?1) WHERE name = ?2";
    connection.query_row(found, [table, column], |row| row.get(0))
}

fn sample() -> Repository {
    Repository {
        id: 0,
        full_name: String::new(),
        description: None,
        language: None,
        stars: 0,
        forks: 0,
        open_issues: 0,
        topics: Vec::new(),
        pushed_at: None,
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

fn write(transaction: &Connection, outcome: Outcome) -> rusqlite::Result<()> {
    match outcome {
        Outcome::Scanned(scanned) => {
            save(transaction, scanned.name.as_str(), &scanned.repository)?;
            let mut forget = transaction.prepare_cached("DELETE FROM failures WHERE name = ?1")?;
            forget.execute([scanned.name.as_str()])?;
            Ok(())
        }
        Outcome::Failed(Failed { name, reason, .. }) => fail(transaction, name.as_str(), &reason),
    }
}

fn fail(transaction: &Connection, name: &str, reason: &str) -> rusqlite::Result<()> {
    let mut fail = transaction.prepare_cached(
        "INSERT INTO failures (name, reason) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET reason = ?2, failed_at = CURRENT_TIMESTAMP",
    )?;
    fail.execute([name, reason])?;
    Ok(())
}

fn save(transaction: &Connection, name: &str, repository: &Repository) -> rusqlite::Result<()> {
    let mut save = transaction.prepare_cached(
        "INSERT INTO repositories
             (name, full_name, id, description, language, stars, forks, open_issues, topics, pushed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (name) DO UPDATE SET
             full_name = ?2, id = ?3, description = ?4, language = ?5, stars = ?6, forks = ?7, open_issues = ?8,
             topics = ?9, pushed_at = ?10, scanned_at = CURRENT_TIMESTAMP",
    )?;
    save.execute(params![
        name,
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
