//! Whose a database is, found out without changing it.

use super::DatabaseError;
use repo_scanner_core::MIGRATIONS;
use rusqlite::{Connection, OpenFlags};
use std::{path::Path, time::Duration};

/// Where it is written down which of our files of SQL were applied.
const RECORD: &str = "egress_migrations";
/// Tables that an older version had, and where it put them to be taken over.
const OLDER: [&str; 2] = ["repositories", "failures"];
pub(super) const SET_ASIDE: [&str; 2] = ["repositories_before", "failures_before"];

/// Whose a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is nothing in it, or no file.
    New,
    /// Ours, of an older version.
    Older,
    /// Ours.
    Current,
}

/// Looks at a file; one that is not ours is an error.
pub(super) fn at(path: &Path) -> Result<Kind, DatabaseError> {
    match path.metadata() {
        Ok(file) if file.len() > 0 => {}
        // One without a folder is found out when it is to be made.
        _ => return Ok(Kind::New),
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let tables = names(
        &connection,
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    )?;
    if tables.iter().any(|table| table == RECORD) {
        let select = format!("SELECT name FROM {RECORD} ORDER BY position");
        let applied = names(&connection, &select)?;
        let mut unknown = applied.into_iter();
        let unknown = unknown.find(|name| !MIGRATIONS.iter().any(|(known, _)| known == name));
        return unknown.map_or(Ok(Kind::Current), |name| Err(DatabaseError::Later(name)));
    }
    let ours = |table: &String| OLDER.contains(&&**table) || SET_ASIDE.contains(&&**table);
    if let Some(stranger) = tables.iter().find(|table| !ours(table)) {
        return Err(DatabaseError::Stranger(stranger.clone()));
    }
    let has_older = tables.iter().any(|table| OLDER.contains(&&**table));
    Ok(if has_older { Kind::Older } else { Kind::New })
}

fn names(connection: &Connection, query: &str) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare(query)?;
    let names = query.query_map([], |row| row.get(0))?;
    names.collect()
}
