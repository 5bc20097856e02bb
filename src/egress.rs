//! The shared handles of a stack.

use crate::{
    EgressBuilder, EgressService, ErrorKind, Status, Switch,
    apis::Apis,
    service::{self, Cleanup},
    switch::{Decide, Off},
};
use egress_backoff::Budget;
use egress_body_cleanup::{Capture, Drain, IdleCancelled, NoExecutor, Stats, Truncated};
use egress_concurrency_limit::{ConcurrencyLimitError, Config, Limiter};
use egress_time::Timer;
use egress_timeout::TimedOut;
use egress_timing::{Recorder, Snapshot, Tally};
use egress_token_bucket::{RateLimited, Reason};
use std::{error::Error as StdError, fmt, num::NonZeroUsize, sync::Arc, time::Duration};
use tower_layer::Layer;

/// Everything that the stacks around one or several clients share: rate limits, connection limit, retry budget, measurements.
///
/// Cheap to clone; clones share it all. [`Egress::layer`] puts the stack around a client.
///
/// # Example
///
/// ```
/// use egress_time::ManualTimer;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower_egress::{Api, BoxError, Egress, FetchExt};
///
/// # let timer = ManualTimer::new();
/// # let http_client = tower::service_fn(|_| async {
/// #     Ok::<_, BoxError>(Response::new(Full::from("\"hello\"")))
/// # });
/// let egress = Egress::builder_on(timer.clone()) // natively `Egress::builder()`
///     .concurrency(6)
///     .api(Api::github())
///     .api(Api::github_search())
///     .otherwise(Api::external())
///     .build();
/// let client = egress.layer(http_client);
/// # timer.clone().run(async {
/// let hello: String = client.get("https://api.github.com/zen").json().await?;
/// # assert_eq!(hello, "hello");
/// # Ok::<_, tower_egress::Error>(()) }).unwrap();
/// assert_eq!(egress.status().rate_limits["github"].departed, 1);
/// ```
pub struct Egress<T, X = NoExecutor> {
    pub(crate) handles: Handles<T, X>,
}

/// The handles; what is behind each is shared by its clones.
pub(crate) struct Handles<T, X> {
    pub(crate) timer: T,
    pub(crate) executor: Option<X>,
    pub(crate) apis: Apis,
    pub(crate) limiter: Limiter<T>,
    pub(crate) budget: Budget,
    pub(crate) recorder: Recorder,
    pub(crate) bodies: Stats,
    pub(crate) settings: Settings,
    pub(crate) switches: Option<Arc<dyn Decide>>,
    /// For requests that the connection limit is switched off for.
    pub(crate) unlimited: Option<Limiter<T>>,
}

/// What is only read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) attempt_timeout: Duration,
    pub(crate) attempt_covers_body: bool,
    pub(crate) body_stall: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) drain: Drain,
    pub(crate) capture: Capture,
    pub(crate) idle_timeout: Option<Duration>,
}

#[cfg(feature = "tokio")]
impl Egress<egress_time::TokioTimer> {
    /// Starts to set up an egress on tokio's clock.
    pub fn builder() -> EgressBuilder<egress_time::TokioTimer> {
        EgressBuilder::new(egress_time::TokioTimer::new()).wakeups(true)
    }
}

impl<T: Timer> Egress<T> {
    /// Starts to set up an egress on another clock: a Worker's, or a test's.
    pub fn builder_on(timer: T) -> EgressBuilder<T> {
        EgressBuilder::new(timer)
    }
}

impl<T: Timer, X> Egress<T, X> {
    pub(crate) fn from_builder(builder: EgressBuilder<T, X>) -> Self {
        let apis = builder.apis.build();
        let recorder = Recorder::new(apis.names());
        let (limit, timer) = (builder.concurrency, builder.timer.clone());
        let unlimited = builder.switches.as_ref();
        let unlimited = unlimited.map(|_| no_limit(builder.connections, builder.timer.clone()));
        Self {
            handles: Handles {
                switches: builder.switches,
                unlimited,
                limiter: Limiter::with_config(limit, builder.connections, timer),
                timer: builder.timer,
                executor: builder.executor,
                apis,
                budget: builder.budget,
                recorder,
                bodies: Stats::new(),
                settings: Settings {
                    attempt_timeout: builder.attempt_timeout,
                    attempt_covers_body: builder.attempt_covers_body,
                    body_stall: builder.body_stall,
                    deadline: builder.deadline,
                    drain: builder.drain,
                    capture: builder.capture,
                    idle_timeout: builder.idle_timeout,
                },
            },
        }
    }

    /// Returns the egress for one invocation of a Worker, or for one Durable Object: with a connection limit and [a timer](Timer::for_invocation) of its own,
    /// and all else shared.
    ///
    /// The platform counts connections for each invocation, and a wait list of wakers must not be shared between them. The figures
    /// of the connection limit are this invocation's, then.
    #[must_use]
    pub fn for_invocation(&self) -> Self
    where
        X: Clone,
    {
        let mut handles = self.handles.clone();
        let old = &self.handles.limiter;
        handles.timer = old.timer().for_invocation();
        handles.limiter = Limiter::with_config(old.limit(), *old.config(), handles.timer.clone());
        let unlimited = &mut handles.unlimited;
        *unlimited = unlimited
            .take()
            .map(|old| no_limit(*old.config(), handles.timer.clone()));
        Self { handles }
    }

    /// Returns the limiter of the connections: to change its limit, or to see who holds them.
    pub fn connections(&self) -> &Limiter<T> {
        &self.handles.limiter
    }

    /// Returns what was measured until now: percentiles of each phase, by API.
    pub fn timings(&self) -> Snapshot {
        self.handles.recorder.snapshot(self.handles.timer.now())
    }

    /// Makes a tally: it counts what one piece of work asks through services that are [told of it](EgressService::with_tally), by API.
    pub fn tally(&self) -> Tally {
        self.handles.recorder.tally()
    }

    /// Lets no request of an API depart for so long, those that wait included, and then one alone until it has succeeded: as if the
    /// server had said so. A pause that is shorter than the present one changes nothing. Returns whether an API with a quota has
    /// this name.
    ///
    /// For what only the program knows: that it was restarted, and what its predecessor has used or was told.
    ///
    /// ```
    /// use egress_time::ManualTimer;
    /// use std::time::Duration;
    /// use tower_egress::{Api, Egress};
    ///
    /// let egress = Egress::builder_on(ManualTimer::new()).api(Api::github()).build();
    /// assert!(egress.pause_for("github", Duration::from_secs(60)));
    /// assert_eq!(egress.status().rate_limits["github"].paused_for_ms, Some(60_000.0));
    /// assert!(!egress.pause_for("gitlab", Duration::from_secs(60)));
    /// ```
    pub fn pause_for(&self, api: &str, duration: Duration) -> bool {
        let now = self.handles.timer.now();
        let mut buckets = self.handles.apis.buckets();
        let bucket = buckets.find(|(name, _)| *name == api);
        bucket
            .map(|(_, bucket)| bucket.pause_for(duration, now))
            .is_some()
    }

    /// Returns a report of what it is doing and has done. It takes no lock for longer than a request does.
    pub fn status(&self) -> Status {
        Status::of(&self.handles)
    }
}

impl<T: Timer, X: Clone> Egress<T, X> {
    /// Puts the whole stack around a client: any `Service<http::Request<_>, Response = http::Response<_>>`.
    ///
    /// `B`, the body of the client's responses, is inferred.
    ///
    /// Call it once and clone the service: all limits are shared with other services of this egress, but a caller that waits for a connection takes
    /// it only from a forgotten body of the same service and its clones. Services that are to share that too are made by one
    /// [`EgressLayer`].
    pub fn layer<S, B>(&self, client: S) -> EgressService<S, B, T, X> {
        service::service(&self.handles, &service::cleanup(&self.handles), client)
    }

    /// Returns this as a [`tower::Layer`], for a `ServiceBuilder`.
    ///
    /// It is a type of its own because a layer must know the body of the client's responses: see the documentation of
    /// [`egress_body_cleanup`].
    pub fn to_layer<B>(&self) -> EgressLayer<B, T, X> {
        EgressLayer {
            cleanup: service::cleanup(&self.handles),
            egress: self.clone(),
        }
    }
}

impl<T: Clone, X: Clone> Clone for Egress<T, X> {
    fn clone(&self) -> Self {
        Self {
            handles: self.handles.clone(),
        }
    }
}

impl<T: Clone, X: Clone> Clone for Handles<T, X> {
    fn clone(&self) -> Self {
        Self {
            timer: self.timer.clone(),
            executor: self.executor.clone(),
            apis: self.apis.clone(),
            limiter: self.limiter.clone(),
            budget: self.budget.clone(),
            recorder: self.recorder.clone(),
            bodies: self.bodies.clone(),
            settings: self.settings,
            switches: self.switches.clone(),
            unlimited: self.unlimited.clone(),
        }
    }
}

impl<T, X> fmt::Debug for Egress<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("apis", &self.handles.apis)
            .field("settings", &self.handles.settings)
            .finish_non_exhaustive()
    }
}

/// Makes a limiter that only counts.
fn no_limit<T: Timer>(config: Config, timer: T) -> Limiter<T> {
    Limiter::with_config(NonZeroUsize::MAX, config, timer)
}

impl<T: Timer, X> Handles<T, X> {
    /// Returns handles for a stack in which something is off.
    pub(crate) fn without(&self, off: Off) -> Self
    where
        X: Clone,
    {
        let mut handles = self.clone();
        handles.apis = self.apis.without(off);
        if let Some(unlimited) = &self.unlimited
            && off.has(Switch::ConnectionLimit)
        {
            handles.limiter = unlimited.clone();
        }
        if off.has(Switch::Cleanup) {
            handles.executor = None;
            handles.settings.drain = Drain::NEVER;
            handles.settings.capture = Capture::NEVER;
            handles.settings.idle_timeout = None;
        }
        if off.has(Switch::Timeouts) {
            handles.settings.attempt_timeout = Duration::MAX;
            handles.settings.body_stall = None;
        }
        if off.has(Switch::Deadline) {
            handles.settings.deadline = None;
        }
        if off.has(Switch::Timing) {
            handles.recorder = Recorder::unlabelled();
        }
        handles
    }
}

/// Tells what an error of one of the layers means to a caller.
pub(crate) fn kind_of_layer_error(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    use egress_timeout::Bound;
    if let Some(limited) = error.downcast_ref::<RateLimited>() {
        return Some(match limited.reason {
            Reason::DeadlineTooSoon => ErrorKind::DeadlineExceeded,
            _ => ErrorKind::RateLimited {
                retry_after: limited.retry_after,
            },
        });
    }
    if error.is::<ConcurrencyLimitError>() {
        return Some(ErrorKind::Queue);
    }
    if let Some(timed_out) = error.downcast_ref::<TimedOut>() {
        return Some(match timed_out.bound() {
            Bound::Deadline => ErrorKind::DeadlineExceeded,
            _ => ErrorKind::TimedOut,
        });
    }
    (error.is::<Truncated>() || error.is::<IdleCancelled>()).then_some(ErrorKind::Body)
}

/// An [`Egress`] as a [`tower::Layer`]; see [`Egress::to_layer`].
///
/// The services that it makes share all, forgotten bodies included.
pub struct EgressLayer<B, T: Timer, X = NoExecutor> {
    egress: Egress<T, X>,
    cleanup: Cleanup<B, T, X>,
}

impl<S, B, T: Timer, X: Clone> Layer<S> for EgressLayer<B, T, X> {
    type Service = EgressService<S, B, T, X>;

    fn layer(&self, client: S) -> Self::Service {
        service::service(&self.egress.handles, &self.cleanup, client)
    }
}

/// Not derived: a clone needs no clone of a body.
impl<B, T: Timer, X: Clone> Clone for EgressLayer<B, T, X> {
    fn clone(&self) -> Self {
        Self {
            egress: self.egress.clone(),
            cleanup: self.cleanup.clone(),
        }
    }
}

impl<B, T: Timer, X> fmt::Debug for EgressLayer<B, T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EgressLayer").field(&self.egress).finish()
    }
}
