//! The service.

use crate::{BoxError, RequestHead, ResponseFuture, Route, waits::Waits};
use egress_context::RequestContext;
use egress_time::Timer;
use http::{Request, Response};
use std::task::{Context, Poll};
use tower_service::Service;

/// Has each request depart when its buckets allow; see the [crate's documentation](crate).
///
/// It is always ready. A request waits in its own future, which asks a clone of the inner service to be ready when
/// the slot is due: whatever that reserves, a connection for instance, is not kept from others meanwhile.
///
/// # Errors
///
/// The future fails with [`RateLimited`](crate::RateLimited) when a bucket refuses the request, and with the inner
/// service's errors.
#[derive(Debug)]
pub struct TokenBucket<S, R, T> {
    inner: S,
    route: R,
    timer: T,
}

impl<S, R, T> TokenBucket<S, R, T> {
    /// Has each request to `inner` pay the buckets that `route` finds, and sleep on `timer`.
    pub const fn new(inner: S, route: R, timer: T) -> Self {
        Self {
            inner,
            route,
            timer,
        }
    }

    /// Returns the inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// A clone shares the buckets. There is no readiness to inherit: the inner service is never made ready here.
impl<S: Clone, R: Clone, T: Clone> Clone for TokenBucket<S, R, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.route.clone(), self.timer.clone())
    }
}

impl<S, R, T, ReqBody, ResBody> Service<Request<ReqBody>> for TokenBucket<S, R, T>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    S::Error: Into<BoxError>,
    R: Route,
    T: Timer,
{
    type Response = Response<ResBody>;
    type Error = BoxError;
    type Future = ResponseFuture<S, T, ReqBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let context = RequestContext::current(request.extensions());
        let head = RequestHead::of(&request);
        let buckets = self.route.route(&head);
        let fare = buckets.map(|buckets| (buckets, self.route.cost(&head)));
        let waits = Waits::new(context, self.timer.clone());
        ResponseFuture::new(self.inner.clone(), self.timer.clone(), request, waits, fare)
    }
}
