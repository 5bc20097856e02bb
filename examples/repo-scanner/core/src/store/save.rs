//! Storing what came of a scan.

use super::{Store, StoreError};
use crate::Outcome;
use std::time::Duration;
use tower_egress::{
    Timer,
    sql::{Database, SqlError, Statement, Table, Transaction, Value},
};

impl<D: Database, T: Timer> Store<D, T> {
    /// Stores what came of some repositories of a scan: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// Those of the database. Then the scan has them still to fetch.
    pub async fn save(&self, scan: i64, outcomes: &[Outcome]) -> Result<(), StoreError> {
        self.save_after(scan, Duration::ZERO, outcomes).await
    }

    /// Does the same, and notes for how long was worked on it since that was noted last: who is killed notes nothing any
    /// more.
    pub(crate) async fn save_after(
        &self,
        scan: i64,
        worked: Duration,
        outcomes: &[Outcome],
    ) -> Result<(), StoreError> {
        let save = self.to_save(scan, worked, outcomes)?;
        let saved = self.monitored("db: save", save.commit(&self.database));
        saved.await.map(drop)
    }

    fn to_save(
        &self,
        scan: i64,
        worked: Duration,
        outcomes: &[Outcome],
    ) -> Result<Transaction, SqlError> {
        let now = self.now();
        let limits = self.database.limits();
        let mut save = Transaction::new();
        let (mut repositories, mut metrics, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        let (mut failures, mut known) = (Vec::<(&str, i64, &str, i64)>::new(), Vec::new());
        let mut failed = 0_usize;
        for outcome in outcomes {
            let name = outcome.target().name.as_str();
            // What is on the list twice is what it was the last time.
            failures.retain(|&(earlier, ..)| earlier != name);
            match outcome {
                Outcome::Scanned(scanned) => {
                    let repository = &scanned.repository;
                    let figures = [
                        Value::from(repository.stars),
                        repository.forks.into(),
                        repository.open_issues.into(),
                    ];
                    let mut row = vec![
                        name.into(),
                        repository.full_name.as_str().into(),
                        repository.id.into(),
                        repository.description.as_deref().into(),
                        repository.language.as_deref().into(),
                        Value::json(&repository.topics)?,
                        repository.pushed_at.as_deref().into(),
                        scanned.etag.as_deref().into(),
                        now.into(),
                    ];
                    row.extend(figures.iter().cloned());
                    repositories.push(row);
                    let mut row = vec![name.into(), now.into()];
                    row.extend(figures);
                    metrics.push(row);
                    known.push(name);
                }
                Outcome::Unchanged(_) => {
                    seen.push((name, now));
                    known.push(name);
                }
                Outcome::Failed(failure) => {
                    failures.push((name, scan, failure.reason.as_str(), now));
                    failed += 1;
                }
            }
        }
        let counts = [repositories.len(), seen.len(), failed];
        let counts = counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        let targets = outcomes
            .iter()
            .map(|outcome| (scan, outcome.target().place));

        save.push_all(tables::repositories().upsert_statements(&limits, repositories)?)
            .push_all(tables::metrics().upsert_statements(&limits, metrics)?)
            .push_all(tables::seen().update_statements(&limits, seen)?)
            .push_all(tables::failures().delete_statements(&limits, known)?)
            .push_all(tables::failures().upsert_statements(&limits, failures)?)
            .push_all(tables::targets().delete_statements(&limits, targets)?);
        let count = "UPDATE scans SET scanned = scanned + ?1, unchanged = unchanged + ?2, failed = failed + ?3, worked_ms = worked_ms + ?4 WHERE id = ?5";
        let worked_ms = i64::try_from(worked.as_millis()).unwrap_or(i64::MAX);
        let count = Statement::new(count).bind_all(counts);
        save.push(count.bind(worked_ms).bind(scan));
        Ok(save)
    }
}

pub(super) mod tables {
    use super::Table;

    /// Without `analysis`: that is somebody else's.
    pub(crate) fn repositories() -> Table {
        let columns = [
            "name",
            "full_name",
            "id",
            "description",
            "language",
            "topics",
            "pushed_at",
            "etag",
            "scanned_at",
            "stars",
            "forks",
            "open_issues",
        ];
        Table::new("repositories", columns).with_key(["name"])
    }

    pub(crate) fn metrics() -> Table {
        let columns = ["name", "taken_at", "stars", "forks", "open_issues"];
        Table::new("metrics", columns).with_key(["name", "taken_at"])
    }

    pub(crate) fn seen() -> Table {
        Table::new("repositories", ["name", "scanned_at"]).with_key(["name"])
    }

    pub(crate) fn failures() -> Table {
        Table::new("failures", ["name", "scan", "reason", "failed_at"]).with_key(["name"])
    }

    pub(crate) fn targets() -> Table {
        Table::new("scan_targets", ["scan", "place", "name"]).with_key(["scan", "place"])
    }
}
