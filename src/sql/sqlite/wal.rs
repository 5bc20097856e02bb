//! How a file comes into WAL mode, whoever else opens it at the same time.

use super::message;
use crate::sql::{SqlError, SqlErrorKind};
use rusqlite::Connection;
use std::time::Duration;

/// As often is it tried.
const TRIES: u32 = 8;

/// Sets how long a connection waits for others, as far as SQLite counts: 24 days.
pub(super) fn wait(connection: &Connection, timeout: Duration) -> rusqlite::Result<()> {
    let whole = timeout.as_nanos().div_ceil(1_000_000);
    let most = u64::try_from(i32::MAX).unwrap_or(0);
    let milliseconds = u64::try_from(whole).unwrap_or(most).min(most);
    connection.busy_timeout(Duration::from_millis(milliseconds))
}

/// Sets WAL mode. What it takes in all is within the timeout.
///
/// To set it SQLite makes a write lock of a read lock, and waits for nobody meanwhile: two that did would wait for each
/// other. So whoever was too late waits for the next write lock, as for any write, and tries again. By then the other
/// has set it, and nothing is left to do.
pub(super) fn set(connection: &Connection, timeout: Duration) -> Result<(), SqlError> {
    let failed = |error| message::read(&error, &[]);
    wait(connection, timeout / (2 * TRIES)).map_err(failed)?;
    let mut tried = mode(connection);
    for _ in 1..TRIES {
        match &tried {
            Err(error) if error.kind() == SqlErrorKind::Overloaded => {}
            _ => break,
        }
        // If that takes too long, it is the next try that says so.
        let _ = connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
        tried = mode(connection);
    }
    wait(connection, timeout).map_err(failed)?;
    tried
}

fn mode(connection: &Connection) -> Result<(), SqlError> {
    let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let set = connection.query_row("PRAGMA journal_mode = WAL", (), mode);
    match &*set.map_err(|error| message::read(&error, &[]))? {
        // The other is of what is no file: SQLite takes `:memory:` for one.
        "wal" | "memory" => Ok(()),
        other => {
            let message = format!("another connection holds it in journal mode `{other}`");
            Err(SqlError::new(SqlErrorKind::Overloaded, message))
        }
    }
}
