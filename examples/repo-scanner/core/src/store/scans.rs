//! Scans that have begun, and what is left of them.

use super::{FromRow, Store, StoreError};
use crate::{RepoName, Target};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use tower_egress::{
    Timer,
    sql::{self, Database, SqlError, Statement, Transaction, Value},
};

/// How many repositories are put on a scan's list at a time.
const AT_ONCE: usize = 5_000;

/// How a scan is getting on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ScanState {
    /// There was none.
    #[default]
    None,
    /// Its list is being written. What was left like that by a crash is begun anew.
    Listing,
    /// Somebody works on it.
    Running,
    /// It has begun, and nobody works on it.
    Paused,
    /// It has done its list.
    Finished,
    /// It was told to end.
    Interrupted,
}

impl ScanState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Listing => "listing",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What has come of a scan until now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ScanStatus {
    /// Its number.
    pub id: Option<i64>,
    /// How it is getting on.
    pub state: ScanState,
    /// Why it ended before its list did.
    pub why: Option<String>,
    /// How many repositories are on its list.
    pub total: u64,
    /// How many were fetched.
    pub scanned: u64,
    /// How many are as they were.
    pub unchanged: u64,
    /// How many could not be fetched.
    pub failed: u64,
    /// How many are left.
    pub remaining: u64,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// How long somebody has worked on it, in milliseconds.
    pub elapsed_ms: u64,
    /// How many were done in each second of that.
    pub per_second: Option<f64>,
    /// How long the rest takes at that pace, in milliseconds.
    pub left_ms: Option<f64>,
    /// How many repositories could not be fetched for which reason, when that was last tried. One that is on the list twice is one
    /// here, and two in `failed`.
    pub reasons: BTreeMap<String, u64>,
}

/// A scan that can go on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Running {
    /// Its number.
    pub id: i64,
    /// What its list is called.
    pub list: String,
}

struct Row {
    id: i64,
    state: ScanState,
    why: Option<String>,
    total: u64,
    scanned: u64,
    unchanged: u64,
    failed: u64,
    started_at: i64,
    finished_at: Option<i64>,
    worked_ms: u64,
}

impl FromRow for Running {
    fn from_row(row: &sql::Row) -> Result<Self, SqlError> {
        Ok(Self {
            id: row.get_as("id")?,
            list: row.get_as("list")?,
        })
    }
}

impl FromRow for Row {
    fn from_row(row: &sql::Row) -> Result<Self, SqlError> {
        Ok(Self {
            id: row.get_as("id")?,
            state: row.get_as("state")?,
            why: row.get_as("why")?,
            total: row.get_as("total")?,
            scanned: row.get_as("scanned")?,
            unchanged: row.get_as("unchanged")?,
            failed: row.get_as("failed")?,
            started_at: row.get_as("started_at")?,
            finished_at: row.get_as("finished_at")?,
            worked_ms: row.get_as("worked_ms")?,
        })
    }
}

impl<D: Database, T: Timer> Store<D, T> {
    /// Begins a scan with this list, which is called `key`, and returns its number. The list is read a part at a time.
    ///
    /// Of several who begin at once, one does.
    ///
    /// # Errors
    ///
    /// [`StoreError::ScanIsRunning`] if one is, or was begun meanwhile; those of the list, and of the database. Then no scan
    /// has begun.
    pub async fn begin_scan<E>(
        &self,
        key: &str,
        list: impl IntoIterator<Item = Result<RepoName, E>>,
    ) -> Result<i64, BeginError<E>> {
        let mut list = list.into_iter().peekable();
        let first = part(&mut list).map_err(BeginError::List)?;
        let is_all = list.peek().is_none();
        let total = length(&first);
        let state = if is_all { "running" } else { "listing" };
        let insert = Statement::new(
            "INSERT INTO scans (state, list, total, started_at) VALUES (?, ?, ?, ?) RETURNING id",
        );
        let insert = insert.bind(state).bind(key).bind(total).bind(self.now());
        let targets = Statement::new(
            "INSERT INTO scan_targets (scan, place, name) SELECT (SELECT max(id) FROM scans), key, value FROM json_each(?)",
        );
        let targets = targets.bind(Value::json(&first).map_err(StoreError::from)?);
        let mut begin = Transaction::new();
        begin
            .require(
                "no scan is running",
                "SELECT NOT EXISTS (SELECT 1 FROM scans WHERE state = 'running') AS held",
            )
            // What a crash left behind; whoever is still at it finds out at the end.
            .push("DELETE FROM scan_targets WHERE scan IN (SELECT id FROM scans WHERE state = 'listing')")
            .push("DELETE FROM scans WHERE state = 'listing'")
            .push(insert)
            .push(targets);
        let begun = self.monitored("db: write scan", begin.commit(&self.database));
        let outcomes = begun.await?;
        let row = outcomes.get(2).and_then(|outcome| outcome.rows.first());
        let id = row.map(|row| row.get_as::<i64>("id")).transpose();
        let scan = id.map_err(StoreError::from)?.unwrap_or_default();
        match is_all {
            true => Ok(scan),
            false => self.list_rest(scan, total, list).await.map(|()| scan),
        }
    }

    /// Writes the rest of a list that is too long for one transaction, and lets the scan run.
    async fn list_rest<E>(
        &self,
        scan: i64,
        mut total: i64,
        mut list: impl Iterator<Item = Result<RepoName, E>>,
    ) -> Result<(), BeginError<E>> {
        loop {
            let part = part(&mut list).map_err(BeginError::List)?;
            if part.is_empty() {
                break;
            }
            // Of a scan that is gone or was ended none: nobody would look for them.
            let targets = Statement::new(
                "INSERT INTO scan_targets (scan, place, name) SELECT ?1, ?2 + key, value FROM json_each(?3) \
                 WHERE (SELECT state FROM scans WHERE id = ?1) = 'listing'",
            );
            let names = Value::json(&part).map_err(StoreError::from)?;
            let targets = self
                .database
                .run(targets.bind(scan).bind(total).bind(names));
            let written = self.monitored("db: write scan", targets).await?;
            if written.rows_changed == 0 {
                break;
            }
            total += length(&part);
        }
        let mut run = Transaction::new();
        run.require(
            "no scan was begun meanwhile",
            Statement::new("SELECT state = 'listing' FROM scans WHERE id = ?").bind(scan),
        );
        let update = "UPDATE scans SET state = 'running', total = ? WHERE id = ?";
        run.push(Statement::new(update).bind(total).bind(scan));
        let run = self.monitored("db: write scan", run.commit(&self.database));
        match run.await {
            Err(StoreError::ScanIsRunning) if self.was_ended(scan).await? => Ok(()),
            run => run.map(drop).map_err(BeginError::Store),
        }
    }

    /// Tells whether a scan was told to end while its list was written. Otherwise another one has taken its place.
    async fn was_ended(&self, scan: i64) -> Result<bool, StoreError> {
        struct Found(i64);
        impl FromRow for Found {
            fn from_row(row: &sql::Row) -> Result<Self, SqlError> {
                row.get_as("found").map(Self)
            }
        }
        let state = Statement::new("SELECT count(*) AS found FROM scans WHERE id = ?").bind(scan);
        let found = self.first_as("db: read scan", state).await?;
        Ok(matches!(found, Some(Found(1))))
    }

    /// Ends scans whose list is being written.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(crate) async fn end_listing(&self) -> Result<(), StoreError> {
        let targets =
            "DELETE FROM scan_targets WHERE scan IN (SELECT id FROM scans WHERE state = 'listing')";
        let scans =
            "UPDATE scans SET state = 'interrupted', finished_at = ? WHERE state = 'listing'";
        let scans = Statement::new(scans).bind(self.now());
        let ended = self.database.batch(vec![targets.into(), scans]);
        self.monitored("db: write scan", ended).await.map(drop)
    }

    /// Returns the scan that is running, or was when somebody crashed, and what its list is called.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn running_scan(&self) -> Result<Option<Running>, StoreError> {
        let running = "SELECT id, list FROM scans WHERE state = 'running' LIMIT 1";
        self.first_as("db: read scan", Statement::new(running))
            .await
    }

    /// Returns the scan that is running, or else the one whose list is being written.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(crate) async fn begun_scan(&self) -> Result<Option<Running>, StoreError> {
        let begun = "SELECT id, list FROM scans WHERE state IN ('running', 'listing') ORDER BY state = 'running' DESC LIMIT 1";
        self.first_as("db: read scan", Statement::new(begun)).await
    }

    /// Returns the next of what a scan has to fetch, behind a place of its list.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn targets(
        &self,
        scan: i64,
        behind: i64,
        at_most: u32,
    ) -> Result<Vec<Target>, StoreError> {
        struct Row {
            place: i64,
            name: String,
            etag: Option<String>,
        }
        impl FromRow for Row {
            fn from_row(row: &sql::Row) -> Result<Self, SqlError> {
                Ok(Self {
                    place: row.get_as("place")?,
                    name: row.get_as("name")?,
                    etag: row.get_as("etag")?,
                })
            }
        }
        let targets = Statement::new(
            "SELECT place, scan_targets.name AS name, etag FROM scan_targets \
             LEFT JOIN repositories USING (name) WHERE scan = ? AND place > ? ORDER BY place LIMIT ?",
        );
        let targets = targets.bind(scan).bind(behind).bind(at_most);
        let rows: Vec<Row> = self.all_as("db: read scan", targets).await?;
        let targets = rows.into_iter().filter_map(|row| {
            Some(Target {
                // It was one when it was written.
                name: RepoName::parse(&row.name).ok()?,
                etag: row.etag,
                place: row.place,
            })
        });
        Ok(targets.collect())
    }

    /// Notes that a scan was worked on for so long, and how it is getting on now. One that has ended stays as it is; returns
    /// whether it had not.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn note_scan(
        &self,
        scan: i64,
        worked: Duration,
        state: ScanState,
        why: Option<&str>,
    ) -> Result<bool, StoreError> {
        let finished_at = (state != ScanState::Running).then(|| self.now());
        let worked_ms = i64::try_from(worked.as_millis()).unwrap_or(i64::MAX);
        let note = Statement::new(
            "UPDATE scans SET worked_ms = worked_ms + ?, state = ?, why = ?, finished_at = ? WHERE id = ? AND state = 'running'",
        );
        let note = note
            .bind(worked_ms)
            .bind(state.as_str())
            .bind(why)
            .bind(finished_at)
            .bind(scan);
        let mut statements = vec![note];
        if state != ScanState::Running {
            let rest = Statement::new("DELETE FROM scan_targets WHERE scan = ?");
            statements.push(rest.bind(scan));
        }
        let noted = self.database.batch(statements);
        let outcomes = self.monitored("db: write scan", noted).await?;
        let note = outcomes.first();
        Ok(note.is_some_and(|note| note.changes.rows_changed > 0))
    }

    /// Returns what has come of the last scan.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn scan_status(&self) -> Result<ScanStatus, StoreError> {
        struct Reason(String, u64);
        impl FromRow for Reason {
            fn from_row(row: &sql::Row) -> Result<Self, SqlError> {
                Ok(Self(row.get_as("reason")?, row.get_as("count")?))
            }
        }
        let last = Statement::new(
            "SELECT id, state, why, total, scanned, unchanged, failed, started_at, finished_at, worked_ms \
             FROM scans WHERE state <> 'listing' ORDER BY id DESC LIMIT 1",
        );
        let last: Option<Row> = self.first_as("db: read scan", last).await?;
        let Some(row) = last else {
            return Ok(ScanStatus::default());
        };
        let reasons =
            "SELECT reason, count(*) AS count FROM failures WHERE scan = ? GROUP BY reason";
        let reasons = Statement::new(reasons).bind(row.id);
        let reasons: Vec<Reason> = self.all_as("db: read scan", reasons).await?;
        let mut status = ScanStatus::of(row);
        let reasons = reasons
            .into_iter()
            .map(|Reason(reason, count)| (reason, count));
        status.reasons.extend(reasons);
        Ok(status)
    }
}

/// Reads the next part of a list.
fn part<E>(list: &mut impl Iterator<Item = Result<RepoName, E>>) -> Result<Vec<RepoName>, E> {
    list.take(AT_ONCE).collect()
}

fn length(part: &[RepoName]) -> i64 {
    i64::try_from(part.len()).unwrap_or(i64::MAX)
}

impl ScanStatus {
    fn of(row: Row) -> Self {
        let done = row.scanned + row.unchanged + row.failed;
        let mut status = Self {
            id: Some(row.id),
            state: row.state,
            why: row.why,
            total: row.total,
            scanned: row.scanned,
            unchanged: row.unchanged,
            failed: row.failed,
            remaining: row.total.saturating_sub(done),
            started_at: Some(row.started_at),
            finished_at: row.finished_at,
            elapsed_ms: row.worked_ms,
            ..Self::default()
        };
        status.set_pace();
        status
    }

    /// Adds what somebody has worked since it was noted; of one that has just ended all is.
    #[must_use]
    pub(crate) fn with_worked(mut self, worked: Duration) -> Self {
        if self.state != ScanState::Running {
            return self;
        }
        let worked = u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
        self.elapsed_ms = self.elapsed_ms.saturating_add(worked);
        self.set_pace();
        self
    }

    /// Says so, if there is something left to work on.
    #[must_use]
    pub(crate) fn with_nobody_working(mut self) -> Self {
        if self.state == ScanState::Running {
            self.state = ScanState::Paused;
            self.left_ms = None;
        }
        self
    }

    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    fn set_pace(&mut self) {
        let done = self.total - self.remaining.min(self.total);
        let milliseconds = self.elapsed_ms as f64;
        let pace = (done > 0 && self.elapsed_ms > 0).then(|| done as f64 / milliseconds);
        self.per_second = pace.map(|pace| pace * 1000.0);
        let running = self.state == ScanState::Running;
        self.left_ms = pace
            .filter(|_| running)
            .map(|pace| self.remaining as f64 / pace);
    }
}

/// Why a scan did not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError<E> {
    /// The list could not be read.
    #[error("{0}")]
    List(E),
    /// The database says so.
    #[error(transparent)]
    Store(#[from] StoreError),
}
