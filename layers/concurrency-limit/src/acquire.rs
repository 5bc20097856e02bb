//! The wait for a permit.

use crate::{
    ConcurrencyLimitError, Limiter, Permit,
    place::{Entry, Place, Verdict},
};
use egress_time::{SleepUntil, Timer};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// Waits for a permit; made by [`Limiter::acquire`].
    ///
    /// It takes its place in the queue when it is first polled, and arms a timer only if it has to wait. Polled again
    /// after it was ready, it begins a new wait.
    #[must_use = "futures do nothing unless polled"]
    pub struct Acquire<T: Timer> {
        limiter: Limiter<T>,
        place: Option<Place>,
        #[pin]
        sleep: Option<SleepUntil<T>>,
    }

    impl<T: Timer> PinnedDrop for Acquire<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(place) = this.place.take() {
                place.leave(this.limiter);
            }
        }
    }
}

impl<T: Timer> Acquire<T> {
    pub(crate) const fn new(limiter: Limiter<T>) -> Self {
        Self {
            limiter,
            place: None,
            sleep: None,
        }
    }

    /// Goes on with a wait that has begun.
    pub(crate) fn at(place: Place, limiter: Limiter<T>) -> Self {
        let sleep = sleep(&limiter, &place);
        Self {
            limiter,
            place: Some(place),
            sleep,
        }
    }

    /// Waits for a permit that may still be given back unused.
    pub(crate) fn poll_permit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Permit<T>, ConcurrencyLimitError>> {
        let mut this = self.project();
        let place = match *this.place {
            Some(place) => place,
            None => match Place::enter(this.limiter, cx.waker()) {
                Entry::Permit(permit) => return Poll::Ready(Ok(permit)),
                Entry::Full(error) => return Poll::Ready(Err(error)),
                Entry::Place(place) => {
                    this.sleep.set(sleep(this.limiter, &place));
                    *this.place.insert(place)
                }
            },
        };

        let settled = match place.ask(this.limiter, cx.waker()) {
            Some(permit) => Ok(permit),
            None => loop {
                let Some(mut sleep) = this.sleep.as_mut().as_pin_mut() else {
                    return Poll::Pending;
                };
                ready!(sleep.as_mut().poll(cx));
                match place.judge(this.limiter) {
                    Verdict::Permit(permit) => break Ok(permit),
                    Verdict::GiveUp(error) => break Err(error),
                    Verdict::WaitUntil(deadline) => sleep.reset(deadline),
                }
            },
        };
        // Either way the place in the queue is gone: there is nothing to leave when this is dropped.
        *this.place = None;
        this.sleep.set(None);
        Poll::Ready(settled)
    }
}

fn sleep<T: Timer>(limiter: &Limiter<T>, place: &Place) -> Option<SleepUntil<T>> {
    let deadline = place.first_look(limiter)?;
    Some(SleepUntil::new(limiter.timer().clone(), deadline))
}

impl<T: Timer> Future for Acquire<T> {
    type Output = Result<Permit<T>, ConcurrencyLimitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_permit(cx).map_ok(Permit::used)
    }
}

impl<T: Timer> fmt::Debug for Acquire<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("limiter", &self.limiter)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
