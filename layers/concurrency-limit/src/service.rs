//! The service.

use crate::{
    Acquire, BoxError, Limiter, Permit, ReleaseAt, ResponseBody, ResponseFuture,
    open_bodies::OpenBody,
    place::{Entry, Place},
};
use egress_time::Timer;
use http::{Request, Response};
use http_body::Body;
use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;

/// Lets a request through once there is a permit for it; see the [crate's documentation](crate).
///
/// # Errors
///
/// `poll_ready` fails with a [`ConcurrencyLimitError`](crate::ConcurrencyLimitError) when the wait is over without a
/// permit. tower calls a service whose `poll_ready` failed broken; this one is not, and queues anew when it is polled
/// again. An error of the inner service's `poll_ready` gives the permit back and is passed on.
///
/// # Panics
///
/// `call` panics if `poll_ready` did not return `Ready(Ok(()))` before it.
#[derive(Debug)]
pub struct ConcurrencyLimit<S, T: Timer> {
    inner: S,
    limiter: Limiter<T>,
    slot: Slot<T>,
}

/// How far this service is with its next permit.
#[derive(Debug)]
enum Slot<T: Timer> {
    None,
    /// On the heap, because a service may be moved between polls, and a timer's sleep perhaps not.
    Waiting(Pin<Box<Acquire<T>>>),
    Held(Permit<T>),
}

impl<S, T: Timer> ConcurrencyLimit<S, T> {
    /// Limits `inner` by the permits of `limiter`.
    pub const fn new(inner: S, limiter: Limiter<T>) -> Self {
        Self {
            inner,
            limiter,
            slot: Slot::None,
        }
    }

    /// Returns the limiter that this service shares with its clones.
    pub const fn limiter(&self) -> &Limiter<T> {
        &self.limiter
    }

    /// Returns the inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service and gives up a permit or a place in the queue.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            self.slot = match &mut self.slot {
                Slot::Held(_) => return Poll::Ready(Ok(())),
                Slot::None => match Place::enter(&self.limiter, cx.waker()) {
                    Entry::Permit(permit) => Slot::Held(permit),
                    Entry::Full(error) => return Poll::Ready(Err(error.into())),
                    Entry::Place(place) => {
                        Slot::Waiting(Box::pin(Acquire::at(place, self.limiter.clone())))
                    }
                },
                Slot::Waiting(wait) => match ready!(wait.as_mut().poll_permit(cx)) {
                    Ok(permit) => Slot::Held(permit),
                    Err(error) => {
                        self.slot = Slot::None;
                        return Poll::Ready(Err(error.into()));
                    }
                },
            };
        }
    }
}

/// A clone shares the permits and is not ready: a permit belongs to the service that waited for it.
impl<S: Clone, T: Timer> Clone for ConcurrencyLimit<S, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.limiter.clone())
    }
}

impl<S, T, ReqBody, ResBody> Service<Request<ReqBody>> for ConcurrencyLimit<S, T>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: Into<BoxError>,
    ResBody: Body,
    T: Timer,
{
    type Response = Response<ResponseBody<ResBody, T>>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, T>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready!(self.poll_slot(cx))?;
        let inner = ready!(self.inner.poll_ready(cx));
        if inner.is_err() {
            self.slot = Slot::None;
        }
        Poll::Ready(inner.map_err(Into::into))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Slot::Held(permit) = mem::replace(&mut self.slot, Slot::None) else {
            panic!("ConcurrencyLimit has no permit: poll_ready must be called first");
        };
        let body = match self.limiter.config().release_at() {
            ReleaseAt::Headers => None,
            ReleaseAt::BodyEnd => Some(OpenBody::of(&request)),
        };
        ResponseFuture::new(self.inner.call(request), permit.used(), body)
    }
}
