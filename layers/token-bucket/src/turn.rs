//! The wait for a reservation to become due.

use crate::{Departure, RateLimited, Reservation, claim::Pause};
use egress_time::{Instant, SleepUntil, Timer};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// A reservation and the timer it sleeps on.
///
/// The first sleep is a coarse one. It may end late by the timer's granularity; where that would add up, the
/// rest is slept exactly.
#[derive(Debug)]
pub(crate) struct Turn<T: Timer> {
    reservation: Reservation,
    timer: T,
    /// On the heap: mostly nobody has to wait, and whoever waits is moved no more.
    sleep: Option<Pin<Box<SleepUntil<T>>>>,
    slept: bool,
}

impl<T: Timer> Drop for Turn<T> {
    fn drop(&mut self) {
        if self.reservation.is_held() {
            self.reservation.release(self.timer.now());
        }
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The reservation was due at this time.
    Due(Instant),
    /// It would last longer than was to be waited.
    TooLong,
}

impl<T: Timer> Turn<T> {
    pub(crate) const fn new(reservation: Reservation, timer: T) -> Self {
        Self {
            reservation,
            timer,
            sleep: None,
            slept: false,
        }
    }

    /// Waits until the reservation is due, but begins no wait of which more than `most` nanoseconds are left.
    pub(crate) fn poll_due(
        &mut self,
        cx: &mut Context<'_>,
        most: u64,
    ) -> Poll<Result<Waited, RateLimited>> {
        loop {
            // Another one's cancel may have woken this, so the bucket is asked whether or not the timer is over.
            if let Some(sleep) = &mut self.sleep
                && sleep.as_mut().poll(cx).is_ready()
            {
                self.sleep = None;
                self.slept = true;
            }
            let now = self.timer.now();
            let Some(pause) = self.reservation.check(now, cx.waker())? else {
                self.sleep = None;
                return Poll::Ready(Ok(Waited::Due(now)));
            };
            if pause.is_longer_than(most) {
                return Poll::Ready(Ok(Waited::TooLong));
            }
            // By the clock as it is now. A deadline from before it was set back would be far away.
            let until = now + Duration::from_nanos(pause.sleep);
            if let Some(sleep) = &self.sleep
                && sleep.deadline() <= until
            {
                return Poll::Pending;
            }
            let timer = self.timer.clone();
            self.sleep = Some(Box::pin(if pause.is_fine && self.slept {
                SleepUntil::exactly(timer, until)
            } else {
                SleepUntil::new(timer, until)
            }));
        }
    }

    /// Departs, if all agree.
    pub(crate) fn commit(&mut self, now: Instant) -> Result<Option<Departure>, RateLimited> {
        self.reservation.commit(now)
    }
}

impl Pause {
    /// Whether more than `most` nanoseconds are left, or nobody knows how many.
    pub(crate) const fn is_longer_than(&self, most: u64) -> bool {
        most < u64::MAX && (self.is_open || self.left > most)
    }
}

pin_project! {
    /// Waits until a [`Reservation`] is due, and departs.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] when a pause or another quota makes the wait too long. The place in the queue is then given up.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives back every slot whose time has not come.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Ready<T: Timer> {
        turn: Turn<T>,
    }
}

impl<T: Timer> Ready<T> {
    pub(crate) const fn new(reservation: Reservation, timer: T) -> Self {
        Self {
            turn: Turn::new(reservation, timer),
        }
    }
}

impl<T: Timer> Future for Ready<T> {
    type Output = Result<Departure, RateLimited>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let turn = self.project().turn;
        loop {
            if let Waited::Due(now) = ready!(turn.poll_due(cx, u64::MAX))?
                && let Some(departure) = turn.commit(now)?
            {
                return Poll::Ready(Ok(departure));
            }
        }
    }
}
