//! The guard of a run.

use super::{
    Outcome,
    names::MAX_NAME,
    report::Checkpoint,
    series::{Begun, Ended, Series},
    shared::Shared,
    units::{millis, truncated},
};
use egress_time::{Clock, Instant};
use std::{borrow::Cow, fmt, sync::Arc, thread, time::Duration};

/// How many checkpoints of a run are kept: the first ones.
pub const MAX_CHECKPOINTS: usize = 32;

/// A run of an operation that has begun.
///
/// It counts when it is told how it ended. One that is dropped counts as [cancelled](Outcome::Cancelled), or as
/// [failed](Outcome::Failed) if that is because of a panic. It can be sent to other tasks, threads and (as it holds no
/// waker) invocations of a Worker.
///
/// It ends nothing by itself: only a future can be ended, by [`Operation::run`](super::Operation::run).
///
/// ```
/// use egress_time::ManualTimer;
/// use std::time::Duration;
/// use tower_egress::monitor::Monitor;
///
/// let timer = ManualTimer::new();
/// let monitor = Monitor::new(timer.clone());
/// let mut scan = monitor.start("scan");
/// timer.advance(Duration::from_millis(20));
/// scan.checkpoint("fetched");
/// timer.advance(Duration::from_millis(5));
/// scan.checkpoint("parsed");
/// scan.succeed();
///
/// let last = monitor.report().operations["scan"].last.clone().unwrap();
/// assert_eq!(last.checkpoints[1].name, "parsed");
/// assert_eq!(last.checkpoints[1].since_start_ms, 25.0);
/// assert_eq!(last.checkpoints[1].since_last_ms, 5.0);
/// ```
#[must_use = "a run that is dropped counts as cancelled"]
pub struct Running<C: Clock> {
    clock: C,
    shared: Arc<Shared>,
    series: Arc<Series>,
    begun: Begun,
    start: Instant,
    last: Instant,
    checkpoints: Vec<Checkpoint>,
    dropped_checkpoints: u64,
    ended: bool,
    /// Whether it began while a panic unwound, which is then none of its own.
    in_panic: bool,
}

impl<C: Clock> Running<C> {
    pub(super) fn begin(clock: C, shared: Arc<Shared>, series: Arc<Series>) -> Self {
        let start = clock.now();
        shared.touch(start);
        let begun = series.begin(start, shared.forget_after());
        Self {
            clock,
            shared,
            series,
            begun,
            start,
            last: start,
            checkpoints: Vec::new(),
            dropped_checkpoints: 0,
            ended: false,
            in_panic: thread::panicking(),
        }
    }

    /// Tells whether a panic unwinds that may be its own.
    pub(super) fn panics(&self) -> bool {
        thread::panicking() && !self.in_panic
    }

    /// Returns the name of its operation.
    pub fn name(&self) -> &str {
        self.series.name()
    }

    /// Returns for how long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.clock.now() - self.start
    }

    /// Returns when its time is over, if its operation has a [timeout](super::Operation::with_timeout).
    pub fn deadline(&self) -> Option<Instant> {
        self.begun.timeout.map(|timeout| self.start + timeout)
    }

    pub(super) const fn timeout(&self) -> Option<Duration> {
        self.begun.timeout
    }

    /// Takes note that the run has come to this point.
    ///
    /// The first 32 points are kept, and the first 64 bytes of their names.
    pub fn checkpoint(&mut self, name: impl Into<Cow<'static, str>>) {
        let now = self.clock.now();
        if self.checkpoints.len() == MAX_CHECKPOINTS {
            self.dropped_checkpoints = self.dropped_checkpoints.saturating_add(1);
        } else {
            self.checkpoints.push(Checkpoint {
                name: match name.into() {
                    Cow::Borrowed(name) => truncated(name, MAX_NAME).into(),
                    Cow::Owned(name) => truncated(&name, MAX_NAME).to_owned().into(),
                },
                since_start_ms: millis(now - self.start),
                since_last_ms: millis(now - self.last),
            });
        }
        self.last = now;
    }

    /// Ends it as one that did what it was to do.
    pub fn succeed(self) {
        self.end(Outcome::Ok);
    }

    /// Ends it as one that failed.
    pub fn fail(self) {
        self.end(Outcome::Failed);
    }

    /// Ends it as its result says.
    pub fn finish<O, E>(self, result: &Result<O, E>) {
        self.end(match result {
            Ok(_) => Outcome::Ok,
            Err(_) => Outcome::Failed,
        });
    }

    /// Ends it so.
    pub fn end(mut self, outcome: Outcome) {
        self.record(outcome, None);
    }

    #[cfg(feature = "tracing")]
    pub(super) fn end_busy(mut self, outcome: Outcome, busy: Duration) {
        self.record(outcome, Some(busy));
    }

    #[cfg(feature = "tracing")]
    pub(super) fn is_of(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }

    fn record(&mut self, outcome: Outcome, busy: Option<Duration>) {
        self.ended = true;
        let now = self.clock.now();
        let ended = Ended {
            number: Some(self.begun.number),
            duration: now - self.start,
            busy,
            outcome,
            checkpoints: std::mem::take(&mut self.checkpoints),
            dropped_checkpoints: self.dropped_checkpoints,
        };
        self.shared.end(&self.clock, now, &self.series, ended);
    }
}

impl<C: Clock> Drop for Running<C> {
    fn drop(&mut self) {
        if !self.ended {
            let outcome = match self.panics() {
                true => Outcome::Failed,
                false => Outcome::Cancelled,
            };
            self.record(outcome, None);
        }
    }
}

impl<C: Clock> fmt::Debug for Running<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("operation", &self.name())
            .field("start", &self.start)
            .field("checkpoints", &self.checkpoints.len())
            .finish_non_exhaustive()
    }
}
