//! A Worker that says how many stars a repository has: `/tower-rs/tower`.

use std::sync::LazyLock;
use tower_egress::{Api, Egress, FetchExt};
use tower_egress_worker::{Fetch, WorkerTimer, egress, until_disconnect};
use worker::{Context, Env, Request, Response, Result, event};

/// What all requests of an isolate share: GitHub's limits, and what it says of them.
static EGRESS: LazyLock<Egress<WorkerTimer>> =
    LazyLock::new(|| egress().api(Api::github()).build());

#[event(fetch)]
async fn fetch(request: Request, _: Env, _: Context) -> Result<Response> {
    let answer = answer(request.path());
    let answered = until_disconnect(&request.inner().signal(), answer).await;
    answered.unwrap_or_else(Response::empty)
}

async fn answer(path: String) -> Result<Response> {
    // Six connections for each invocation, as the platform has it; everything else is shared.
    let github = EGRESS.for_invocation().layer(Fetch::new());
    let request = github
        .get(&format!("https://api.github.com/repos{path}"))
        .header("user-agent", "worker-minimal");
    match request.text().await {
        Ok(repository) => Response::ok(repository),
        Err(error) => Response::error(error.to_string(), 502),
    }
}
