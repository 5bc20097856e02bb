//! One operation, by name.

use super::{
    Outcome, Run, Running,
    series::{Ended, Series, Settings},
    shared::Shared,
};
use egress_time::{Clock, Timer};
use std::{fmt, sync::Arc, time::Duration};

/// An operation of a program: what it should take, and how its runs begin.
///
/// A handle: clones share everything, and what one sets holds for all.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::monitor::Monitor;
///
/// let monitor = Monitor::new(egress_time::ManualTimer::new());
/// let save = monitor
///     .operation("save repositories")
///     .with_timeout(Duration::from_secs(30))
///     .with_warn_after(Duration::from_secs(5));
/// save.start().succeed();
/// monitor.start("save repositories").succeed(); // the same operation
/// assert_eq!(monitor.report().operations["save repositories"].lifetime.count(), 2);
/// ```
#[derive(Clone)]
pub struct Operation<C> {
    clock: C,
    shared: Arc<Shared>,
    series: Arc<Series>,
    /// Whether it is an operation of its own, and not `other` because there was no room.
    is_own: bool,
}

impl<C> Operation<C> {
    pub(super) const fn new(
        clock: C,
        shared: Arc<Shared>,
        series: Arc<Series>,
        is_own: bool,
    ) -> Self {
        Self {
            clock,
            shared,
            series,
            is_own,
        }
    }

    /// Returns its name: as it was given, or its first 64 bytes, or `other` if there are too many.
    pub fn name(&self) -> &str {
        self.series.name()
    }

    pub(super) const fn timer(&self) -> &C {
        &self.clock
    }

    /// Ends its runs after so long, from the next on; those that are futures.
    ///
    /// If there was no room for its [name](Self::name), nothing is set: that would hold for all others, too.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.timeout = Some(timeout));
        self
    }

    /// Warns when a run takes longer: once, until a run has taken well below that again.
    ///
    /// A run that has not ended is warned of by [`Monitor::check`](super::Monitor::check).
    /// If there was no room for its [name](Self::name), nothing is set.
    pub fn with_warn_after(self, warn_after: Duration) -> Self {
        self.set(|settings| settings.warn_after = Some(warn_after));
        self
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) {
        if self.is_own {
            self.series.set(change);
        }
    }
}

impl<C: Clock + Clone> Operation<C> {
    /// Begins a run.
    pub fn start(&self) -> Running<C> {
        Running::begin(
            self.clock.clone(),
            Arc::clone(&self.shared),
            Arc::clone(&self.series),
        )
    }

    /// Counts a run that somebody else has measured, as one that ended now.
    pub fn record(&self, duration: Duration, outcome: Outcome) {
        let ended = Ended {
            number: None,
            duration,
            busy: None,
            outcome,
            checkpoints: Vec::new(),
            dropped_checkpoints: 0,
        };
        self.shared
            .end(&self.clock, self.clock.now(), &self.series, ended);
    }

    /// Runs a future: one that answers with an error has failed.
    ///
    /// The run begins when the future is first polled. If the operation has a [timeout](Self::with_timeout), the future is dropped
    /// when that is over, and the answer is [`OperationTimedOut`](super::OperationTimedOut).
    pub fn run<F, O, E>(&self, future: F) -> Run<F, C>
    where
        F: Future<Output = Result<O, E>>,
        C: Timer,
    {
        Run::new(self.clone(), future, Result::is_err)
    }

    /// Runs a future that cannot fail; otherwise as [`Operation::run`] does.
    ///
    /// ```
    /// use tower_egress::monitor::Monitor;
    ///
    /// let timer = egress_time::ManualTimer::new();
    /// let monitor = Monitor::new(timer.clone());
    /// let sum = timer.run(monitor.operation("add").time(async { 1 + 1 }));
    /// assert_eq!(sum.unwrap(), 2);
    /// ```
    pub fn time<F: Future>(&self, future: F) -> Run<F, C>
    where
        C: Timer,
    {
        Run::new(self.clone(), future, |_| false)
    }
}

impl<C> fmt::Debug for Operation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&self.name()).finish()
    }
}
