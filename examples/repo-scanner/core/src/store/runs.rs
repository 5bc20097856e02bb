//! What was done by the clock, and how long it took.

use super::{FromRow, Store, StoreError};
use serde::{Deserialize, Deserializer, Serialize};
use tower_egress::{
    Timer,
    sql::{Database, Row, SqlError, Statement},
};

/// What is done by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recurring {
    /// A part of a scan: see [`Slice`](crate::Slice).
    Slice,
    /// Having repositories described.
    Analysis,
    /// Deleting what is old.
    CleanUp,
}

/// One time that it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[non_exhaustive]
pub struct Run {
    /// What was done.
    pub job: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_at: i64,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// How many repositories were looked at, or figures deleted.
    pub done: i64,
    /// Whether it did what it was to do.
    #[serde(deserialize_with = "number")]
    pub is_ok: bool,
}

impl FromRow for Run {
    fn from_row(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            job: row.get_as("job")?,
            started_at: row.get_as("started_at")?,
            took_ms: row.get_as("took_ms")?,
            done: row.get_as("done")?,
            is_ok: row.get_as::<i64>("is_ok")? != 0,
        })
    }
}

impl Recurring {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Slice => "slice",
            Self::Analysis => "analysis",
            Self::CleanUp => "cleanUp",
        }
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    i64::deserialize(deserializer).map(|number| number != 0)
}

impl<D: Database, T: Timer> Store<D, T> {
    /// Does something, and records how long it took, and how much was `done`; where that is nothing at all, as none was to do,
    /// there is no record.
    ///
    /// A record that cannot be written is left out: what was done is done.
    ///
    /// # Errors
    ///
    /// Those of the work.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, it leaves no record.
    pub async fn recorded<O, E>(
        &self,
        job: Recurring,
        work: impl Future<Output = Result<O, E>>,
        done: impl FnOnce(&O) -> Option<u64>,
    ) -> Result<O, E> {
        let (started_at, started) = (self.now(), self.timer.now());
        let came = work.await;
        let took = self.timer.now() - started;
        let done = came.as_ref().map_or(Some(0), done);
        let Some(done) = done else { return came };
        let insert = Statement::new(
            "INSERT INTO runs (job, started_at, took_ms, done, is_ok) VALUES (?, ?, ?, ?, ?)",
        );
        let insert = insert
            .bind(job.as_str())
            .bind(started_at)
            .bind(i64::try_from(took.as_millis()).unwrap_or(i64::MAX))
            .bind(i64::try_from(done).unwrap_or(i64::MAX))
            .bind(came.is_ok());
        let insert = self.database.run(insert);
        let _ = self.monitored("db: write run", insert).await;
        came
    }

    /// Returns when each was done last.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn last_runs(&self) -> Result<Vec<Run>, StoreError> {
        let last = Statement::new(
            "SELECT job, started_at, took_ms, done, is_ok FROM runs \
             WHERE id IN (SELECT max(id) FROM runs GROUP BY job) ORDER BY job",
        );
        self.all_as("db: read runs", last).await
    }
}
