//! The right to be in flight.

use crate::{Limiter, open_bodies::OpenBody, slots::Outcome};
use egress_time::Clock;
use std::{fmt, sync::Arc};

/// One of a limiter's permits; dropping it gives it to the head of the queue, or back.
///
/// A permit that is leaked, and not dropped, is lost. [`Limiter::set_limit`] can make up for it.
#[must_use = "the permit is given back when this is dropped"]
pub struct Permit<T: Clock> {
    limiter: Limiter<T>,
    is_used: bool,
    body: Option<usize>,
}

impl<T: Clock> Permit<T> {
    /// Wraps a permit that `limiter` has counted as given out.
    pub(crate) const fn new(limiter: Limiter<T>) -> Self {
        Self {
            limiter,
            is_used: false,
            body: None,
        }
    }

    /// Notes that the permit serves its purpose: it counts as served when it comes back, and not as cancelled.
    pub(crate) fn used(mut self) -> Self {
        self.is_used = true;
        self
    }

    /// Notes that `body` holds the permit from now on.
    pub(crate) fn move_to(&mut self, body: &Arc<OpenBody>) {
        let now = self.limiter.now();
        body.is_left_alone(now);
        let key = self.limiter.lock().bodies.insert(Arc::clone(body));
        self.body = Some(key);
    }

    pub(crate) const fn limiter(&self) -> &Limiter<T> {
        &self.limiter
    }
}

impl<T: Clock> Drop for Permit<T> {
    fn drop(&mut self) {
        let outcome = if self.is_used {
            Outcome::Served
        } else {
            Outcome::Cancelled
        };
        let now = self.limiter.now();
        let mut state = self.limiter.lock();
        let body = self.body.map(|key| state.bodies.remove(key));
        let settle = state.slots.give_back(now, outcome);
        drop(state);
        settle.outside_the_lock();
        drop(body);
    }
}

impl<T: Clock> fmt::Debug for Permit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("is_used", &self.is_used)
            .field("is_in_body", &self.body.is_some())
            .finish_non_exhaustive()
    }
}
