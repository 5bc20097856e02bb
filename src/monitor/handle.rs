//! The handle.

use super::{
    Crossing, Limits, OTHER, Operation, Outcome, Report, Run, Running, Sample, Warning,
    shared::Shared,
};
use egress_time::{Clock, Timer};
use std::{fmt, sync::Arc, time::Duration};

/// How many operations are told apart that are not [set up](Monitor::operation), unless said otherwise.
pub const DEFAULT_MAX_OPERATIONS: usize = 64;

/// After how long a run counts as lost that has not ended, unless said otherwise.
pub const DEFAULT_FORGET_AFTER: Duration = Duration::from_secs(3600);

/// Watches operations and what they use; see [the module](super).
///
/// A handle: clones are cheap and share everything. It is `Send` and `Sync` where its clock is, and holds no waker, so it may
/// be kept in a static, in a Worker as well.
///
/// # Defaults
///
/// - 64 operations beside those that are [set up](Self::operation)
/// - a run that has not ended counts as lost after one hour
/// - no limits
///
/// # Cost
///
/// A run takes one look-up by name, one short lock of its operation at the start and two locks at its end, and no allocation
/// but what the list of running ones needs now and then. Whoever reads a report holds these locks to copy a few handles only.
///
/// An operation needs 1 KiB, 4 KiB once it has run in each window of the last minute, and 512 bytes more for each power of two
/// among its durations, in each window: some 20 KiB in practice and 120 KiB at most, beside the checkpoints
/// of two runs.
///
/// ```
/// use tower_egress::monitor::{Limits, Monitor};
///
/// # let timer = egress_time::ManualTimer::new();
/// let monitor = Monitor::new(timer.clone()) // natively `TokioTimer::new()`
///     .with_limits(Limits::new().with_memory(256 << 20))
///     .with_max_operations(100);
/// let answer = timer.run(monitor.run("ask", async { Ok::<_, std::io::Error>(42) }));
/// assert_eq!(answer.unwrap().unwrap(), 42);
/// assert_eq!(monitor.report().operations["ask"].lifetime.count(), 1);
/// ```
#[derive(Clone)]
pub struct Monitor<C> {
    clock: C,
    shared: Arc<Shared>,
}

impl<C> Monitor<C> {
    /// Makes one on this clock; with a [`Timer`] it can also end what takes too long.
    pub fn new(clock: C) -> Self {
        let shared = Shared::new(DEFAULT_MAX_OPERATIONS, DEFAULT_FORGET_AFTER);
        Self {
            clock,
            shared: Arc::new(shared),
        }
    }

    /// Sets what must not be exceeded, for all clones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        self.set_limits(limits);
        self
    }

    /// Sets how many operations are told apart that are not [set up](Self::operation), for all clones. Runs of others count as
    /// `other`.
    #[must_use]
    pub fn with_max_operations(self, most: usize) -> Self {
        self.shared.set_max_operations(most);
        self
    }

    /// Sets after how long a run counts as lost that has not ended, for all clones.
    ///
    /// In a Worker nothing is dropped when an invocation is ended from outside; without this, what it had been doing would be
    /// running for ever. A run that ends later counts all the same, and is lost no more.
    #[must_use]
    pub fn with_forget_after(self, forget_after: Duration) -> Self {
        self.shared.set_forget_after(forget_after);
        self
    }

    /// Returns what must not be exceeded.
    pub fn limits(&self) -> Limits {
        self.shared.limits()
    }

    /// Sets what must not be exceeded, for all clones.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.set_limits(limits);
    }

    /// Returns the clock.
    pub const fn clock(&self) -> &C {
        &self.clock
    }

    /// Returns the warnings that nobody has taken yet, the oldest first, and forgets them.
    pub fn take_warnings(&self) -> Vec<Warning> {
        self.shared.take_warnings()
    }

    #[cfg(feature = "tracing")]
    pub(super) fn shares_with(&self, other: &Running<C>) -> bool
    where
        C: Clock,
    {
        other.is_of(&self.shared)
    }
}

impl<C: Clock + Clone> Monitor<C> {
    /// Sets up an operation, by a name that the program gives: names from outside belong into [`Monitor::start`], which bounds
    /// how many there can be. (Of these there can be 1024.)
    ///
    /// Of a name, the first 64 bytes count.
    pub fn operation(&self, name: &str) -> Operation<C> {
        self.named(name, true)
    }

    /// Begins a run of the operation with this name.
    pub fn start(&self, name: &str) -> Running<C> {
        self.met(name).start()
    }

    /// Runs a future as the operation with this name; see [`Operation::run`].
    pub fn run<F, O, E>(&self, name: &str, future: F) -> Run<F, C>
    where
        F: Future<Output = Result<O, E>>,
        C: Timer,
    {
        self.met(name).run(future)
    }

    /// Runs a future that cannot fail as the operation with this name; see [`Operation::time`].
    pub fn time<F: Future>(&self, name: &str, future: F) -> Run<F, C>
    where
        C: Timer,
    {
        self.met(name).time(future)
    }

    /// Counts a run of the operation with this name that somebody else has measured, as one that ended now.
    pub fn record(&self, name: &str, duration: Duration, outcome: Outcome) {
        self.met(name).record(duration, outcome);
    }

    fn met(&self, name: &str) -> Operation<C> {
        self.named(name, false)
    }

    fn named(&self, name: &str, declared: bool) -> Operation<C> {
        let series = self.shared.series(name, declared);
        let is_own = series.name() != OTHER || matches!(name, "" | OTHER);
        let shared = Arc::clone(&self.shared);
        Operation::new(self.clock.clone(), shared, series, is_own)
    }
}

impl<C: Clock> Monitor<C> {
    /// Samples what the process uses, and compares everything with its limits.
    ///
    /// It returns what is exceeded, and [warns](Self::take_warnings) of what was not when it was asked before. Call it now and
    /// then: natively every few seconds, in a Worker at the end of an invocation.
    pub fn check(&self) -> Vec<Crossing> {
        self.check_with(Sample::of_process())
    }

    /// Does the same with a sample that somebody else has taken.
    ///
    /// ```
    /// use tower_egress::monitor::{Limits, Monitor, Sample};
    ///
    /// let timer = egress_time::ManualTimer::new();
    /// let monitor = Monitor::new(timer).with_limits(Limits::new().with_memory(1 << 20));
    /// let mut sample = Sample::default();
    /// sample.memory_bytes = Some(3 << 20);
    ///
    /// let crossed = monitor.check_with(sample);
    /// assert_eq!(crossed[0].to_string(), "memory is 3 MiB, the limit is 1 MiB");
    /// monitor.check_with(sample);
    /// assert_eq!(monitor.take_warnings().len(), 1); // once for each crossing
    /// ```
    pub fn check_with(&self, sample: Sample) -> Vec<Crossing> {
        let now = self.clock.now();
        self.shared.sample(now, sample);
        self.shared.check(&self.clock, now)
    }

    /// Samples what the process uses, and compares it with nothing.
    pub fn sample(&self) {
        self.shared.sample(self.clock.now(), Sample::of_process());
    }

    /// Reports what was seen until now. It warns of nothing.
    pub fn report(&self) -> Report {
        self.shared.report(self.clock.now())
    }

    /// Writes the report as a table for people; see [`Report::summary`].
    pub fn summary(&self) -> String {
        self.report().summary()
    }

    /// Writes the report as Prometheus reads it; see [`Report::prometheus`].
    pub fn prometheus(&self) -> String {
        self.report().prometheus()
    }
}

impl<C> fmt::Debug for Monitor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("limits", &self.limits())
            .finish_non_exhaustive()
    }
}
