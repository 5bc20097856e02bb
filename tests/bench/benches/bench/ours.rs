//! Our layers.

use crate::calls::add;
use bench::{Entry, Meter, Origin};
use egress_backoff::BackoffLayer;
use egress_body_cleanup::BodyCleanupLayer;
use egress_concurrency_limit::{ConcurrencyLimitLayer, Config, Limiter, ReleaseAt};
use egress_time::TokioTimer;
use egress_timeout::{DeadlineLayer, TimeoutLayer};
use egress_timing::{Recorder, TimingLayer};
use egress_token_bucket::{Bucket, Quota, TokenBucketLayer};
use http::{Method, Uri};
use std::{num::NonZeroUsize, time::Duration};
use tower_egress::{Api, Egress, EgressBuilder};
use tower_layer::Layer;

/// How many requests may be in flight, here and with the peers.
pub(crate) const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");
/// How long anything may take, here and with the peers.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// How many calls there may be in a second, here and with the peers: more than can be made.
pub(crate) const RATE: u32 = 1_000_000_000;

/// Returns a quota that nobody ever waits for.
pub(crate) fn quota() -> Quota {
    Quota::new(RATE, Duration::from_secs(1)).expect("that is one in a nanosecond")
}

/// Starts an egress with everything on, but for what is never waited for.
pub(crate) fn egress() -> EgressBuilder<TokioTimer> {
    let api = Api::new("github").with_host("api.github.com");
    Egress::builder()
        .concurrency(CONCURRENCY.get())
        .deadline(TIMEOUT)
        .api(api.with_quota(quota()))
}

const fn timer() -> TokioTimer {
    TokioTimer::new()
}

fn concurrency(release_at: ReleaseAt) -> ConcurrencyLimitLayer<TokioTimer> {
    let config = Config::new().with_release_at(release_at);
    ConcurrencyLimitLayer::with_limiter(Limiter::with_config(CONCURRENCY, config, timer()))
}

fn bucket() -> TokenBucketLayer<Bucket, TokioTimer> {
    let bucket = Bucket::builder(quota()).wakeups(true).build();
    TokenBucketLayer::new(bucket, timer())
}

/// Finds the label of a request.
type FindLabel = fn(&Method, &Uri) -> Option<usize>;

fn timing() -> TimingLayer<TokioTimer, FindLabel> {
    TimingLayer::new(timer(), Recorder::new(["github"])).with_label(|_, _| Some(0))
}

/// Adds each layer by itself.
pub(crate) fn layers(meter: &mut Meter, origin: &Origin, telling: &Origin) {
    meter.section("One layer of ours");
    let origin = || origin.clone();
    let to_headers = concurrency(ReleaseAt::Headers).layer(origin());
    add(meter, "concurrency limit, to headers", to_headers);
    let to_body_end = concurrency(ReleaseAt::BodyEnd).layer(origin());
    add(meter, "concurrency limit, to the body's end", to_body_end);
    add(meter, "token bucket", bucket().layer(origin()));
    let told = bucket().layer(telling.clone());
    add(meter, "token bucket, headers of a rate limit", told);
    let backoff = BackoffLayer::new(timer());
    add(meter, "backoff", backoff.layer(origin()));
    let cleanup = BodyCleanupLayer::new(timer());
    add(meter, "body cleanup", cleanup.layer(origin()));
    let cleanup = BodyCleanupLayer::new(timer()).with_idle_timeout(None);
    add(
        meter,
        "body cleanup, no idle timeout",
        cleanup.layer(origin()),
    );
    let timeout = TimeoutLayer::new(timer()).with_timeout(TIMEOUT);
    add(meter, "attempt timeout", timeout.layer(origin()));
    let deadline = DeadlineLayer::new(timer()).with_total(TIMEOUT);
    add(meter, "deadline", deadline.layer(origin()));
    add(meter, "timing", timing().layer(origin()));
}

/// Adds those of our layers that do what the peers' stack does, and no more than that.
pub(crate) fn same_jobs(meter: &mut Meter, origin: &Origin) -> Entry {
    let attempt = TimeoutLayer::new(timer()).with_timeout(TIMEOUT);
    let stack = attempt.with_body_idle(Duration::MAX).layer(origin.clone());
    let stack = bucket().layer(concurrency(ReleaseAt::Headers).layer(stack));
    let stack = timing().layer(BackoffLayer::new(timer()).layer(stack));
    add(
        meter,
        "ours: timing, backoff, bucket, concurrency, timeout",
        stack,
    )
}

/// Adds the stack as it grows from the transport outwards.
pub(crate) fn growing(meter: &mut Meter, origin: &Origin) {
    meter.section("Our stack, growing");
    let attempt = TimeoutLayer::new(timer()).with_timeout(TIMEOUT);
    let stack = attempt.layer(origin.clone());
    add(meter, "attempt timeout", stack.clone());
    let stack = concurrency(ReleaseAt::BodyEnd).layer(stack);
    add(
        meter,
        "+ concurrency limit, to the body's end",
        stack.clone(),
    );
    let stack = BodyCleanupLayer::new(timer()).layer(stack);
    add(meter, "+ body cleanup", stack.clone());
    let stack = bucket().layer(stack);
    add(meter, "+ token bucket", stack.clone());
    let stack = BackoffLayer::new(timer()).layer(stack);
    add(meter, "+ backoff", stack.clone());
    let stack = DeadlineLayer::new(timer()).with_total(TIMEOUT).layer(stack);
    add(meter, "+ deadline", stack.clone());
    add(meter, "+ timing", timing().layer(stack));
}
