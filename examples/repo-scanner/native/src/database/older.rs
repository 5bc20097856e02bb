//! Databases of older versions, and how they become ones of this version.
//!
//! There were two. Both had `repositories` and `failures`; in the first, `name` was called `full_name`. They are set aside
//! under other names, all at once or not at all, and read from there when the new tables are made: whatever crashes
//! in between, the rows are in one place or the other.

use super::{DatabaseError, look::SET_ASIDE};
use repo_scanner_core::MIGRATIONS;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{path::Path, time::Duration};
use tower_egress::sql::{Database, DatabaseExt, SqlError, Statement};

/// The tables as they were last; it makes the one that is missing.
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

/// The columns of these.
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

/// Makes those of before `name` like the last ones.
const FIRST: &str = "
    ALTER TABLE repositories RENAME TO repositories_first;
    ALTER TABLE failures RENAME COLUMN full_name TO name;
";
const FIRST_ROWS: &str = "
    INSERT INTO repositories
        SELECT full_name, full_name, id, description, language, stars, forks, open_issues, topics, pushed_at, scanned_at
        FROM repositories_first;
    DROP TABLE repositories_first;
";

/// What the program has always written, and what tells its tables from those that look alike.
const SAMPLE: &str = "
    INSERT INTO repositories (name, full_name, id, stars, forks, open_issues, topics)
        VALUES ('', '', 0, 0, 0, 0, '') ON CONFLICT (name) DO UPDATE SET full_name = '';
    INSERT INTO failures (name, reason)
        VALUES ('', '') ON CONFLICT (name) DO UPDATE SET reason = '';
";

const ASIDE: &str = "
    ALTER TABLE repositories RENAME TO repositories_before;
    ALTER TABLE failures RENAME TO failures_before;
";

/// Their rows, for the new tables. What another process has fetched meanwhile is newer.
const ROWS: [&str; 5] = [
    "INSERT INTO repositories
         (name, full_name, id, description, language, topics, stars, forks, open_issues, pushed_at, scanned_at)
     SELECT name, full_name, id, description, language,
         CASE topics WHEN '' THEN '[]' ELSE '[' || replace(json_quote(topics), ',', '\",\"') || ']' END,
         stars, forks, open_issues, pushed_at, coalesce(unixepoch(scanned_at), 0) * 1000
     FROM repositories_before WHERE TRUE ON CONFLICT (name) DO NOTHING",
    "INSERT INTO metrics (name, taken_at, stars, forks, open_issues)
     SELECT name, coalesce(unixepoch(scanned_at), 0) * 1000, stars, forks, open_issues FROM repositories_before
     WHERE TRUE ON CONFLICT (name, taken_at) DO NOTHING",
    "INSERT INTO failures (name, scan, reason, failed_at)
     SELECT name, 0, reason, coalesce(unixepoch(failed_at), 0) * 1000 FROM failures_before
     WHERE TRUE ON CONFLICT (name) DO NOTHING",
    "DROP TABLE repositories_before",
    "DROP TABLE failures_before",
];

/// Sets the tables of an older version aside, once it is certain that they are ours, and can be taken over.
pub(super) fn set_aside(path: &Path) -> Result<(), DatabaseError> {
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // To write from the start: one that begins to read cannot wait its turn when it comes to write.
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_first = !has(&transaction, "repositories", "name")?
        && has(&transaction, "repositories", "full_name")?
        && has(&transaction, "failures", "full_name")?;
    if is_first {
        transaction.execute_batch(FIRST)?;
    }
    transaction.execute_batch(SCHEMA)?;
    if is_first {
        transaction.execute_batch(FIRST_ROWS)?;
    }
    for (table, columns) in COLUMNS {
        for column in columns {
            if !has(&transaction, table, column)? {
                return Err(DatabaseError::Foreign { table, column });
            }
        }
    }
    // Types, keys and whatever else may be against it: tried with a row that is not kept.
    let attempt = transaction.savepoint()?;
    attempt
        .execute_batch(SAMPLE)
        .map_err(DatabaseError::Refused)?;
    attempt.finish()?;
    transaction.execute_batch(ASIDE)?;
    // That the new tables take the rows is tried as well, while it can still be undone.
    let attempt = transaction.savepoint()?;
    for (_, sql) in MIGRATIONS {
        attempt.execute_batch(sql).map_err(DatabaseError::Refused)?;
    }
    for sql in ROWS {
        attempt.execute_batch(sql).map_err(DatabaseError::Refused)?;
    }
    attempt.finish()?;
    transaction.commit()?;
    Ok(())
}

/// Moves the rows that were set aside into the new tables.
pub(super) async fn take_over(database: &impl Database) -> Result<(), SqlError> {
    let there = Statement::new(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN (?, ?)",
    );
    let there = there.bind_all(SET_ASIDE);
    if database.first_as::<u32>(there).await? != Some(2) {
        return Ok(());
    }
    let rows = ROWS.into_iter().map(Statement::new);
    let Err(error) = database.batch(rows.collect()).await else {
        return Ok(());
    };
    // Another process may have been quicker.
    let there = Statement::new("SELECT count(*) FROM repositories_before");
    match database.first_as::<u32>(there).await {
        Err(_) => Ok(()),
        Ok(_) => Err(error),
    }
}

fn has(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    let found = "SELECT count(*) > 0 FROM pragma_table_info(?1) WHERE name = ?2";
    connection.query_row(found, [table, column], |row| row.get(0))
}
