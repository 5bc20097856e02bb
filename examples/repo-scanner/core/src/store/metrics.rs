//! How figures were over time.

use super::{FromRow, Store, StoreError, save::tables};
use crate::RepoName;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tower_egress::{
    Timer,
    sql::{Database, Row, SqlError, Statement, Table, Transaction},
};

/// For how long figures are kept.
pub const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The figures of a repository at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The stars.
    pub stars: i64,
    /// The forks.
    pub forks: i64,
    /// The open issues, pull requests included.
    pub open_issues: i64,
}

/// The figures of a repository, to be written over those that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Which repository.
    pub name: RepoName,
    /// The stars.
    pub stars: i64,
    /// The forks.
    pub forks: i64,
    /// The open issues.
    pub open_issues: i64,
}

impl FromRow for Moment {
    fn from_row(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            at: row.get_as("at")?,
            stars: row.get_as("stars")?,
            forks: row.get_as("forks")?,
            open_issues: row.get_as("open_issues")?,
        })
    }
}

impl<D: Database, T: Timer> Store<D, T> {
    /// Writes figures of repositories that are there, and adds them to their history; what is not there is passed over.
    ///
    /// # Errors
    ///
    /// Those of the database. Then nothing is written.
    pub async fn update_metrics(&self, metrics: &[Metrics]) -> Result<(), StoreError> {
        let now = self.now();
        let columns = ["name", "stars", "forks", "open_issues"];
        let table = Table::new("repositories", columns).with_key(["name"]);
        let rows = metrics.iter().map(|repository| {
            let name = repository.name.as_str();
            (
                name,
                repository.stars,
                repository.forks,
                repository.open_issues,
            )
        });
        let limits = self.database.limits();
        let mut update = Transaction::new();
        update.push_all(table.update_statements(&limits, rows)?);
        let moments = metrics.iter().map(|repository| {
            let name = repository.name.as_str();
            let figures = (repository.stars, repository.forks, repository.open_issues);
            (name, now, figures.0, figures.1, figures.2)
        });
        update.push_all(tables::metrics().upsert_statements(&limits, moments)?);
        // History is of what is there.
        let orphans = "DELETE FROM metrics WHERE taken_at = ? AND name NOT IN (SELECT name FROM repositories)";
        update.push(Statement::new(orphans).bind(now));
        let updated = self.monitored("db: update metrics", update.commit(&self.database));
        updated.await.map(drop)
    }

    /// Returns how the figures of a repository were, the oldest first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn history(&self, name: &RepoName) -> Result<Vec<Moment>, StoreError> {
        let history = Statement::new(
            "SELECT taken_at AS at, stars, forks, open_issues FROM metrics WHERE name = ? ORDER BY taken_at",
        );
        let history = history.bind(name.as_str());
        self.all_as("db: read history", history).await
    }

    /// Deletes the figures that are older than 90 days, and the scans and runs. Returns how many figures.
    ///
    /// # Errors
    ///
    /// Those of the database. Then nothing is deleted.
    pub async fn delete_old(&self) -> Result<u64, StoreError> {
        let kept_for = i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
        let before = self.now().saturating_sub(kept_for);
        let metrics = Statement::new("DELETE FROM metrics WHERE taken_at < ?").bind(before);
        let scans = Statement::new("DELETE FROM scans WHERE finished_at < ?").bind(before);
        let runs = Statement::new("DELETE FROM runs WHERE started_at < ?").bind(before);
        let deleted = self.database.batch(vec![metrics, scans, runs]);
        let outcomes = self.monitored("db: delete old", deleted).await?;
        Ok(outcomes
            .first()
            .map_or(0, |first| first.changes.rows_changed))
    }
}
