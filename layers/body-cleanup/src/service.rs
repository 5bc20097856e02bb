//! The service.

use crate::{
    BodyCleanupLayer, BoxError, Executor, NoExecutor, ResponseBody, ResponseFuture, Stats, Task,
    future::Call,
    shared::{Shared, cancel_idle},
};
use bytes::Bytes;
use egress_body_end::BodyRule;
use egress_context::RequestContext;
use egress_time::{Instant, SleepUntil, Timer};
use http::{Request, Response};
use http_body::Body;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;

/// Frees the connections of responses that are not read to their end.
///
/// See the [crate's documentation](crate) for what it does and where it stacks.
///
/// # Readiness
///
/// It is the inner service's. While that is pending, `poll_ready` sleeps until the next body can have become
/// idle, cancels those that have, and asks the inner service again.
///
/// # Errors
///
/// Those of the inner service; this layer refuses nothing.
pub struct BodyCleanup<S, B, T: Timer, X = NoExecutor> {
    inner: S,
    shared: Arc<Shared<B, T, X>>,
    /// Set while the inner service is pending: until when nothing can have become idle.
    rescue: Option<Pin<Box<SleepUntil<T>>>>,
}

impl<S, B, T: Timer> BodyCleanup<S, B, T> {
    /// Wraps `inner`, with the defaults of [`BodyCleanupLayer`].
    pub fn new(inner: S, timer: T) -> Self {
        BodyCleanupLayer::new(timer).layer(inner)
    }
}

impl<S, B, T: Timer, X> BodyCleanup<S, B, T, X> {
    pub(crate) const fn from_shared(inner: S, shared: Arc<Shared<B, T, X>>) -> Self {
        Self {
            inner,
            shared,
            rescue: None,
        }
    }

    /// Returns a handle on the counts.
    pub fn stats(&self) -> Stats {
        self.shared.stats.clone()
    }

    /// Returns the inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Unwraps the inner service. Bodies that were handed out stay as they are.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, R, B, T, X> Service<Request<R>> for BodyCleanup<S, B, T, X>
where
    S: Service<Request<R>, Response = Response<B>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    type Response = Response<ResponseBody<B, T, X>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B, T, X>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        loop {
            if let Poll::Ready(ready) = self.inner.poll_ready(cx) {
                self.rescue = None;
                return Poll::Ready(ready);
            }
            let Shared { shelf, timer, .. } = &*self.shared;
            let Some(shelf) = shelf else {
                return Poll::Pending;
            };
            if let Some(rescue) = &mut self.rescue {
                ready!(rescue.as_mut().poll(cx));
            }
            let next = cancel_idle(shelf, timer.now());
            match &mut self.rescue {
                Some(rescue) => rescue.as_mut().reset(next),
                rescue => *rescue = Some(Box::pin(SleepUntil::new(timer.clone(), next))),
            }
            // What was cancelled may have made the inner service ready, and if not, the sleep must be polled.
        }
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let context = RequestContext::current(request.extensions());
        let call = Call {
            shared: Arc::clone(&self.shared),
            rule: BodyRule::of(request.method()),
            deadline: context
                .and_then(|context| context.deadline())
                .unwrap_or(Instant::FAR_FUTURE),
        };
        ResponseFuture::new(self.inner.call(request), call)
    }
}

/// Not derived: a clone is not ready and waits for nothing, and it needs no clone of a body.
impl<S: Clone, B, T: Timer, X> Clone for BodyCleanup<S, B, T, X> {
    fn clone(&self) -> Self {
        Self::from_shared(self.inner.clone(), Arc::clone(&self.shared))
    }
}

impl<S: fmt::Debug, B, T: Timer, X> fmt::Debug for BodyCleanup<S, B, T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyCleanup")
            .field("inner", &self.inner)
            .field("waiting", &self.rescue.is_some())
            .finish_non_exhaustive()
    }
}
