//! A scan into a database that is not at hand: each call takes a while, as one of D1's does.

use super::{Folder, situation::off_text};
use crate::{client, failure::Failure};
use repo_scanner_core::{
    GitHub, Job, RepoName, ScanOptions, Scanner, Slice, Store, Switches, flags,
};
use std::{
    future::{Future, pending},
    time::Duration,
};
use strict_origin::StrictOrigin;
use tower_egress::{
    Clock, Egress, Quota, SleepUntil, TokioExecutor, TokioTimer,
    monitor::Monitor,
    sql::{
        Changes, Database, Limits, Outcome, Row, SqlError, Statement,
        sqlite::{Sqlite, SqliteOptions},
    },
};

pub(super) const TITLE: &str = "a scan into a database 5 ms away";

/// How far away it is.
const AWAY: Duration = Duration::from_millis(5);

/// Returns how long a scan takes in microseconds, with batching and without.
pub(super) async fn both(folder: &Folder, repositories: u32) -> Result<[u64; 2], Failure> {
    let on = scan(folder, repositories, &[]).await?;
    Ok([on, scan(folder, repositories, &["batching"]).await?])
}

async fn scan(folder: &Folder, repositories: u32, off: &[&'static str]) -> Result<u64, Failure> {
    eprintln!("{TITLE}: {}", off_text(off));
    let failed = |error: &dyn std::fmt::Display| Failure::failed("a scan has failed", error);
    let timer = TokioTimer::new();
    let flags = flags().build();
    let config = format!(r#"{{"batching": {}}}"#, off.is_empty());
    flags.apply_json(&config).map_err(|error| failed(&error))?;
    let origin = StrictOrigin::builder().start().await;
    let origin = origin.map_err(|error| failed(&error))?;
    let base = origin.url().parse().map_err(|error| failed(&error))?;

    folder.delete_database(FILE);
    let database = SqliteOptions::new()
        .with_durable(false)
        .open(folder.path(FILE));
    let database = Far(database.await.map_err(|error| failed(&error))?);
    let store = Store::open(database, timer, Monitor::new(timer)).await;
    let store = store.map_err(|error| failed(&error))?;
    let store = store.with_switches(Switches::new(&flags));
    let wide = Quota::new(1_000_000, Duration::from_secs(1)).map_err(|error| failed(&error))?;
    let at = (&base, wide);
    let egress = repo_scanner_core::stack(Egress::builder(), at, at, crate::asked::CONCURRENCY);
    let egress = egress.executor(TokioExecutor::new()).build();
    let github = GitHub::new(egress.layer(client::http_client()), &base);
    let scanner = Scanner::new(github, timer, ScanOptions::default());
    let job = Job::new(scanner, store.clone(), timer);

    let names = (0..repositories).map(|n| RepoName::parse(&format!("owner/name-{n}")));
    let begun = store.begin_scan("measured", names).await;
    let scan = begun.map_err(|error| failed(&error))?;
    let began = timer.now();
    let (summary, ended) = job.work(scan, Slice::default(), |_| {}, pending()).await;
    let took = timer.now() - began;
    ended.map_err(|error| failed(&error))?;
    origin.shutdown().await;
    if summary.scanned != u64::from(repositories) {
        return Err(failed(&format!("{} were scanned", summary.scanned)));
    }
    folder.delete_database(FILE);
    Ok(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}

const FILE: &str = "far.db";

/// Each call takes so long on its way.
#[derive(Clone, Debug)]
struct Far(Sqlite);

async fn travelled<T>(call: impl Future<Output = T>) -> T {
    let timer = TokioTimer::new();
    SleepUntil::new(timer, timer.now() + AWAY).await;
    call.await
}

impl Database for Far {
    async fn run(&self, statement: Statement) -> Result<Changes, SqlError> {
        travelled(self.0.run(statement)).await
    }

    async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
        travelled(self.0.first(statement)).await
    }

    async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        travelled(self.0.all(statement)).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        travelled(self.0.batch(statements)).await
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }
}
