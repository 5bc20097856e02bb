//! What a service shares with its clones, its futures and its bodies.

use crate::{
    Capture, Drain, Executor, Stats, Task,
    shelf::Shelf,
    stats::Live,
    tracked::{Drained, Tracked, poll_drain},
};
use bytes::Bytes;
use egress_body_end::EndGuard;
use egress_time::{Instant, SleepUntil, Timer};
use http_body::Body;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    thread,
};

pub(crate) struct Shared<B, T, X> {
    pub(crate) timer: T,
    pub(crate) executor: Option<X>,
    pub(crate) drain: Drain,
    pub(crate) capture: Capture,
    pub(crate) stats: Stats,
    /// Where bodies lie while nobody reads them; none without an idle timeout.
    pub(crate) shelf: Option<Arc<Shelf<Tracked<B>>>>,
}

impl<B, T, X> Shared<B, T, X>
where
    B: Body<Data = Bytes>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    /// Sees to it that somebody watches over the shelf, if there is somebody.
    pub(crate) fn watch(&self) {
        if let (Some(shelf), Some(executor)) = (&self.shelf, &self.executor)
            && shelf.begin_watch()
        {
            executor.execute(Task::watch(shelf, self.timer.clone()));
        }
    }

    /// Reads what is there of a body that cannot be moved; the caller drops it.
    pub(crate) fn dispose_in_place(&self, body: Pin<&mut B>, guard: &mut EndGuard<Live>) {
        quietly(|| {
            if body.size_hint().lower() <= self.drain.max_bytes() {
                self.drain_on_the_spot(body, guard);
            }
        });
    }

    /// Reads what is there of a body and hands the rest to the executor, or drops it.
    pub(crate) fn dispose(&self, mut tracked: Tracked<B>) {
        quietly(|| {
            let executor = self.executor.as_ref();
            let in_background = executor.map_or(0, |_| self.drain.background_bytes());
            let left = tracked.body.size_hint().lower();
            if left > self.drain.max_bytes().saturating_add(in_background) {
                return;
            }
            self.drain_on_the_spot(tracked.body.as_mut(), &mut tracked.guard);
            let left = tracked.body.size_hint().lower();
            if tracked.guard.is_over() || in_background == 0 || left > in_background {
                return;
            }
            if let Some(executor) = executor {
                let deadline = self.timer.now() + self.drain.background_time();
                let limit = SleepUntil::new(self.timer.clone(), deadline);
                executor.execute(Task::drain(tracked, in_background, limit));
            }
        });
    }

    fn drain_on_the_spot(&self, body: Pin<&mut B>, guard: &mut EndGuard<Live>) {
        let mut bytes = self.drain.max_bytes();
        if bytes > 0 {
            let mut cx = Context::from_waker(Waker::noop());
            let _: Drained = poll_drain(body, guard, &mut bytes, &mut cx);
        }
    }
}

/// Cancels every body that lies unused for too long; returns when to do so again.
pub(crate) fn cancel_idle<B>(shelf: &Shelf<Tracked<B>>, now: Instant) -> Instant {
    let look = shelf.look(now);
    for tracked in look.given_up {
        tracked.cancel_idle();
    }
    look.next
}

/// Runs foreign code in a drop: a panic must not leave it, and while one is under way nothing is tried at
/// all.
fn quietly(dispose: impl FnOnce()) {
    if !thread::panicking() {
        // The message has been printed by the hook, and there is nobody to return an error to.
        let _ = catch_unwind(AssertUnwindSafe(dispose));
    }
}
