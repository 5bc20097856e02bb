//! The Durable Object that does it all.

use crate::{
    cron::Cron,
    program::{NoProgram, Program},
    request,
    rest::Rest,
    work,
};
use repo_scanner_core::{
    BeginError, CATALOGUE, CATALOGUE_KEY, Cause, List, Recurring, StoreError, repos,
};
use std::{cell::Cell, time::Duration};
use tokio::sync::OnceCell;
use tower_egress_worker::{Reply, until_disconnect};
use worker::{
    DurableObject, Env, Error, Method, Request, Response, Result, State, console_error,
    console_log, durable_object, wasm_bindgen,
};

/// Holds the stack, answers requests, and works on scans, a slice at each alarm.
///
/// What it knows and must not forget is in D1; what an alarm cannot finish, the next one does.
#[durable_object(alarm)]
pub(crate) struct Scanner {
    state: State,
    env: Env,
    program: OnceCell<Program>,
    clock: Clock,
}

/// What alarms and requests tell each other.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// How often in a row an alarm could do nothing.
    pub(crate) failures: Cell<u32>,
    /// Whether the last slice was over before anything was done.
    pub(crate) is_stuck: Cell<bool>,
    /// Whether somebody wants something to be done.
    pub(crate) is_wanted: Cell<bool>,
}

impl DurableObject for Scanner {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            program: OnceCell::new(),
            clock: Clock::default(),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        if request.method() == Method::Post || request.method() == Method::Delete {
            // What has begun is to be worked on, whether or not somebody waits to hear of it.
            return self.answer(request).await;
        }
        let signal = request.inner().signal();
        // An object goes on when its client has gone.
        let answered = until_disconnect(&signal, self.answer(request)).await;
        answered.unwrap_or_else(|| Response::error("nobody reads this", 503))
    }

    async fn alarm(&self) -> Result<Response> {
        let next = match self.program().await {
            Ok(program) => work::work(&self.state, program, &self.clock).await,
            Err(error) => {
                console_error!("the scan cannot go on: {error}");
                Some(work::after_failures(&self.clock))
            }
        };
        // The platform tries an alarm that fails six times again, and never more: nothing but this fails it.
        if let Some(wait) = next {
            self.state.storage().set_alarm(wait).await?;
        }
        Response::empty()
    }
}

impl Scanner {
    async fn program(&self) -> Result<&Program, NoProgram> {
        let new = || async {
            let program = Program::new(&self.env).await?;
            let kept = Rest::keep_to(&self.state, &program).await;
            kept.map_err(NoProgram::Storage)?;
            self.go_on(&program).await?;
            Ok(program)
        };
        self.program.get_or_try_init(new).await
    }

    /// Has a scan go on that has no alarm any more: whoever began it was ended before there was one, or the platform has tried
    /// the last one often enough.
    async fn go_on(&self, program: &Program) -> Result<(), NoProgram> {
        let running = program.web.scans.store().running_scan().await;
        if running.map_err(NoProgram::Store)?.is_none() {
            return Ok(());
        }
        let storage = self.state.storage();
        let alarm = storage.get_alarm().await.map_err(NoProgram::Storage)?;
        if alarm.is_some() {
            return Ok(());
        }
        let set = storage.set_alarm(Duration::ZERO).await;
        set.map_err(NoProgram::Storage)
    }

    async fn answer(&self, request: Request) -> Result<Response> {
        let program = match self.program().await {
            Ok(program) => program,
            Err(error) => {
                console_error!("a request could not be answered: {error}");
                return error.into_response();
            }
        };
        if let Some(cron) = Cron::at(&request.path()) {
            return self.on_cron(program, cron).await;
        }
        let request = request::read(request)?;
        let changes_something = !request.method().is_safe();
        let response = program.web.respond(request).await;
        if let Some(Cause(cause)) = response.extensions().get() {
            console_error!("a request could not be answered: {cause}");
        }
        // A database that fails may have done what it was told.
        let has_changed = response.status().is_success() || response.status().is_server_error();
        if changes_something && has_changed {
            self.wake().await?;
        }
        let response = Reply(response).into_js();
        response
            .map(Response::from)
            .map_err(|error| Error::RustError(error.to_string()))
    }

    async fn on_cron(&self, program: &Program, cron: Cron) -> Result<Response> {
        let scans = &program.web.scans;
        let done = match cron {
            Cron::CleanUp => {
                let store = scans.store();
                let deleted = store.delete_old();
                let deleted = store.recorded(Recurring::CleanUp, deleted, |count| Some(*count));
                let deleted = deleted.await.map_err(|error| error.to_string());
                deleted.map(|count| {
                    console_log!("deleted {count} figures that were older than 90 days");
                })
            }
            Cron::Scan => match scans
                .begin(
                    CATALOGUE_KEY,
                    Box::new(repos(CATALOGUE.as_bytes())) as List<'_>,
                )
                .await
            {
                Ok(_) => Ok(()),
                Err(BeginError::Store(StoreError::ScanIsRunning)) => {
                    console_log!("a scan of another list is running: this one is left out");
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
        };
        // Also where a scan was left: whatever has become of its alarm.
        self.wake().await?;
        match done {
            Ok(()) => Response::empty(),
            Err(error) => Err(Error::RustError(error)),
        }
    }

    /// Has somebody look whether there is something to do.
    async fn wake(&self) -> Result<()> {
        self.clock.is_wanted.set(true);
        self.state.storage().set_alarm(Duration::ZERO).await
    }
}
