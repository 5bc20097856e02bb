//! The rows of the tables.

use repo_scanner_core::{Failed, Outcome, Repository};
use rusqlite::{Connection, params};

/// Writes one outcome.
pub(super) fn write(transaction: &Connection, outcome: Outcome) -> rusqlite::Result<()> {
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

pub(super) fn fail(transaction: &Connection, name: &str, reason: &str) -> rusqlite::Result<()> {
    let mut fail = transaction.prepare_cached(
        "INSERT INTO failures (name, reason) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET reason = ?2, failed_at = CURRENT_TIMESTAMP",
    )?;
    fail.execute([name, reason])?;
    Ok(())
}

pub(super) fn save(
    transaction: &Connection,
    name: &str,
    repository: &Repository,
) -> rusqlite::Result<()> {
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
