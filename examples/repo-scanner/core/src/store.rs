//! What is kept in the database.

mod analyses;
mod business;
mod error;
mod from_row;
mod metrics;
mod query;
mod repositories;
mod runs;
mod save;
mod scans;

pub use self::{
    business::Business,
    error::StoreError,
    metrics::{KEPT_FOR, Metrics, Moment},
    query::{Cursor, NoCursor, Order, Query, Sort},
    repositories::Stored,
    runs::{Recurring, Run},
    scans::{BeginError, Running, ScanState, ScanStatus},
};

use self::{business::Counted, from_row::FromRow};
use crate::{Switches, thin::thin};
use futures_util::future::{Either, select};
use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tower_egress::{
    SleepUntil, Timer,
    monitor::Monitor,
    sql::{Database, Migrations, Row, SqlError, Statement},
};

/// The files of SQL that make the tables, by their names, in order.
pub const MIGRATIONS: [(&str, &str); 2] = [
    (
        "0001_repositories",
        include_str!("../migrations/0001_repositories.sql"),
    ),
    ("0002_runs", include_str!("../migrations/0002_runs.sql")),
];

/// How long a database may take for one operation.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The database of a scanner. Everything that it does is a run of an operation of the monitor, unless that is switched off.
///
/// Cheap to clone if the database is.
#[derive(Clone, Debug)]
pub struct Store<D, T> {
    database: D,
    timer: T,
    monitor: Monitor<T>,
    switches: Switches,
    counted: Arc<Mutex<Option<Counted>>>,
}

impl<D: Database, T: Timer> Store<D, T> {
    /// Opens a database: makes its tables, or changes those of an older version.
    ///
    /// # Errors
    ///
    /// If the database cannot be used, or has tables that are not ours.
    pub async fn open(database: D, timer: T, monitor: Monitor<T>) -> Result<Self, StoreError> {
        let store = Self {
            database,
            timer,
            monitor,
            switches: Switches::default(),
            counted: Arc::default(),
        };
        for name in OPERATIONS {
            store.monitor.operation(name).with_timeout(TIMEOUT);
        }
        let migrations = Migrations::new(MIGRATIONS);
        let migrated = migrations.apply(&store.database);
        store.monitored("db: migrate", migrated).await?;
        Ok(store)
    }

    /// Returns the same store on another handle of the same database.
    #[must_use]
    pub fn on(&self, database: D) -> Self
    where
        T: Clone,
    {
        Self {
            database,
            timer: self.timer.clone(),
            monitor: self.monitor.clone(),
            counted: Arc::clone(&self.counted),
            switches: self.switches.clone(),
        }
    }

    /// Sets what is asked whether something is switched off, for whoever uses this store. Until then nothing is.
    #[must_use]
    pub fn with_switches(mut self, switches: Switches) -> Self {
        self.switches = switches;
        self
    }

    pub(crate) const fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Returns the database.
    pub const fn database(&self) -> &D {
        &self.database
    }

    /// Runs what the database does as an operation of the monitor. Where that is off, only its time is bounded.
    async fn monitored<O, E: Into<StoreError>>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<O, E>>,
    ) -> Result<O, StoreError> {
        let mut came = None;
        let work = async {
            came = Some(work.await.map_err(Into::into)?);
            Ok(())
        };
        self.watched(operation, thin(pin!(work))).await?;
        came.ok_or(StoreError::TimedOut { operation })
    }

    /// Does that: apart, as all of it is compiled for each type of work.
    async fn watched(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        let monitoring = self.switches.monitoring(&self.timer);
        let began = self.timer.now();
        let done = if monitoring.is_on {
            self.monitor.run(operation, work).await.ok()
        } else {
            let late = SleepUntil::new(self.timer.clone(), began + TIMEOUT);
            match select(pin!(work), pin!(late)).await {
                Either::Left((done, _)) => Some(done),
                Either::Right(_) => None,
            }
        };
        let done = match done {
            Some(done) => done,
            None => Err(StoreError::TimedOut { operation }),
        };
        monitoring.record(done.is_ok(), self.timer.now() - began);
        done
    }

    /// Reads all rows of a statement.
    async fn all_as<R: FromRow>(
        &self,
        operation: &'static str,
        statement: Statement,
    ) -> Result<Vec<R>, StoreError> {
        let mut all = Vec::new();
        let mut take = |row: &Row| {
            all.push(R::from_row(row)?);
            Ok(())
        };
        self.read(operation, statement, &mut take).await?;
        Ok(all)
    }

    /// Reads the only row of a statement, if there is one.
    async fn first_as<R: FromRow>(
        &self,
        operation: &'static str,
        statement: Statement,
    ) -> Result<Option<R>, StoreError> {
        Ok(self.all_as(operation, statement).await?.pop())
    }

    /// Hands out row by row: whatever they are read as, what asks for them is compiled once.
    async fn read(
        &self,
        operation: &'static str,
        statement: Statement,
        take: &mut (dyn FnMut(&Row) -> Result<(), SqlError> + Send),
    ) -> Result<(), StoreError> {
        let read = async {
            let rows = self.database.all(statement).await?;
            rows.iter().try_for_each(take)
        };
        self.monitored(operation, read).await
    }

    /// Milliseconds since the Unix epoch.
    fn now(&self) -> i64 {
        i64::try_from(self.timer.unix_time().as_millis()).unwrap_or(i64::MAX)
    }
}

/// The operations, as the monitor names them.
const OPERATIONS: [&str; 13] = [
    "db: migrate",
    "db: save",
    "db: read repositories",
    "db: read repository",
    "db: read history",
    "db: update metrics",
    "db: save analyses",
    "db: delete old",
    "db: read scan",
    "db: write scan",
    "db: write run",
    "db: read runs",
    "db: count",
];
