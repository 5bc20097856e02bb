//! The layers of others.

use crate::{
    calls::add,
    ours::{CONCURRENCY, RATE, TIMEOUT},
};
use bench::{Entry, Meter, Origin};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::{
    convert::Infallible,
    future::{Ready, ready},
    time::Duration,
};
use tower::{
    limit::{ConcurrencyLimitLayer, RateLimitLayer},
    retry::{Policy, RetryLayer},
    timeout::TimeoutLayer,
};
use tower_http::trace::TraceLayer;
use tower_layer::Layer;
use tower_resilience_bulkhead::BulkheadLayer;
use tower_resilience_ratelimiter::RateLimiterLayer;

const SECOND: Duration = Duration::from_secs(1);

/// Retries server errors, which there are none of, at once and for ever.
#[derive(Clone, Debug)]
struct ServerErrors;

impl<B: Clone, R, E> Policy<Request<B>, Response<R>, E> for ServerErrors {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<B>,
        result: &mut Result<Response<R>, E>,
    ) -> Option<Ready<()>> {
        match result {
            Ok(response) if response.status().is_server_error() => Some(ready(())),
            _ => None,
        }
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

fn rate_limiter() -> RateLimiterLayer {
    RateLimiterLayer::builder()
        .limit_for_period(usize::try_from(RATE).expect("there are 32 bits"))
        .refresh_period(SECOND)
        .build()
        .expect("a valid limit")
}

/// Adds each layer by itself.
pub(crate) fn layers(meter: &mut Meter, origin: &Origin) {
    meter.section("One layer of others");
    let origin = || origin.clone();
    let concurrency = ConcurrencyLimitLayer::new(CONCURRENCY.get());
    add(
        meter,
        "tower concurrency limit",
        concurrency.layer(origin()),
    );
    let bulkhead = BulkheadLayer::builder()
        .max_concurrent_calls(CONCURRENCY.get())
        .backpressure()
        .build()
        .expect("a valid limit");
    add(meter, "tower-resilience bulkhead", bulkhead.layer(origin()));
    let rate = RateLimitLayer::new(RATE.into(), SECOND);
    add(
        meter,
        "tower rate limit, not shared by clones",
        rate.layer(origin()),
    );
    add(
        meter,
        "tower-resilience rate limiter, fixed window",
        rate_limiter().layer(origin()),
    );
    let retry = RetryLayer::new(ServerErrors);
    add(meter, "tower retry", retry.layer(origin()));
    let retry = tower_resilience_retry::RetryLayer::<
        Request<Full<Bytes>>,
        Response<Full<Bytes>>,
        Infallible,
    >::builder()
    .max_attempts(4)
    .exponential_backoff(Duration::from_millis(100))
    .build();
    add(meter, "tower-resilience retry", retry.layer(origin()));
    let timeout = TimeoutLayer::new(TIMEOUT);
    add(meter, "tower timeout", timeout.layer(origin()));
    let trace = TraceLayer::new_for_http();
    add(
        meter,
        "tower-http trace, no subscriber",
        trace.layer(origin()),
    );
}

/// Adds the nearest stack of published parts.
pub(crate) fn stack(meter: &mut Meter, origin: &Origin) -> Entry {
    let attempt = TimeoutLayer::new(TIMEOUT).layer(origin.clone());
    let limited = ConcurrencyLimitLayer::new(CONCURRENCY.get()).layer(attempt);
    let paced = rate_limiter().layer(limited);
    let retried = RetryLayer::new(ServerErrors).layer(paced);
    let traced = TraceLayer::new_for_http().layer(retried);
    add(
        meter,
        "peers: trace, retry, rate, concurrency, timeout",
        traced,
    )
}
