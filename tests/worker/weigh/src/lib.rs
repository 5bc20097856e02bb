//! A Worker with as much of the stack in it as its features say: `weigh.sh` builds and weighs them.
#![allow(
    unused_imports,
    unused_mut,
    unused_variables,
    clippy::useless_conversion,
    reason = "each feature uses a part"
)]

use worker::{Context, Env, Error, Request, Response, Result, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    answer(request, &env).await
}

/// What stands behind the question mark. (`Request::url` weighs as much as the whole stack.)
#[cfg(any(feature = "fetch", feature = "egress"))]
fn target(request: &Request) -> String {
    let url = request.inner().url();
    url.split_once('?').unwrap_or_default().1.to_owned()
}

#[cfg(not(any(feature = "fetch", feature = "egress")))]
async fn answer(_: Request, _: &Env) -> Result<Response> {
    Response::ok("hello")
}

#[cfg(all(feature = "fetch", not(feature = "egress")))]
async fn answer(request: Request, _: &Env) -> Result<Response> {
    use bytes::Bytes;
    use egress_backoff::BackoffLayer;
    use egress_body_cleanup::BodyCleanupLayer;
    use egress_concurrency_limit::ConcurrencyLimitLayer;
    use egress_timeout::{DeadlineLayer, TimeoutLayer};
    use egress_timing::{Recorder, TimingLayer};
    use egress_token_bucket::{Bucket, Quota, TokenBucketLayer};
    use http_body_util::{BodyExt, Full};
    use std::{num::NonZeroUsize, time::Duration};
    use tower_egress_worker::{Fetch, WorkerTimer};
    use tower_layer::Layer;
    use tower_service::Service;

    let said = |error: tower_egress::BoxError| Error::from(error.to_string());
    let asked = http::Request::get(target(&request));
    let asked = asked.body(Full::<Bytes>::default());
    let asked = asked.map_err(|error| said(error.into()))?;
    let timer = WorkerTimer::new();
    let client = Fetch::new();
    #[cfg(feature = "timeout")]
    let client = TimeoutLayer::new(timer)
        .with_timeout(Duration::from_secs(30))
        .layer(client);
    #[cfg(feature = "concurrency-limit")]
    let client = ConcurrencyLimitLayer::new(NonZeroUsize::MIN, timer).layer(client);
    #[cfg(feature = "body-cleanup")]
    let client = BodyCleanupLayer::new(timer).layer(client);
    #[cfg(feature = "token-bucket")]
    let client = {
        let quota = Quota::new(60, Duration::from_secs(60)).map_err(|error| said(error.into()))?;
        TokenBucketLayer::new(Bucket::new(quota), timer).layer(client)
    };
    #[cfg(feature = "backoff")]
    let client = BackoffLayer::new(timer).layer(client);
    #[cfg(feature = "deadline")]
    let client = DeadlineLayer::new(timer)
        .with_total(Duration::from_secs(60))
        .layer(client);
    #[cfg(feature = "timing")]
    let client = TimingLayer::new(timer, Recorder::unlabelled()).layer(client);
    let mut client = client;
    std::future::poll_fn(|cx| Service::<http::Request<Full<Bytes>>>::poll_ready(&mut client, cx))
        .await
        .map_err(|error| said(error.into()))?;
    let response = client.call(asked).await;
    let response = response.map_err(|error| said(error.into()))?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await;
    let length = body.map_err(|error| said(error.into()))?.to_bytes().len();
    Response::ok(format!("{status}, {length} bytes"))
}

#[cfg(feature = "egress")]
async fn answer(request: Request, env: &Env) -> Result<Response> {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use std::sync::LazyLock;
    use tower_egress::{Api, Egress, FetchExt, flags::Flags, sql::Database};
    use tower_egress_worker::{D1, Fetch, WorkerTimer, egress, status_response};
    use tower_service::Service;

    static EGRESS: LazyLock<Egress<WorkerTimer>> = LazyLock::new(|| {
        let builder = egress().api(Api::github()).api(Api::github_search());
        #[cfg(feature = "flags")]
        let builder = builder.flags(Flags::builder().layers().build());
        builder.build()
    });

    let said = |error: &dyn std::error::Error| Error::from(error.to_string());
    let mine = EGRESS.for_invocation();
    let url = &*target(&request);
    #[cfg(feature = "status")]
    if url.is_empty() {
        let status = status_response(&mine).map_err(|error| said(&error))?;
        return Response::ok(format!("{:?}", status.into_body()));
    }
    #[cfg(feature = "d1")]
    if url.is_empty() {
        let database = D1::from_env(env, "DB")?;
        let rows = database.all("SELECT name FROM repos".into()).await;
        return Response::ok(format!(
            "{} rows",
            rows.map_err(|error| said(&error))?.len()
        ));
    }
    let mut client = mine.layer(Fetch::new());
    #[cfg(feature = "text")]
    {
        let text = client.get(url).text().await;
        Response::ok(text.map_err(|error| said(&error))?)
    }
    #[cfg(all(feature = "json", not(feature = "text")))]
    {
        #[derive(serde::Deserialize)]
        struct Repo {
            full_name: String,
            stargazers_count: u64,
        }
        let repo = client.get(url).json::<Repo>().await;
        let repo = repo.map_err(|error| said(&error))?;
        Response::ok(format!("{}: {}", repo.full_name, repo.stargazers_count))
    }
    #[cfg(not(any(feature = "text", feature = "json")))]
    {
        let asked = http::Request::get(url).body(Full::<Bytes>::default());
        let asked = asked.map_err(|error| said(&error))?;
        let response = client.call(asked).await;
        let response = response.map_err(|error| Error::from(error.to_string()))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| Error::from(error.to_string()))?;
        Response::ok(format!("{status}, {} bytes", body.to_bytes().len()))
    }
}
