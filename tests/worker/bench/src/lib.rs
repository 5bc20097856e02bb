//! A Worker that fetches one small JSON document many times over, six at a time: `/egress?n=1000&url=…`.
//!
//! Each route does it in another way, and answers with the sum of what it has read. What is below `/sql/` is of D1.

mod sql;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use http::Request;
use http_body_util::{BodyExt, Empty};
use serde::Deserialize;
use std::{
    future::{Future, ready},
    sync::LazyLock,
    time::Duration,
};
use tower_egress::{Api, Egress, FetchExt, Quota};
use tower_egress_worker::{D1, Fetch, WorkerTimer, egress};
use tower_service::Service;
use worker::{Context, Env, Error, Method, RequestInit, Response, Result, event};

/// What is read of the document.
#[derive(Deserialize)]
struct Repository {
    stargazers_count: u64,
}

/// GitHub as it is, but for a quota that nobody waits for.
static EGRESS: LazyLock<Egress<WorkerTimer>> = LazyLock::new(|| {
    let quota = Quota::new(1_000_000, Duration::from_secs(1)).expect("that is a quota");
    egress()
        .otherwise(Api::github().with_quota(quota))
        .attempt_timeout(Duration::from_secs(10))
        .build()
});

#[event(fetch)]
async fn fetch(request: worker::Request, env: Env, _: Context) -> Result<Response> {
    let asked = request.url()?;
    let parameter = |name| {
        let found = asked.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    };
    let n: u32 = parameter("n").and_then(|n| n.parse().ok()).ok_or("no n")?;
    if let Some(path) = asked.path().strip_prefix("/sql/") {
        let done = sql::route(path, D1::from_env(&env, "DB")?, n.into()).await;
        return Response::ok(done.ok_or("no such route")?.map_err(said)?.to_string());
    }
    let url = parameter("url").ok_or("no url")?;
    let n = usize::try_from(n).map_err(said)?;
    let stars = match asked.path() {
        "/egress" => through_the_stack(&url, n).await,
        "/fetch" => six_at_a_time(n, || with_the_transport(&url)).await,
        "/worker" => six_at_a_time(n, || with_the_worker_crate(&url)).await,
        _ => Err("no such route".into()),
    };
    Response::ok(stars?.to_string())
}

/// The whole stack, which lets six through by itself.
async fn through_the_stack(url: &str, n: usize) -> Result<u64> {
    let client = EGRESS.for_invocation().layer(Fetch::new());
    let read = try_join_all((0..n).map(|_| {
        let request = client.get(url).header("user-agent", "bench");
        request.json::<Repository>()
    }));
    let read = read.await.map_err(|error| error.to_string())?;
    Ok(read
        .iter()
        .map(|repository| repository.stargazers_count)
        .sum())
}

async fn six_at_a_time<F>(n: usize, one: impl Fn() -> F) -> Result<u64>
where
    F: Future<Output = Result<u64>>,
{
    let all = stream::iter(0..n).map(|_| one()).buffer_unordered(6);
    all.try_fold(0, |sum, stars| ready(Ok(sum + stars))).await
}

/// The stack's transport alone.
async fn with_the_transport(url: &str) -> Result<u64> {
    let request = Request::get(url).header("user-agent", "bench");
    let request = request.body(Empty::<Bytes>::new()).map_err(said)?;
    let response = Fetch::new().call(request).await.map_err(said)?;
    let body = response.into_body().collect().await.map_err(said)?;
    stars(&body.to_bytes())
}

/// What the `worker` crate has, with its own types.
async fn with_the_worker_crate(url: &str) -> Result<u64> {
    let mut init = RequestInit::new();
    init.with_method(Method::Get);
    init.headers.set("user-agent", "bench")?;
    let request = worker::Request::new_with_init(url, &init)?;
    let mut response = worker::Fetch::Request(request).send().await?;
    stars(&response.bytes().await?)
}

fn stars(body: &[u8]) -> Result<u64> {
    let repository: Repository = serde_json::from_slice(body)?;
    Ok(repository.stargazers_count)
}

fn said(error: impl std::error::Error) -> Error {
    Error::RustError(error.to_string())
}
