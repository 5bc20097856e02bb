//! What every command that scans puts together: the stack, the database, the scans.

use crate::{
    asked::Asked,
    client::{self, HttpClient},
    database::{self, Pool, SqliteStore},
    failure::Failure,
    lock::Lock,
    quota,
    target::Target,
};
use hyper::body::Incoming;
use repo_scanner_core::{
    Analyst, Anthropic, GitHub, Job, ScanOptions, Scanner, Scans, Switches, stack,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tower_egress::{
    Egress, EgressService, TokioExecutor, TokioTimer,
    flags::Flags,
    monitor::{Limits, Monitor},
};

pub(crate) type Stack = EgressService<HttpClient, Incoming, TokioTimer, TokioExecutor>;
pub(crate) type SqliteScans = Scans<Stack, Pool, TokioTimer>;

/// What is warned of: a scan needs a fraction of it, however long its list.
const MEMORY: u64 = 100 << 20;

/// All of it.
pub(crate) struct Program {
    pub(crate) egress: Egress<TokioTimer, TokioExecutor>,
    pub(crate) monitor: Monitor<TokioTimer>,
    pub(crate) store: SqliteStore,
    pub(crate) scans: SqliteScans,
    pub(crate) analyst: Analyst<Stack, Pool, TokioTimer>,
    /// How many repositories it is to describe after a scan.
    pub(crate) analyse: u32,
    pub(crate) lock: Lock,
    db: PathBuf,
}

impl Program {
    /// Puts it together, and opens the database.
    pub(crate) async fn new(
        asked: &Asked,
        target: &Target,
        db: &Path,
        flags: Flags,
    ) -> Result<Self, Failure> {
        let unwritable = |error| unwritable(db, error);
        let monitor =
            Monitor::new(TokioTimer::new()).with_limits(Limits::new().with_memory(MEMORY));
        let store = database::open(db, monitor.clone()).await;
        let store = store.map_err(unwritable)?;
        let store = store.with_switches(Switches::new(&flags));

        let concurrency = target.pace.concurrency(asked.concurrency);
        let github = (&target.base, target.pace.quota);
        let anthropic = (&target.anthropic, target.anthropic_pace.quota);
        let builder = stack(Egress::builder(), github, anthropic, concurrency);
        let builder = builder.flags(flags).executor(TokioExecutor::new());
        let egress = builder.build();
        let client = egress.layer(client::http_client());

        let github = GitHub::new(client.clone(), &target.base).with_token(asked.token.clone());
        let mut options = ScanOptions::default();
        let twice = concurrency.saturating_add(concurrency.get());
        options.at_once = options.at_once.max(twice);
        let scanner = Scanner::new(github, TokioTimer::new(), options);
        // The database is at hand: a batch is what has come while the one before it was written.
        let job =
            Job::new(scanner, store.clone(), TokioTimer::new()).with_batch_wait(Duration::ZERO);
        let scans = Scans::new(job, store.clone(), TokioTimer::new());

        // A test server takes any.
        let key = asked.anthropic_key.as_deref().unwrap_or("none");
        let anthropic = Anthropic::new(client, &target.anthropic, key);
        let anthropic =
            anthropic.map_err(|error| Failure::usage(format!("ANTHROPIC_API_KEY: {error}")))?;
        Ok(Self {
            egress,
            monitor,
            analyst: Analyst::new(anthropic, store.clone()),
            store,
            scans,
            analyse: asked.analyse,
            lock: Lock::of(&database::file(db).map_err(unwritable)?),
            db: db.to_owned(),
        })
    }

    /// Returns the same scans, which read through so many connections of their own: whoever asks about them is in nobody's
    /// way.
    pub(crate) async fn for_readers(&self, count: usize) -> Result<SqliteScans, Failure> {
        let store = database::with_readers(&self.store, &self.db, count).await;
        let store = store.map_err(|error| {
            Failure::failed(format!("cannot read {}", self.db.display()), error)
        })?;
        Ok(self.scans.on(store))
    }

    /// Brings the database up to date before the end.
    pub(crate) async fn close(&self) {
        database::close(&self.store).await;
    }
}

/// Says on standard error where is scanned, and how fast.
pub(crate) fn announce(asked: &Asked, target: &Target, what: &str) {
    eprintln!("{what} at {target}");
    eprintln!("permitted: {}", target.pace);
    let given = [&asked.github, &asked.anthropic].into_iter().flatten();
    let unheard = given.filter_map(quota::only_inside).next();
    if let Some(parts) = unheard.filter(|_| !target.is_inside()) {
        eprintln!("unused: {parts} of --quota, for the test server inside to count by");
    }
}

pub(crate) fn unwritable(db: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("cannot write to {}", db.display()), error)
}
