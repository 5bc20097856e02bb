//! A process with flags, on a database that counts what it is asked.

use super::{Client, Server, with_database};
use egress_time::ManualTimer;
use repo_scanner_core::{
    Ended, GitHub, Job, Outcome, ScanOptions, Scanner, Scans, Scope, Slice, Store, Summary,
    Switches, Web, flags,
};
use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tower_egress::{
    Api, Egress, NoExecutor,
    flags::Flags,
    monitor::Monitor,
    sql::{
        Changes, Database, Limits, Outcome as Written, Row, SqlError, Statement, sqlite::Sqlite,
    },
};

/// Counts, and may fall silent.
#[derive(Clone)]
pub(crate) struct Counted {
    inner: Sqlite,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    saves: AtomicU64,
    reads: AtomicU64,
    lists: AtomicU64,
    silent: AtomicBool,
}

impl Counted {
    pub(crate) fn new(inner: &Sqlite) -> Self {
        Self {
            inner: inner.clone(),
            counts: Arc::default(),
        }
    }

    pub(crate) const fn inner(&self) -> &Sqlite {
        &self.inner
    }

    /// Transactions that stored outcomes.
    pub(crate) fn saves(&self) -> u64 {
        self.counts.saves.load(Relaxed)
    }

    /// Pages of repositories that were read.
    pub(crate) fn reads(&self) -> u64 {
        self.counts.reads.load(Relaxed)
    }

    /// Pages of the list of a scan that were read.
    pub(crate) fn lists(&self) -> u64 {
        self.counts.lists.load(Relaxed)
    }

    pub(crate) fn fall_silent(&self) {
        self.counts.silent.store(true, Relaxed);
    }

    async fn answer(&self) {
        if self.counts.silent.load(Relaxed) {
            pending().await
        }
    }
}

impl Database for Counted {
    async fn run(&self, statement: Statement) -> Result<Changes, SqlError> {
        self.answer().await;
        self.inner.run(statement).await
    }

    async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
        self.answer().await;
        self.inner.first(statement).await
    }

    async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        self.answer().await;
        let sql = statement.sql();
        let is_list = sql.contains("FROM scan_targets LEFT JOIN");
        let is_read = sql.contains("FROM repositories WHERE TRUE");
        self.counts.lists.fetch_add(u64::from(is_list), Relaxed);
        self.counts.reads.fetch_add(u64::from(is_read), Relaxed);
        self.inner.all(statement).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Written>, SqlError> {
        self.answer().await;
        let stores = |statement: &Statement| {
            let sql = statement.sql();
            sql.starts_with("UPDATE scans SET scanned")
        };
        let is_save = statements.iter().any(stores);
        self.counts.saves.fetch_add(u64::from(is_save), Relaxed);
        self.inner.batch(statements).await
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }
}

/// What a process has that is started with flags.
pub(crate) struct Switched {
    pub(crate) timer: ManualTimer,
    pub(crate) database: Counted,
    pub(crate) egress: Egress<ManualTimer>,
    pub(crate) monitor: Monitor<ManualTimer>,
    pub(crate) store: Store<Counted, ManualTimer>,
    pub(crate) scans: Scans<Client, Counted, ManualTimer>,
    flags: Flags,
}

impl Switched {
    pub(crate) async fn start(database: Counted, server: &Server) -> Self {
        let timer = ManualTimer::new();
        let monitor = Monitor::new(timer.clone());
        let flags = flags().build();
        let store = Store::open(database.clone(), timer.clone(), monitor.clone()).await;
        let store = store.unwrap().with_switches(Switches::new(&flags));
        let egress = Egress::builder_on(timer.clone())
            .otherwise(Api::external().without_quota())
            .queue_timeout(None)
            .flags(flags.clone())
            .build();
        let base = "http://example.com".parse().unwrap();
        let github = GitHub::new(egress.layer(server.clone()), &base);
        let scanner = Scanner::new(github, timer.clone(), ScanOptions::default());
        let job = Job::new(scanner, store.clone(), timer.clone()).with_batch_wait(Duration::ZERO);
        let scans = Scans::new(job, store.clone(), timer.clone());
        Self {
            timer,
            database,
            egress,
            monitor,
            store,
            scans,
            flags,
        }
    }

    /// Sets all flags; what is not said is on.
    pub(crate) fn set(&self, json: &str) {
        self.flags.apply_json(json).unwrap();
    }

    /// Works on the scan that has begun, to its end.
    pub(crate) async fn work(&self, progress: impl Fn(&Outcome)) -> Summary {
        let work = self.scans.work(Slice::default(), progress, pending());
        let (summary, ended) = work.await.unwrap().unwrap();
        assert_eq!(ended, Ended::Finished);
        summary
    }

    pub(crate) fn site(&self) -> Web<Client, Counted, ManualTimer, NoExecutor> {
        Web {
            scans: self.scans.clone(),
            egress: self.egress.clone(),
            monitor: self.monitor.clone(),
            scope: Scope::Process,
            token: None,
        }
    }
}

/// Runs a test with such a process on an empty database.
pub(crate) fn with_switched<F: Future>(test: impl FnOnce(Switched, Server) -> F) -> F::Output {
    with_database(async |database, server| {
        let switched = Switched::start(Counted::new(&database), &server).await;
        test(switched, server).await
    })
}
