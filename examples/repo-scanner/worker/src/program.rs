//! What is put together once, and kept as long as the platform keeps the object.

use crate::settings::{Settings, Unusable};
use bytes::Bytes;
use http_body_util::Full;
use repo_scanner_core::{
    Analyst, Anthropic, Budget, Budgeted, BudgetedDatabase, GitHub, Job, ScanOptions, Scanner,
    Scans, Scope, Store, StoreError, Switches, Web, flags, stack,
};
use std::fmt;
use tower_egress::{
    EgressService, NoExecutor, ReplayBody, Timer,
    monitor::{Limits, Monitor},
};
use tower_egress_worker::{D1, Fetch, FetchBody, WorkerTimer, egress};
use worker::{Env, Response};

type Client =
    EgressService<Budgeted<Fetch>, FetchBody<ReplayBody<Full<Bytes>>>, WorkerTimer, NoExecutor>;
type Database = BudgetedDatabase<D1>;

/// All of it.
pub(crate) struct Program {
    pub(crate) web: Web<Client, Database, WorkerTimer, NoExecutor>,
    pub(crate) analyst: Analyst<Client, Database, WorkerTimer>,
    /// What an alarm may still do. Requests have their own invocations.
    pub(crate) budget: Budget,
    pub(crate) settings: Settings,
}

/// It could not be put together.
#[derive(Debug)]
pub(crate) enum NoProgram {
    Settings(Unusable),
    /// What the database says is for the log.
    Store(StoreError),
    /// So is what the object's storage says.
    Storage(worker::Error),
}

impl Program {
    /// Puts it together, and makes the tables.
    pub(crate) async fn new(env: &Env) -> Result<Self, NoProgram> {
        let settings = Settings::read(env).map_err(NoProgram::Settings)?;
        fn unusable(what: &str, error: impl fmt::Display) -> NoProgram {
            NoProgram::Settings(Unusable::new(format_args!("{what}: {error}")))
        }
        let flags = flags().build();
        let set = flags.apply(&settings.flags);
        set.map_err(|error| unusable("SETTINGS: flags", error))?;
        let d1 = D1::from_env(env, "DB").map_err(|error| unusable("DB", error))?;

        let timer = WorkerTimer::new().for_invocation();
        let monitor = Monitor::new(timer).with_limits(Limits::worker());
        let budget = Budget::unlimited();
        let database = |budget| BudgetedDatabase::new(d1.clone(), budget);
        let store = Store::open(database(None), timer, monitor.clone());
        let store = store.await.map_err(NoProgram::Store)?;
        let store = store.with_switches(Switches::new(&flags));
        let budgeted = store.on(database(Some(budget.clone())));

        let github = (&settings.github.base, settings.github.quota);
        let anthropic = (&settings.anthropic.base, settings.anthropic.quota);
        let egress = stack(egress(), github, anthropic, settings.concurrency)
            .flags(flags)
            .build()
            .for_invocation();
        let client = egress.layer(Budgeted::new(Fetch::new(), budget.clone()));

        let github = GitHub::new(client.clone(), &settings.github.base);
        let github = github.with_token(settings.github.token.clone());
        let scanner = Scanner::new(github, timer, ScanOptions::default());
        let job = Job::new(scanner, budgeted.clone(), timer)
            .with_batch_wait(settings.batch_wait)
            .with_budget(budget.clone());
        // A test server takes any.
        let key = settings.anthropic.token.as_deref().unwrap_or("none");
        let anthropic = Anthropic::new(client, &settings.anthropic.base, key);
        let anthropic = anthropic.map_err(|error| unusable("ANTHROPIC_API_KEY", error))?;
        Ok(Self {
            analyst: Analyst::new(anthropic, budgeted),
            web: Web {
                scans: Scans::new(job, store, timer),
                egress,
                monitor,
                scope: Scope::Object,
                token: settings.token.clone(),
            },
            budget,
            settings,
        })
    }
}

impl NoProgram {
    /// What whoever asked for something is told.
    pub(crate) fn into_response(self) -> worker::Result<Response> {
        match self {
            Self::Settings(unusable) => Response::error(unusable.to_string(), 503),
            Self::Store(_) | Self::Storage(_) => {
                Response::error("the database cannot be used now", 503)
            }
        }
    }
}

impl fmt::Display for NoProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(unusable) => unusable.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Storage(error) => error.fmt(f),
        }
    }
}
