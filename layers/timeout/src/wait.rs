//! How long a body is waited for.

use crate::{TimedOut, limits::Limits};
use egress_body_end::{BodyEnd, OnBodyEnd};
use egress_time::{Instant, SleepUntil, Timer};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

/// The limits of a body, and how far they are used up.
#[derive(Debug)]
pub(crate) struct Wait {
    limits: Limits,
    /// When a poll first found nothing since the last frame.
    since: Option<Instant>,
    /// A frame was delivered after the end. Only the end of the body may follow it.
    overdue: bool,
}

impl Wait {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            since: None,
            overdue: false,
        }
    }

    /// Takes note that the body had nothing; ready when that has lasted too long.
    pub(crate) fn poll_pending<T: Timer>(
        &mut self,
        mut sleep: Pin<&mut SleepUntil<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<TimedOut> {
        let due = self.due(sleep.timer());
        // A look with a waker that wakes nobody is no wait. It may happen in a drop outside of the runtime that the
        // timer needs.
        if due == Instant::FAR_FUTURE || cx.waker().will_wake(Waker::noop()) {
            return Poll::Pending;
        }
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        ready!(sleep.as_mut().poll(cx));
        if sleep.deadline() < due {
            // It was armed for an earlier wait, and left alone when that one ended: a timer for each idle period is
            // cheaper than one for each frame.
            sleep.as_mut().reset(due);
            ready!(sleep.as_mut().poll(cx));
        }
        let now = sleep.timer().now();
        Poll::Ready(match self.since {
            Some(since) if due < self.limits.end => self.limits.stalled(since, now),
            _ => self.limits.expired_in_body(now),
        })
    }

    /// Takes note of a frame that is not the last; returns the error if it must not be delivered any more.
    pub(crate) fn on_frame(&mut self, timer: &impl Timer) -> Option<TimedOut> {
        self.since = None;
        if self.limits.end == Instant::FAR_FUTURE {
            return None;
        }
        // A body that always has something never waits, and must end in time all the same.
        let now = timer.now();
        if self.overdue {
            return Some(self.limits.expired_in_body(now));
        }
        self.overdue = now >= self.limits.end;
        None
    }

    fn due(&mut self, timer: &impl Timer) -> Instant {
        if self.limits.body_idle == Duration::MAX {
            return self.limits.end;
        }
        let since = *self.since.get_or_insert_with(|| timer.now());
        self.limits.end.min(since + self.limits.body_idle)
    }
}

/// With the wait, the hold on the request's context is dropped.
impl OnBodyEnd for Wait {
    fn on_body_end(self, _: BodyEnd) {}
}
