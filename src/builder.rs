//! Setting up an egress.

use crate::{
    Api, Egress,
    apis::ApisBuilder,
    classify,
    flags::Flags,
    switch::{Decide, Switches},
};
use egress_backoff::{Budget, Policy};
use egress_body_cleanup::{Capture, Drain, NoExecutor};
use egress_concurrency_limit::{Config, ReleaseAt};
use egress_time::Timer;
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

/// Sets up an [`Egress`].
///
/// # Defaults
///
/// - 6 requests in flight, counted to the end of the body; 30 s in the queue for a connection
/// - no API: every request is one of [`Api::external`] unless [`otherwise`](Self::otherwise) says something else
/// - 65 s in the queue for a rate limit, and 65 s of wait if a server asks for it: most limits count in windows of a
///   minute, a server that rounds its answer up asks for 61 s, and what is refused a second too early is lost
/// - 3 retries, as in [`Policy`], with [`classify`] for the transport's errors
/// - 30 s for one attempt to its headers, no deadline for the whole
/// - error bodies captured up to 8 KiB, small rests of bodies drained, bodies that nobody reads for 20 s cancelled when
///   somebody waits for a connection
///
/// ```
/// use egress_time::ManualTimer;
/// use std::time::Duration;
/// use tower_egress::{Api, Egress};
///
/// let egress = Egress::builder_on(ManualTimer::new()) // natively `Egress::builder()`
///     .concurrency(6)
///     .api(Api::github())
///     .otherwise(Api::external())
///     .attempt_timeout(Duration::from_secs(10))
///     .deadline(Duration::from_secs(120))
///     .build();
/// assert_eq!(egress.status().connections.limit, 6);
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct EgressBuilder<T, X = NoExecutor> {
    pub(crate) timer: T,
    pub(crate) executor: Option<X>,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) connections: Config,
    pub(crate) apis: ApisBuilder,
    pub(crate) budget: Budget,
    pub(crate) attempt_timeout: Duration,
    pub(crate) attempt_covers_body: bool,
    pub(crate) body_stall: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) drain: Drain,
    pub(crate) capture: Capture,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) switches: Option<Arc<dyn Decide>>,
}

/// How long is waited for a rate limit: as long as a [`Policy`] waits because a server asks for it.
const MAX_WAIT: Duration = Duration::from_secs(65);

impl<T: Timer> EgressBuilder<T> {
    pub(crate) fn new(timer: T) -> Self {
        let mut apis = ApisBuilder::new();
        apis.max_wait(MAX_WAIT);
        apis.policy(Policy::new().with_default_classify(classify));
        Self {
            timer,
            executor: None,
            concurrency: NonZeroUsize::new(6).unwrap_or(NonZeroUsize::MIN),
            connections: Config::new(),
            apis,
            budget: Budget::default(),
            attempt_timeout: Duration::from_secs(30),
            attempt_covers_body: false,
            body_stall: Some(Duration::from_secs(30)),
            deadline: None,
            drain: Drain::new(),
            capture: Capture::new(),
            idle_timeout: Some(Duration::from_secs(20)),
            switches: None,
        }
    }
}

impl<T: Timer, X> EgressBuilder<T, X> {
    /// Sets how many requests may be in flight: a `NonZeroUsize`, or a number.
    ///
    /// # Panics
    ///
    /// If it is a number and that is zero.
    pub fn concurrency(mut self, limit: impl TryInto<NonZeroUsize>) -> Self {
        let limit = limit.try_into().ok();
        self.concurrency = limit.expect("a concurrency of 0 lets nothing through");
        self
    }

    /// Sets when a request is no longer in flight: at its headers, as Cloudflare Workers count, or at the end of its body.
    pub fn release_at(mut self, release_at: ReleaseAt) -> Self {
        self.connections = self.connections.with_release_at(release_at);
        self
    }

    /// Sets how long a request waits for a connection at most; `None` means for ever.
    pub fn queue_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.connections = self.connections.with_queue_timeout(timeout.into());
        self
    }

    /// Sets everything about the wait for a connection at once.
    pub fn connections(mut self, config: Config) -> Self {
        self.connections = config;
        self
    }

    /// Adds an API.
    pub fn api(mut self, api: Api) -> Self {
        self.apis.add(api);
        self
    }

    /// Sets the API of every request that belongs to no other.
    pub fn otherwise(mut self, api: Api) -> Self {
        self.apis.otherwise(api);
        self
    }

    /// Sets how long a request waits for its rate limit at most. If the wait is known to be longer, it is refused at once.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.apis.max_wait(wait);
        self
    }

    /// Wakes whoever waits for a rate limit as soon as their turn comes earlier, instead of letting them look now and then.
    ///
    /// For programs in one runtime, where it is set for [`Egress::builder`]. Not for state that several requests of a Worker share.
    pub fn wakeups(mut self, wakeups: bool) -> Self {
        self.apis.wakeups(wakeups);
        self
    }

    /// Sets the rules for retrying. Each API adds its own dialect and statuses to them.
    ///
    /// Where they do not say how errors are classified, [`classify`] does it.
    pub fn retry(mut self, policy: Policy) -> Self {
        self.apis.policy(policy.with_default_classify(classify));
        self
    }

    /// Sets the retry budget, which can be shared with another egress.
    pub fn retry_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets how long one attempt may take from its dispatch to the response's headers; `None` means for ever.
    pub fn attempt_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        // Longer than any clock runs: the layer sets no timer for it.
        self.attempt_timeout = timeout.into().unwrap_or(Duration::MAX);
        self
    }

    /// Lets the attempt timeout cover the response's body too, instead of only the time to its headers.
    ///
    /// For small replies: a server that sends a byte now and then never stalls, and holds a connection for as long as it
    /// likes.
    pub fn attempt_covers_body(mut self) -> Self {
        self.attempt_covers_body = true;
        self
    }

    /// Sets how long a body that is being read may go without a frame; `None` means for ever.
    pub fn body_stall_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.body_stall = timeout.into();
        self
    }

    /// Sets how long a whole request may take: waits, attempts and body together; `None` means for ever.
    pub fn deadline(mut self, total: impl Into<Option<Duration>>) -> Self {
        self.deadline = total.into();
        self
    }

    /// Sets how much is read of a body that is dropped before its end.
    pub fn drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// Sets whose body is read ahead, and how much of it.
    pub fn capture(mut self, capture: Capture) -> Self {
        self.capture = capture;
        self
    }

    /// Sets how long a body may go unread before it can be cancelled; `None` means for ever.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// Hands in an executor for draining bodies in the background, so that their connections can be used again.
    ///
    /// With tokio that is [`TokioExecutor`](crate::TokioExecutor), and bodies must be `Send + 'static` then.
    pub fn executor<Y>(self, executor: Y) -> EgressBuilder<T, Y> {
        EgressBuilder {
            timer: self.timer,
            executor: Some(executor),
            concurrency: self.concurrency,
            connections: self.connections,
            apis: self.apis,
            budget: self.budget,
            attempt_timeout: self.attempt_timeout,
            attempt_covers_body: self.attempt_covers_body,
            body_stall: self.body_stall,
            deadline: self.deadline,
            drain: self.drain,
            capture: self.capture,
            idle_timeout: self.idle_timeout,
            switches: self.switches,
        }
    }

    /// Hands in flags, of which those with the names of a [`Switch`](crate::Switch) switch a part of the stack off, for all requests or a share of them.
    ///
    /// They are asked for each request when it is called. Who is in a share, a [`FlagKey`](crate::flags::FlagKey) in its extensions
    /// says, or else each request is counted for itself. How those fare for whom a flag is on, and the rest, is
    /// [compared](crate::flags#gradual-rollout) by the time to the head of the response, and by whether there was one: an error, a 5xx, a 429, a
    /// 408 and a request that was given up count as failures.
    ///
    /// ```
    /// use tower_egress::{Egress, flags::{Config, Flags}};
    ///
    /// let flags = Flags::builder().layers().build();
    /// let egress = Egress::builder().flags(flags.clone()).build();
    /// // Later, of one request in ten:
    /// flags.apply_json(r#"{"retries": 90}"#)?;
    /// assert_eq!(egress.status().flags.flags["retries"].percent.round(), 90.0);
    /// # Ok::<_, tower_egress::flags::InvalidConfig>(())
    /// ```
    pub fn flags(mut self, flags: Flags) -> Self {
        self.switches = Some(Arc::new(Switches::new(flags)));
        self
    }

    /// Makes the egress.
    ///
    /// # Panics
    ///
    /// If two APIs have the same name, or one is [within](Api::within) an API that was not added or within itself.
    pub fn build(self) -> Egress<T, X> {
        Egress::from_builder(self)
    }
}
