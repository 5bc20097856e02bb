//! How long a body is waited for.

use crate::{TimedOut, limits::Limits};
use egress_body_end::{BodyEnd, OnBodyEnd, is_look};
use egress_time::{Instant, SleepUntil, Timer};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// The limits of a body, and how far they are used up.
#[derive(Debug)]
pub(crate) struct Wait<T: Timer> {
    limits: Limits,
    timer: T,
    /// Made when the body is first waited for. On the heap, since a body is moved often and mostly has something.
    sleep: Option<Pin<Box<SleepUntil<T>>>>,
    /// When a poll first found nothing since the last frame.
    since: Option<Instant>,
    /// A frame was delivered after the end. Only the end of the body may follow it.
    overdue: bool,
}

impl<T: Timer> Wait<T> {
    pub(crate) const fn new(timer: T, limits: Limits) -> Self {
        Self {
            limits,
            timer,
            sleep: None,
            since: None,
            overdue: false,
        }
    }

    /// Takes note that the body had nothing; ready when that has lasted too long.
    pub(crate) fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<TimedOut> {
        let due = self.due();
        // A look is no wait. It may happen in a drop outside of the runtime that the
        // timer needs.
        if due == Instant::FAR_FUTURE || is_look(cx) {
            return Poll::Pending;
        }
        let Self { sleep, timer, .. } = self;
        let sleep = sleep.get_or_insert_with(|| Box::pin(SleepUntil::new(timer.clone(), due)));
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
        let now = self.timer.now();
        Poll::Ready(match self.since {
            Some(since) if due < self.limits.end => self.limits.stalled(since, now),
            _ => self.limits.expired_in_body(now),
        })
    }

    /// Takes note of a frame that is not the last; returns the error if it must not be delivered any more.
    pub(crate) fn on_frame(&mut self) -> Option<TimedOut> {
        self.since = None;
        if self.limits.end == Instant::FAR_FUTURE {
            return None;
        }
        // A body that always has something never waits, and must end in time all the same.
        let now = self.timer.now();
        if self.overdue {
            return Some(self.limits.expired_in_body(now));
        }
        self.overdue = now >= self.limits.end;
        None
    }

    fn due(&mut self) -> Instant {
        if self.limits.body_idle == Duration::MAX {
            return self.limits.end;
        }
        let since = *self.since.get_or_insert_with(|| self.timer.now());
        self.limits.end.min(since + self.limits.body_idle)
    }
}

/// With the wait, the timer and the hold on the request's context are dropped.
impl<T: Timer> OnBodyEnd for Wait<T> {
    fn on_body_end(self, _: BodyEnd) {}
}
