//! What a service shares with its clones, its futures and its bodies.

use crate::{
    Capture, Drain, Executor, Stats, Task,
    shelf::Shelf,
    tracked::{Drained, Movable, Tracked},
};
use bytes::Bytes;
use egress_body_end::looking;
use egress_time::{Instant, SleepUntil, Timer};
use http_body::Body;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Context,
    thread,
};

pub(crate) struct Shared<B, T, X> {
    pub(crate) timer: T,
    pub(crate) executor: Option<X>,
    pub(crate) drain: Drain,
    pub(crate) capture: Capture,
    pub(crate) stats: Stats,
    /// Where bodies lie while nobody reads them; none without an idle timeout.
    pub(crate) shelf: Option<Arc<Shelf<Movable<B>>>>,
}

impl<B, T, X> Shared<B, T, X>
where
    B: Body<Data = Bytes>,
{
    /// Reads what is there of a body that cannot be moved, or must not go on to be read; the caller drops it.
    pub(crate) fn dispose_in_place(&self, body: Pin<&mut Tracked<B>>) {
        quietly(|| {
            if left_of(&body) <= self.drain.max_bytes() {
                self.drain_on_the_spot(body);
            }
        });
    }

    fn drain_on_the_spot(&self, body: Pin<&mut Tracked<B>>) {
        let mut bytes = self.drain.max_bytes();
        if bytes > 0 && !body.is_over() {
            let mut cx = Context::from_waker(looking());
            let _: Drained = body.poll_drain(&mut bytes, &mut cx);
        }
    }
}

impl<B, T, X> Shared<B, T, X>
where
    B: Body<Data = Bytes>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    /// Has the executor watch over the shelf.
    pub(crate) fn watch(&self) {
        if let (Some(shelf), Some(executor)) = (&self.shelf, &self.executor) {
            executor.execute(Task::watch(shelf, self.timer.clone()));
        }
    }

    /// Reads what is there of a body and hands the rest to the executor, or drops it. Nothing goes on beyond
    /// `deadline`: an owner that drops a body then has lost interest in its connection, too.
    pub(crate) fn dispose(&self, mut body: Movable<B>, deadline: Instant) {
        quietly(|| {
            let executor = self.executor.as_ref();
            let in_background = executor.map_or(0, |_| self.drain.background_bytes());
            if left_of(&body) > self.drain.max_bytes().saturating_add(in_background) {
                return;
            }
            self.drain_on_the_spot(body.as_mut());
            if body.is_over() || in_background == 0 || left_of(&body) > in_background {
                return;
            }
            let now = self.timer.now();
            if let Some(executor) = executor
                && now < deadline
            {
                let until = deadline.min(now + self.drain.background_time());
                let limit = SleepUntil::new(self.timer.clone(), until);
                executor.execute(Task::drain(body, in_background, limit));
            }
        });
    }
}

/// Cancels every body that lies unused for too long; returns when to do so again.
pub(crate) fn cancel_idle<B>(shelf: &Shelf<Movable<B>>, now: Instant) -> Instant {
    let look = shelf.look(now);
    for mut body in look.given_up {
        body.as_mut().abandon();
    }
    look.next
}

fn left_of<B: Body>(body: &Tracked<B>) -> u64 {
    body.body().size_hint().lower()
}

/// Runs foreign code in a drop: a panic must not leave it, and while one is under way nothing is tried at
/// all.
fn quietly(dispose: impl FnOnce()) {
    if !thread::panicking() {
        // The message has been printed by the hook, and there is nobody to return an error to.
        let _ = catch_unwind(AssertUnwindSafe(dispose));
    }
}
