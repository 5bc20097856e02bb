//! The service.

use crate::{BoxError, Budget, ChoosePolicy, ReplayBody, ResponseFuture, session::Session};
use egress_context::{RequestContext, RequestHead};
use egress_time::Timer;
use http::{Request, Response};
use http_body::Body;
use std::task::{Context, Poll};
use tower_service::Service;

/// Retries requests; see the [crate's documentation](crate).
///
/// It is always ready. Each request gets a clone of the inner service, which its future readies anew for every
/// attempt: what a ready service holds – a permit, a connection – is not held while a retry sleeps.
///
/// Clones share the budget. A clone is as ready as the original, since nothing is reserved in either.
#[derive(Clone, Debug)]
pub struct Backoff<S, P, T> {
    inner: S,
    policy: P,
    budget: Budget,
    timer: T,
}

impl<S, P, T> Backoff<S, P, T> {
    /// Makes a service that sends through `inner`.
    pub const fn new(inner: S, policy: P, budget: Budget, timer: T) -> Self {
        Self {
            inner,
            policy,
            budget,
            timer,
        }
    }

    /// Returns the budget that pays for the retries.
    pub const fn budget(&self) -> &Budget {
        &self.budget
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

impl<S, P, T, B, ResB> Service<Request<B>> for Backoff<S, P, T>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<ResB>> + Clone,
    S::Error: Into<BoxError>,
    P: ChoosePolicy,
    T: Timer,
    B: Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResB>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, T>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let context = RequestContext::join(request.extensions_mut());
        let head = RequestHead::of(&request);
        let policy = self.policy.choose(&head);
        let is_idempotent = policy.is_idempotent(&head);
        let session = Session::new(policy, self.budget.clone(), context, is_idempotent);
        // The clone was never ready; its future readies it.
        ResponseFuture::new(self.inner.clone(), self.timer.clone(), session, request)
    }
}
