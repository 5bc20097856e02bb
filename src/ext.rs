//! The layers, one by one, in a plain `tower::ServiceBuilder`.

use egress_backoff::{BackoffLayer, Policy};
use egress_body_cleanup::BodyCleanupLayer;
use egress_concurrency_limit::ConcurrencyLimitLayer;
use egress_timeout::{DeadlineLayer, TimeoutLayer};
use egress_timing::{Recorder, TimingLayer};
use egress_token_bucket::TokenBucketLayer;
use std::{num::NonZeroUsize, time::Duration};
use tower::{ServiceBuilder, layer::util::Stack};

/// Adds a method for each of our layers to [`tower::ServiceBuilder`], for those who want some of them.
///
/// A builder's first layer is the outermost. An [`Egress`](crate::Egress) puts them in this order; if you do it yourself,
/// keep it (ARCHITECTURE.md says what each wrong order breaks):
///
/// ```
/// use bytes::Bytes;
/// use egress_time::ManualTimer;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use std::{num::NonZeroUsize, time::Duration};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_egress::{Bucket, Quota, ServiceBuilderExt};
///
/// let timer = ManualTimer::new(); // natively `TokioTimer::new()`
/// let bucket = Bucket::new(Quota::new(10, Duration::from_secs(1))?);
/// let client = ServiceBuilder::new()
///     .request_deadline(Duration::from_secs(60), timer.clone())
///     .backoff(timer.clone())
///     .token_bucket(bucket, timer.clone())
///     .body_cleanup(timer.clone())
///     .in_flight_limit(NonZeroUsize::new(6).unwrap(), timer.clone())
///     .attempt_timeout(Duration::from_secs(10), timer.clone())
///     .service(service_fn(|_| async { Ok::<_, tower::BoxError>(Response::new(Full::<Bytes>::from("hello"))) }));
///
/// let response = timer.run(client.oneshot(Request::new(Full::<Bytes>::default())))?;
/// assert_eq!(response.status(), 200);
/// # Ok::<_, tower::BoxError>(())
/// ```
pub trait ServiceBuilderExt<L> {
    /// Measures the phases of each request; see [`egress_timing`].
    fn timing<T>(self, recorder: Recorder, timer: T) -> ServiceBuilder<Stack<TimingLayer<T>, L>>;

    /// Bounds each request with all its waits and attempts; see [`egress_timeout`].
    fn request_deadline<T>(
        self,
        total: Duration,
        timer: T,
    ) -> ServiceBuilder<Stack<DeadlineLayer<T>, L>>;

    /// Retries with the default policy and a budget of its own; see [`egress_backoff`].
    fn backoff<T>(self, timer: T) -> ServiceBuilder<Stack<BackoffLayer<Policy, T>, L>>;

    /// Paces requests by the buckets that `route` finds for each; see [`egress_token_bucket`].
    fn token_bucket<R, T>(
        self,
        route: R,
        timer: T,
    ) -> ServiceBuilder<Stack<TokenBucketLayer<R, T>, L>>;

    /// Lets no response keep a connection longer than it is read; see [`egress_body_cleanup`].
    fn body_cleanup<B, T>(self, timer: T) -> ServiceBuilder<Stack<BodyCleanupLayer<B, T>, L>>;

    /// Lets at most `limit` requests be in flight, to the end of their bodies; see [`egress_concurrency_limit`].
    fn in_flight_limit<T: egress_time::Clock>(
        self,
        limit: NonZeroUsize,
        timer: T,
    ) -> ServiceBuilder<Stack<ConcurrencyLimitLayer<T>, L>>;

    /// Bounds each attempt from its dispatch to the response's headers; see [`egress_timeout`].
    fn attempt_timeout<T>(
        self,
        timeout: Duration,
        timer: T,
    ) -> ServiceBuilder<Stack<TimeoutLayer<T>, L>>;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    fn timing<T>(self, recorder: Recorder, timer: T) -> ServiceBuilder<Stack<TimingLayer<T>, L>> {
        self.layer(TimingLayer::new(timer, recorder))
    }

    fn request_deadline<T>(
        self,
        total: Duration,
        timer: T,
    ) -> ServiceBuilder<Stack<DeadlineLayer<T>, L>> {
        self.layer(DeadlineLayer::new(timer).with_total(total))
    }

    fn backoff<T>(self, timer: T) -> ServiceBuilder<Stack<BackoffLayer<Policy, T>, L>> {
        self.layer(BackoffLayer::new(timer))
    }

    fn token_bucket<R, T>(
        self,
        route: R,
        timer: T,
    ) -> ServiceBuilder<Stack<TokenBucketLayer<R, T>, L>> {
        self.layer(TokenBucketLayer::new(route, timer))
    }

    fn body_cleanup<B, T>(self, timer: T) -> ServiceBuilder<Stack<BodyCleanupLayer<B, T>, L>> {
        self.layer(BodyCleanupLayer::new(timer))
    }

    fn in_flight_limit<T: egress_time::Clock>(
        self,
        limit: NonZeroUsize,
        timer: T,
    ) -> ServiceBuilder<Stack<ConcurrencyLimitLayer<T>, L>> {
        self.layer(ConcurrencyLimitLayer::new(limit, timer))
    }

    fn attempt_timeout<T>(
        self,
        timeout: Duration,
        timer: T,
    ) -> ServiceBuilder<Stack<TimeoutLayer<T>, L>> {
        self.layer(TimeoutLayer::new(timer).with_timeout(timeout))
    }
}
