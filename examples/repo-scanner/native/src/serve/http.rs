//! HTTP/1.1 around the API.

mod in_time;

use self::in_time::InTime;
use crate::{
    database::Pool,
    failure::Failure,
    program::{Program, Stack},
};
use axum::{
    BoxError, Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http_body_util::BodyExt;
use repo_scanner_core::{Cause, Scope, Web};
use std::sync::Arc;
use tokio::sync::Notify;
use tower_egress::{TokioExecutor, TokioTimer};

/// How many lists of repositories are read at a time: one that is searched for what there is not reads all there are.
const LISTS: usize = 3;

/// What requests are answered with.
struct Api {
    web: Site,
    /// The same, for lists of repositories: they may take seconds, and nothing else is to wait for them.
    lists: Site,
    /// Wakes whoever works on scans.
    wake: Arc<Notify>,
}

type Site = Web<Stack, Pool, TokioTimer, TokioExecutor>;

impl Api {
    /// Makes it, with connections of its own to the database.
    async fn new(
        program: &Program,
        token: Option<String>,
        wake: Arc<Notify>,
    ) -> Result<Self, Failure> {
        let site = |scans| Web {
            scans,
            egress: program.egress.clone(),
            monitor: program.monitor.clone(),
            scope: Scope::Process,
            token: token.clone(),
        };
        Ok(Self {
            web: site(program.for_readers(1).await?),
            lists: site(program.for_readers(LISTS).await?),
            wake,
        })
    }
}

pub(super) async fn router(
    program: &Program,
    token: Option<String>,
    wake: Arc<Notify>,
) -> Result<Router, Failure> {
    let api = Arc::new(Api::new(program, token, wake).await?);
    Ok(Router::new().fallback(answer).with_state(api))
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let changes_something = !request.method().is_safe();
    let site = match request.uri().path() {
        "/api/repos" => &api.lists,
        _ => &api.web,
    };
    let response = site.respond(request.map(InTime::new)).await;
    if let Some(Cause(cause)) = response.extensions().get() {
        eprintln!("a request could not be answered: {cause}");
    }
    if changes_something {
        api.wake.notify_one();
    }
    // One that breaks off in the middle has no status that says so.
    response.map(|body| Body::new(body.map_err(told)))
}

fn told(error: BoxError) -> BoxError {
    eprintln!("an answer broke off: {error}");
    error
}

#[cfg(test)]
mod tests;
