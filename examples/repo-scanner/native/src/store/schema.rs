//! The tables, and how older ones become these.

use super::{StoreError, rows};
use repo_scanner_core::Repository;
use rusqlite::{Connection, TransactionBehavior};

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

/// Makes the tables, of whatever age the database is, and makes sure that they are ours.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
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
    rows::save(&attempt, "", &sample()).map_err(StoreError::Refused)?;
    rows::fail(&attempt, "", "").map_err(StoreError::Refused)?;
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
