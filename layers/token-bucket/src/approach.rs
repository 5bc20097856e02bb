//! The way of one request, to its departure.

use crate::{
    BoxError, BucketSet, Cost, Departure, RateLimited, Reason,
    turn::{Turn, Waited},
    waits::{For, Waits},
};
use egress_context::{Failure, RequestContext};
use egress_time::{Instant, Timer};
use http::Request;
use pin_project_lite::pin_project;
use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;

/// How long a ready inner service is kept from others while the departure has to wait once more.
const HOLD: u64 = 100_000_000;

pin_project! {
    /// Waits for the slot, then for the inner service, and departs if the buckets still agree.
    pub(crate) struct Approach<S, T: Timer, B> {
        phase: Phase,
        timer: T,
        fare: Option<(BucketSet, Cost)>,
        request: Option<Request<B>>,
        // Before the turn: whoever leaves gives back a connection before others are told that they may go.
        inner: S,
        turn: Option<Turn<T>>,
        waits: Waits<T>,
    }
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nothing was done yet.
    Start,
    /// Waits for the slot, and holds nothing else.
    Slot,
    /// Waits for the inner service.
    InnerService,
    /// May go, if the buckets agree.
    Departure,
    /// Has the inner service ready, and waits because the last departure was too close.
    Gap,
}

impl<S, T: Timer, B> Approach<S, T, B> {
    pub(crate) fn new(
        inner: S,
        timer: T,
        request: Request<B>,
        waits: Waits<T>,
        fare: Option<(BucketSet, Cost)>,
    ) -> Self {
        Self {
            phase: Phase::Start,
            waits,
            timer,
            fare,
            request: Some(request),
            inner,
            turn: None,
        }
    }

    pub(crate) const fn timer(&self) -> &T {
        &self.timer
    }

    pub(crate) const fn phase(&self) -> &'static str {
        match self.phase {
            Phase::Start => "not begun",
            Phase::Slot => "waits for its slot",
            Phase::InnerService => "waits for the inner service",
            Phase::Departure | Phase::Gap => "departs",
        }
    }

    /// Returns when it is to be [called](Self::call), which is now, and what it paid, if it did.
    pub(crate) fn poll_departure(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Instant, Option<Departure>), BoxError>>
    where
        S: Service<Request<B>> + Clone,
        S::Error: Into<BoxError>,
    {
        let this = self.project();
        loop {
            let turn = this.turn.as_mut();
            *this.phase = match (*this.phase, turn) {
                (Phase::Start, _) => {
                    let now = this.timer.now();
                    let is_due = match this.fare.take() {
                        None => true,
                        Some((buckets, cost)) => {
                            let deadline = this.waits.context().and_then(RequestContext::deadline);
                            let deadline = deadline.unwrap_or(Instant::FAR_FUTURE);
                            let reserved = buckets.into_reservation(cost, now, deadline);
                            let reservation =
                                reserved.map_err(|error| refused(error, this.waits))?;
                            let is_due = reservation.is_due();
                            let turn = Turn::new(reservation, this.timer.clone());
                            *this.turn = Some(turn);
                            is_due
                        }
                    };
                    if is_due {
                        this.waits.begin(For::InnerService, now);
                        Phase::InnerService
                    } else {
                        this.waits.begin(For::Slot, now);
                        Phase::Slot
                    }
                }
                (Phase::Slot, Some(turn)) => {
                    let waited = ready!(turn.poll_due(cx, u64::MAX));
                    let waited = waited.map_err(|error| refused(error, this.waits))?;
                    if let Waited::Due(now) = waited {
                        this.waits.begin(For::InnerService, now);
                    }
                    Phase::InnerService
                }
                (Phase::InnerService, _) => {
                    if let Err(error) = ready!(this.inner.poll_ready(cx)) {
                        // Nothing was sent.
                        if let Some(context) = this.waits.context()
                            && context.failure().is_none()
                        {
                            context.fail(Failure::Refused);
                        }
                        return Poll::Ready(Err(error.into()));
                    }
                    Phase::Departure
                }
                (Phase::Departure, Some(turn)) => {
                    let now = this.timer.now();
                    let committed = turn.commit(now);
                    if let Some(departure) =
                        committed.map_err(|error| refused(error, this.waits))?
                    {
                        return Poll::Ready(Ok((now, Some(departure))));
                    }
                    this.waits.begin(For::Slot, now);
                    Phase::Gap
                }
                (Phase::Gap, Some(turn)) => {
                    let waited = ready!(turn.poll_due(cx, HOLD));
                    match waited.map_err(|error| refused(error, this.waits))? {
                        Waited::Due(_) => Phase::Departure,
                        Waited::TooLong => {
                            give_back(this.inner);
                            Phase::Slot
                        }
                    }
                }
                (Phase::Slot | Phase::Departure | Phase::Gap, None) => {
                    return Poll::Ready(Ok((this.timer.now(), None)));
                }
            };
        }
    }

    /// Calls the inner service.
    pub(crate) fn call(self: Pin<&mut Self>, now: Instant) -> S::Future
    where
        S: Service<Request<B>>,
    {
        let this = self.project();
        this.waits.end(now);
        let request = this.request.take().expect("a request is sent once");
        match this.waits.context() {
            Some(context) => {
                context.dispatched_at(now);
                context.during(now, || this.inner.call(request))
            }
            None => this.inner.call(request),
        }
    }
}

/// Lets others have what a readied service has reserved: a clone is not ready.
fn give_back<S: Clone>(inner: &mut S) {
    let fresh = inner.clone();
    drop(mem::replace(inner, fresh));
}

/// Says in the request's context that nothing was sent, and why.
fn refused<T: Timer>(error: RateLimited, waits: &Waits<T>) -> BoxError {
    if let Some(context) = waits.context() {
        context.fail(match error.reason {
            Reason::DeadlineTooSoon => Failure::DeadlineTooSoon,
            _ => Failure::Refused,
        });
    }
    error.into()
}
