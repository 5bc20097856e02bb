//! One layer by itself, in a plain `tower::ServiceBuilder`: at most three requests in flight, counted to the end of
//! their bodies.
//!
//! ```text
//! cargo run --example one_layer
//! ```

use bytes::Bytes;
use egress_concurrency_limit::{ConcurrencyLimitLayer, Limiter};
use egress_time::{SleepUntil, Timer, TokioTimer};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::{convert::Infallible, num::NonZeroUsize, time::Duration};
use tower::{Service, ServiceBuilder, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tower_egress::BoxError> {
    let timer = TokioTimer::new();
    let limiter = Limiter::new(NonZeroUsize::new(3).ok_or("three is not zero")?, timer);
    let service = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::with_limiter(limiter.clone()))
        .service_fn(move |request| answer(request, timer));

    let mut requests = tokio::task::JoinSet::new();
    for number in 1..=8 {
        let mut service = service.clone();
        let limiter = limiter.clone();
        requests.spawn(async move {
            let request = Request::get(format!("/{number}")).body(())?;
            let response = service.ready().await?.call(request).await?;
            let stats = limiter.stats();
            println!(
                "{} has its headers; in flight {}, waiting {}",
                response.headers()["x-path"].to_str()?,
                stats.in_flight,
                stats.queued
            );
            // The permit goes back here, when the body has been read, and not before.
            response.into_body().collect().await?;
            Ok::<_, tower_egress::BoxError>(())
        });
    }
    while let Some(result) = requests.join_next().await {
        result??;
    }
    let stats = limiter.stats();
    println!(
        "served {}, at most {} at once, {:.1} on average",
        stats.served,
        stats.peak_in_flight,
        stats.mean_in_flight()
    );
    assert!(stats.peak_in_flight <= 3);
    Ok(())
}

/// A server that takes 20 ms.
async fn answer(
    request: Request<()>,
    timer: impl Timer,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let done = timer.now() + Duration::from_millis(20);
    SleepUntil::new(timer, done).await;
    let mut response = Response::new(Full::from("a body"));
    if let Ok(path) = request.uri().path().parse() {
        response.headers_mut().insert("x-path", path);
    }
    Ok(response)
}
