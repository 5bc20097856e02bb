//! The layer and its settings.

use crate::{
    BodyCleanup, Capture, Drain, NoExecutor, Stats, shared::Shared, shelf::Shelf, tracked::Movable,
};
use egress_time::Timer;
use std::{fmt, sync::Arc, time::Duration};
use tower_layer::Layer;

/// Shorter than the 30 s that a request waits for a connection elsewhere in such a stack, so that the wait is
/// rewarded.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Applies [`BodyCleanup`].
///
/// Clones, and all the services that they make, share the counts and the watch over idle bodies: a caller
/// that waits in one of the services rescues a connection from a body of any of them. Set everything up
/// before cloning.
///
/// `B` is the inner response body; it is inferred where the service is used. `T` is a [`Timer`], `X` an
/// [`Executor`](crate::Executor).
///
/// # Defaults
///
/// - drain: [`Drain::new`]
/// - capture: [`Capture::new`]
/// - idle timeout: 20 s
/// - no executor
pub struct BodyCleanupLayer<B, T, X = NoExecutor> {
    timer: T,
    executor: Option<X>,
    drain: Drain,
    capture: Capture,
    stats: Stats,
    shelf: Option<Arc<Shelf<Movable<B>>>>,
}

impl<B, T> BodyCleanupLayer<B, T> {
    /// Makes the layer with its defaults.
    pub fn new(timer: T) -> Self {
        Self {
            timer,
            executor: None,
            drain: Drain::new(),
            capture: Capture::new(),
            stats: Stats::new(),
            shelf: Some(Arc::new(Shelf::new(IDLE_TIMEOUT))),
        }
    }
}

impl<B, T, X> BodyCleanupLayer<B, T, X> {
    /// Sets how much is read of a body that its owner drops before its end.
    #[must_use]
    pub fn with_drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// Sets whose body is read ahead, and how much of it.
    #[must_use]
    pub fn with_capture(mut self, capture: Capture) -> Self {
        self.capture = capture;
        self
    }

    /// Sets for how long a body may go unpolled before it can be cancelled; `None` means for ever.
    ///
    /// It has to be longer than an owner may be busy with one frame before it asks for the next. With `None`
    /// and without an executor, a response costs no allocation.
    #[must_use]
    pub fn with_idle_timeout(mut self, idle_timeout: Option<Duration>) -> Self {
        self.shelf = idle_timeout.map(|timeout| Arc::new(Shelf::new(timeout)));
        self
    }

    /// Hands in an executor, for what is done in the background: it drains bodies further than can be done on
    /// the spot, and cancels idle ones although nobody waits.
    #[must_use]
    pub fn with_executor<Y>(self, executor: Y) -> BodyCleanupLayer<B, T, Y> {
        self.with_executor_or_none(Some(executor))
    }

    /// Hands in an executor if there is one, for code that does not know; see [`with_executor`](Self::with_executor).
    #[must_use]
    pub fn with_executor_or_none<Y>(self, executor: Option<Y>) -> BodyCleanupLayer<B, T, Y> {
        BodyCleanupLayer {
            timer: self.timer,
            executor,
            drain: self.drain,
            capture: self.capture,
            stats: self.stats,
            shelf: self.shelf,
        }
    }

    /// Counts into `stats`, which may be another layer's.
    #[must_use]
    pub fn with_stats(mut self, stats: Stats) -> Self {
        self.stats = stats;
        self
    }

    /// Returns how much is read of a body that its owner drops before its end.
    pub const fn drain(&self) -> Drain {
        self.drain
    }

    /// Returns whose body is read ahead, and how much of it.
    pub const fn capture(&self) -> Capture {
        self.capture
    }

    /// Returns for how long a body may go unpolled before it can be cancelled.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.shelf.as_ref().map(|shelf| shelf.timeout())
    }

    /// Returns a handle on the counts.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }
}

impl<S, B, T: Timer, X: Clone> Layer<S> for BodyCleanupLayer<B, T, X> {
    type Service = BodyCleanup<S, B, T, X>;

    fn layer(&self, inner: S) -> Self::Service {
        let shared = Shared {
            timer: self.timer.clone(),
            executor: self.executor.clone(),
            drain: self.drain,
            capture: self.capture,
            stats: self.stats.clone(),
            shelf: self.shelf.clone(),
        };
        BodyCleanup::from_shared(inner, Arc::new(shared))
    }
}

/// Not derived: a clone needs no clone of a body.
impl<B, T: Clone, X: Clone> Clone for BodyCleanupLayer<B, T, X> {
    fn clone(&self) -> Self {
        Self {
            timer: self.timer.clone(),
            executor: self.executor.clone(),
            drain: self.drain,
            capture: self.capture,
            stats: self.stats.clone(),
            shelf: self.shelf.clone(),
        }
    }
}

impl<B, T, X> fmt::Debug for BodyCleanupLayer<B, T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyCleanupLayer")
            .field("drain", &self.drain)
            .field("capture", &self.capture)
            .field("idle_timeout", &self.idle_timeout())
            .field("has_executor", &self.executor.is_some())
            .finish_non_exhaustive()
    }
}
