//! The layer and the service that bound a whole request.

use crate::{Bound, BoxError, RequestTimeout, ResponseBody, ResponseFuture, limits::Limits};
use egress_context::RequestContext;
use egress_time::Timer;
use http::{Request, Response};
use std::{
    task::{Context, Poll},
    time::Duration,
};
use tower_layer::Layer;
use tower_service::Service;

/// Bounds the time of a whole request: queues, attempts, the sleeps between them, and the body.
///
/// It belongs outside of the retries. The layers inside learn the deadline from the request's
/// [`RequestContext`] and need not start what cannot end in time. An earlier deadline of an outer layer is kept, and
/// enforced here as well.
///
/// # Defaults
///
/// - total: none; only requests with a [`RequestTimeout`] have a deadline
#[derive(Clone, Debug)]
pub struct DeadlineLayer<T> {
    timer: T,
    total: Option<Duration>,
}

impl<T> DeadlineLayer<T> {
    /// Makes a layer with the defaults.
    pub const fn new(timer: T) -> Self {
        Self { timer, total: None }
    }

    /// Sets how long a request may take; [`Duration::MAX`] means for ever.
    #[must_use]
    pub fn with_total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// Returns how long a request may take, if that is bounded.
    pub const fn total(&self) -> Option<Duration> {
        self.total
    }
}

impl<S, T: Clone> Layer<S> for DeadlineLayer<T> {
    type Service = Deadline<S, T>;

    fn layer(&self, inner: S) -> Deadline<S, T> {
        Deadline {
            inner,
            timer: self.timer.clone(),
            total: self.total,
        }
    }
}

/// Bounds the time of a whole request; see [`DeadlineLayer`].
#[derive(Debug)]
pub struct Deadline<S, T> {
    inner: S,
    timer: T,
    total: Option<Duration>,
}

impl<S, T: Timer> Deadline<S, T> {
    /// Wraps `inner` with the defaults of [`DeadlineLayer`].
    pub fn new(inner: S, timer: T) -> Self {
        DeadlineLayer::new(timer).layer(inner)
    }
}

impl<S, T> Deadline<S, T> {
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

impl<S, T: Timer> Deadline<S, T> {
    /// Returns the limits of a request, if it has a deadline, its own or an outer layer's.
    fn limits<B>(&self, request: &mut Request<B>) -> Option<Limits> {
        let own = request.extensions().get().map(|RequestTimeout(own)| *own);
        let (context, start) = match own.or(self.total) {
            Some(total) => {
                let context = RequestContext::join(request.extensions_mut());
                let start = context.now(&self.timer);
                context.limit_deadline(start + total);
                (context, Some(start))
            }
            None => (RequestContext::current(request.extensions())?, None),
        };
        let end = context.deadline()?;
        Some(Limits {
            start: start.unwrap_or_else(|| context.now(&self.timer)),
            end,
            bound: Bound::Deadline,
            covers_body: true,
            body_idle: Duration::MAX,
            attempt: 0,
            context: Some(context),
        })
    }
}

impl<S, T, ReqBody, ResBody> Service<Request<ReqBody>> for Deadline<S, T>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: Into<BoxError>,
    T: Timer,
    ResBody: http_body::Body,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<ResBody, T>>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, T>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let limits = self.limits(&mut request);
        // Called even if it is too late: that takes back the readiness, and an unpolled future sends nothing.
        let response = self.inner.call(request);
        match limits {
            None => ResponseFuture::unlimited(response),
            Some(limits) if limits.end <= limits.start => {
                drop(response);
                ResponseFuture::expired(limits.expired_before_headers(limits.start))
            }
            Some(limits) => ResponseFuture::limited(response, self.timer.clone(), limits),
        }
    }
}

/// A clone is as ready as a clone of the inner service, which is not at all: readiness belongs to whoever waited for
/// it.
impl<S: Clone, T: Clone> Clone for Deadline<S, T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            timer: self.timer.clone(),
            total: self.total,
        }
    }
}
