//! The layer and the service that bound one attempt.

use crate::{
    AttemptTimeout, BodyIdleTimeout, Bound, BoxError, ResponseBody, ResponseFuture, limits::Limits,
};
use egress_context::RequestContext;
use egress_time::Timer;
use http::{Request, Response};
use std::{
    task::{Context, Poll},
    time::Duration,
};
use tower_layer::Layer;
use tower_service::Service;

/// Bounds the time of one attempt, from the moment it is sent.
///
/// It belongs directly around the transport, inside of every queue and of the retries.
///
/// # Defaults
///
/// - attempt timeout: 30 s, to the response's headers
/// - body idle timeout: 30 s
#[derive(Clone, Debug)]
pub struct TimeoutLayer<T> {
    timer: T,
    settings: Settings,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    timeout: Duration,
    until_body_end: bool,
    body_idle: Duration,
}

impl<T> TimeoutLayer<T> {
    /// Makes a layer with the defaults.
    pub const fn new(timer: T) -> Self {
        Self {
            timer,
            settings: Settings {
                timeout: Duration::from_secs(30),
                until_body_end: false,
                body_idle: Duration::from_secs(30),
            },
        }
    }

    /// Sets how long an attempt may take; [`Duration::MAX`] means for ever.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Lets the attempt timeout cover the body as well, instead of only the time to the headers.
    #[must_use]
    pub fn until_body_end(mut self) -> Self {
        self.settings.until_body_end = true;
        self
    }

    /// Sets how long a body may stall; [`Duration::MAX`] means for ever.
    ///
    /// The time runs from a poll that found nothing to the next frame. A body that nobody polls does not stall, it is
    /// ignored, which is another layer's concern; one that is slow but alive may take as long as it likes.
    #[must_use]
    pub fn with_body_idle(mut self, body_idle: Duration) -> Self {
        self.settings.body_idle = body_idle;
        self
    }

    /// Returns how long an attempt may take.
    pub const fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Tells whether the attempt timeout covers the body.
    pub const fn covers_body(&self) -> bool {
        self.settings.until_body_end
    }

    /// Returns how long a body may stall.
    pub const fn body_idle(&self) -> Duration {
        self.settings.body_idle
    }
}

impl<S, T: Clone> Layer<S> for TimeoutLayer<T> {
    type Service = Timeout<S, T>;

    fn layer(&self, inner: S) -> Timeout<S, T> {
        Timeout {
            inner,
            timer: self.timer.clone(),
            settings: self.settings,
        }
    }
}

/// Bounds the time of one attempt; see [`TimeoutLayer`].
#[derive(Debug)]
pub struct Timeout<S, T> {
    inner: S,
    timer: T,
    settings: Settings,
}

impl<S, T: Timer> Timeout<S, T> {
    /// Wraps `inner` with the defaults of [`TimeoutLayer`].
    pub fn new(inner: S, timer: T) -> Self {
        TimeoutLayer::new(timer).layer(inner)
    }
}

impl<S, T> Timeout<S, T> {
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

impl<S, T, ReqBody, ResBody> Service<Request<ReqBody>> for Timeout<S, T>
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

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let timeout = extensions
            .get()
            .map_or(self.settings.timeout, |AttemptTimeout(own)| *own);
        let body_idle = extensions
            .get()
            .map_or(self.settings.body_idle, |BodyIdleTimeout(own)| *own);
        let context = RequestContext::current(extensions);
        let start = match &context {
            Some(context) => {
                let start = context.now(&self.timer);
                context.dispatched_at(start);
                start
            }
            None => self.timer.now(),
        };
        let limits = Limits {
            start,
            end: start + timeout,
            bound: Bound::Attempt,
            covers_body: self.settings.until_body_end,
            body_idle,
            attempt: context.as_ref().map_or(0, RequestContext::attempts),
            context,
        };
        ResponseFuture::limited(self.inner.call(request), self.timer.clone(), limits)
    }
}

/// A clone is as ready as a clone of the inner service, which is not at all: readiness belongs to whoever waited for
/// it.
impl<S: Clone, T: Clone> Clone for Timeout<S, T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            timer: self.timer.clone(),
            settings: self.settings,
        }
    }
}
