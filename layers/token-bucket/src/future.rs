//! The way of one request: its slot, the inner service's readiness, the departure, the reply.

use crate::{
    BoxError, BucketSet, Cost, Departure, RateLimited, Reason,
    feedback::learn,
    turn::{Turn, Waited},
    waits::{For, Waits},
};
use egress_context::{Failure, RequestContext};
use egress_time::{Instant, Timer};
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;

/// How long a ready inner service is kept from others while the departure has to wait once more.
const HOLD: u64 = 100_000_000;

pin_project! {
    /// Waits for a request's slot, sends it, and waits for the reply.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives back a slot whose time has not come, and what the inner service had reserved.
    ///
    /// # Panics
    ///
    /// When it is polled after it was ready.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, T, B>
    where
        S: Service<Request<B>>,
        T: Timer,
    {
        phase: Phase,
        timer: T,
        fare: Option<(BucketSet, Cost)>,
        request: Option<Request<B>>,
        // Dropped in this order: a connection is free before others are told that they may go.
        #[pin]
        reply: Option<S::Future>,
        inner: Option<S>,
        #[pin]
        turn: Option<Turn<T>>,
        departure: Option<Departure>,
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
    /// The inner service is ready, but the last departure was too close.
    Gap,
    /// Is sent.
    Reply,
}

impl<S, T, B> ResponseFuture<S, T, B>
where
    S: Service<Request<B>>,
    T: Timer,
{
    pub(crate) fn new(
        inner: S,
        timer: T,
        request: Request<B>,
        fare: Option<(BucketSet, Cost)>,
    ) -> Self {
        let context = RequestContext::current(request.extensions());
        Self {
            phase: Phase::Start,
            waits: Waits::new(context, timer.clone()),
            timer,
            fare,
            request: Some(request),
            reply: None,
            inner: Some(inner),
            turn: None,
            departure: None,
        }
    }
}

impl<S, T, B, ResBody> Future for ResponseFuture<S, T, B>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    S::Error: Into<BoxError>,
    T: Timer,
{
    type Output = Result<Response<ResBody>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.as_mut().poll_reply(cx));
        let mut this = self.project();
        if let Err(Stop::RateLimited(error)) = &result
            && let Some(context) = this.waits.context()
        {
            context.fail(match error.reason {
                Reason::DeadlineTooSoon => Failure::DeadlineExceeded,
                _ => Failure::Refused,
            });
        }
        // Whatever is left is given back now: a finished future may live on.
        this.waits.stop();
        this.reply.set(None);
        *this.inner = None;
        this.turn.set(None);
        *this.departure = None;
        Poll::Ready(result.map_err(|stop| match stop {
            Stop::RateLimited(error) => error.into(),
            Stop::Inner(error) => error,
        }))
    }
}

/// Why there is no reply.
enum Stop {
    RateLimited(RateLimited),
    Inner(BoxError),
}

impl From<RateLimited> for Stop {
    fn from(error: RateLimited) -> Self {
        Self::RateLimited(error)
    }
}

impl<S, T, B, ResBody> ResponseFuture<S, T, B>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    S::Error: Into<BoxError>,
    T: Timer,
{
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResBody>, Stop>> {
        let mut this = self.project();
        loop {
            *this.phase = match *this.phase {
                Phase::Start => {
                    let now = this.timer.now();
                    match this.fare.take() {
                        None => {
                            this.waits.begin(For::InnerService, now);
                            Phase::InnerService
                        }
                        Some((buckets, cost)) => {
                            let deadline = this.waits.context().and_then(RequestContext::deadline);
                            let deadline = deadline.unwrap_or(Instant::FAR_FUTURE);
                            let reservation = buckets.reserve_until(cost, now, deadline)?;
                            let is_due = reservation.is_due();
                            let turn = Turn::new(reservation, this.timer.clone());
                            this.turn.set(Some(turn));
                            if is_due {
                                this.waits.begin(For::InnerService, now);
                                Phase::InnerService
                            } else {
                                this.waits.begin(For::Slot, now);
                                Phase::Slot
                            }
                        }
                    }
                }
                Phase::Slot => {
                    if let Some(turn) = this.turn.as_mut().as_pin_mut()
                        && let Waited::Due(now) = ready!(turn.poll_due(cx, u64::MAX))?
                    {
                        this.waits.begin(For::InnerService, now);
                    }
                    Phase::InnerService
                }
                Phase::InnerService => {
                    if let Some(inner) = this.inner
                        && let Err(error) = ready!(inner.poll_ready(cx))
                    {
                        // Nothing was sent.
                        if let Some(context) = this.waits.context()
                            && context.failure().is_none()
                        {
                            context.fail(Failure::Refused);
                        }
                        return Poll::Ready(Err(Stop::Inner(error.into())));
                    }
                    Phase::Departure
                }
                Phase::Departure => {
                    let now = this.timer.now();
                    let departs = match this.turn.as_mut().as_pin_mut() {
                        Some(turn) => turn.commit(now)?,
                        None => Ok(Departure::default()),
                    };
                    match departs {
                        Err(pause) => {
                            this.waits.begin(For::Slot, now);
                            if pause.is_longer_than(HOLD) {
                                // A clone is not ready; what was reserved goes back.
                                *this.inner = this.inner.clone();
                                Phase::Slot
                            } else {
                                Phase::Gap
                            }
                        }
                        Ok(departure) => {
                            this.waits.end(now);
                            if let Some(context) = this.waits.context() {
                                context.dispatched_at(now);
                            }
                            this.turn.set(None);
                            *this.departure = Some(departure);
                            if let (Some(mut inner), Some(request)) =
                                (this.inner.take(), this.request.take())
                            {
                                this.reply.set(Some(inner.call(request)));
                            }
                            Phase::Reply
                        }
                    }
                }
                Phase::Gap => {
                    let turn = this.turn.as_mut().as_pin_mut();
                    match turn.map(|turn| turn.poll_due(cx, HOLD)) {
                        Some(waited) => match ready!(waited)? {
                            Waited::Due(_) => Phase::Departure,
                            Waited::TooLong => {
                                *this.inner = this.inner.clone();
                                Phase::Slot
                            }
                        },
                        None => Phase::Departure,
                    }
                }
                Phase::Reply => {
                    let reply = this.reply.as_mut().as_pin_mut();
                    let reply = reply.expect("polled after it was ready");
                    let response =
                        ready!(reply.poll(cx)).map_err(|error| Stop::Inner(error.into()))?;
                    if let Some(departure) = this.departure.take() {
                        learn(departure, &response, this.timer);
                    }
                    return Poll::Ready(Ok(response));
                }
            };
        }
    }
}

impl<S, T, B> fmt::Debug for ResponseFuture<S, T, B>
where
    S: Service<Request<B>>,
    T: Timer,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
