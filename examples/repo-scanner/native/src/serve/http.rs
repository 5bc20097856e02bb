//! HTTP/1.1 around the API.

use crate::program::{Program, Stack};
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
use tower_egress::{TokioExecutor, TokioTimer, sql::sqlite::Sqlite};

/// What requests are answered with.
struct Api {
    web: Web<Stack, Sqlite, TokioTimer, TokioExecutor>,
    /// Wakes whoever works on scans.
    wake: Arc<Notify>,
}

pub(super) fn router(program: &Program, token: Option<String>, wake: Arc<Notify>) -> Router {
    let web = Web {
        scans: program.scans.clone(),
        egress: program.egress.clone(),
        monitor: program.monitor.clone(),
        scope: Scope::Process,
        token,
    };
    let api = Arc::new(Api { web, wake });
    Router::new().fallback(answer).with_state(api)
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let changes_something = !request.method().is_safe();
    let response = api.web.respond(request).await;
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
