//! An axum service whose handlers call an upstream API through one shared stack.
//!
//! However many requests come in, what goes out keeps the upstream's limits; whoever would have to wait too long is told
//! so at once, with `503` and a `Retry-After`. Each answer says in `Server-Timing` what it cost upstream.
//!
//! ```text
//! cargo run --example axum_service
//! ```

use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use std::time::Duration;
use strict_origin::StrictOrigin;
use tower_egress::{
    Api, Egress, EgressService, Error, FetchExt, Quota, ReplayBody, ServerTimingLayer, Status,
    Tally, TokioTimer,
};

/// The types of the stack, named once.
type Http = Client<HttpConnector, ReplayBody<Full<Bytes>>>;
type Upstream = EgressService<Http, hyper::body::Incoming, TokioTimer>;

#[derive(Clone)]
struct App {
    egress: Egress<TokioTimer>,
    upstream: Upstream,
    base: String,
}

async fn stars(
    State(app): State<App>,
    Extension(tally): Extension<Tally>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<Value>, Failed> {
    let url = format!("{}/repos/{owner}/{name}", app.base);
    let upstream = app.upstream.with_tally(&tally);
    let repository: Value = upstream.get(url).json().await?;
    Ok(Json(repository["stargazers_count"].clone()))
}

async fn status(State(app): State<App>) -> Json<Status> {
    Json(app.egress.status())
}

struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        if self.0.status() == Some(StatusCode::NOT_FOUND) {
            return StatusCode::NOT_FOUND.into_response();
        }
        // Our own limit says when to come back, or the upstream does.
        match self.0.retry_after() {
            Some(wait) => {
                let seconds = wait.as_secs().saturating_add(1);
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    [(RETRY_AFTER, seconds.to_string())],
                )
                    .into_response()
            }
            None => (StatusCode::BAD_GATEWAY, self.0.to_string()).into_response(),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = StrictOrigin::builder()
        .github("10/1s,burst=2".parse()?)
        .start()
        .await?;
    // Head-room: what departs evenly does not arrive so. The first requests open connections, those behind them do not.
    let quota = Quota::new(10, Duration::from_millis(1200))?.with_burst(2)?;
    let egress = Egress::builder()
        .api(
            Api::github()
                .at(&origin.addr().to_string().parse()?)
                .with_quota(quota),
        )
        .max_wait(Duration::from_millis(500))
        .build();
    let app = App {
        upstream: egress.layer(Client::builder(TokioExecutor::new()).build_http()),
        egress,
        base: origin.url().to_owned(),
    };
    let router = Router::new()
        .route("/stars/{owner}/{name}", get(stars))
        .route("/status", get(status))
        .layer(ServerTimingLayer::new(&app.egress))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let here = format!("http://{}", listener.local_addr()?);
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await });

    // Twelve visitors at once. Upstream permits two, then one every 100 ms; nobody waits longer than half a second.
    // hyper's client has a `get` of its own, so ours is named in full.
    let visitor = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut visits = tokio::task::JoinSet::new();
    for number in 0..12 {
        let visit = FetchExt::get(&visitor, format!("{here}/stars/owner/name-{number}")).send();
        visits.spawn(visit);
    }
    let (mut served, mut turned_away) = (0, 0);
    while let Some(response) = visits.join_next().await {
        let response = response??;
        match response.status() {
            StatusCode::OK => {
                let timing = &response.headers()["server-timing"];
                println!("server-timing: {}", timing.to_str()?);
                served += 1;
            }
            StatusCode::SERVICE_UNAVAILABLE => turned_away += 1,
            other => println!("unexpected: {other}"),
        }
    }
    println!("{served} visitors were served, {turned_away} were told when to come back");
    let github: Value = FetchExt::get(&visitor, format!("{here}/status"))
        .json()
        .await?;
    println!(
        "{}",
        serde_json::to_string_pretty(&github["rateLimits"]["github"])?
    );

    server.abort_all();
    let complaints = origin.shutdown().await.complaints();
    println!("the upstream complains of: {complaints:?}");
    assert!(complaints.is_empty() && served >= 6 && served + turned_away == 12);
    Ok(())
}
