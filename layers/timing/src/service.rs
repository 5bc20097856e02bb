//! The service.

use crate::{
    Label, Recorder, ResponseBody, ResponseFuture, Tally, Unlabelled, measurement::Measurement,
};
use egress_time::Clock;
use http::{Request, Response};
use std::task::{Context, Poll};
use tower_service::Service;

/// Measures every request and records it; see [`TimingLayer`](crate::TimingLayer).
///
/// It passes readiness and errors through as they are.
#[derive(Debug)]
pub struct Timing<S, T, L = Unlabelled> {
    inner: S,
    timer: T,
    recorder: Recorder,
    tally: Option<Tally>,
    label: L,
}

impl<S, T> Timing<S, T> {
    /// Wraps `inner` with the defaults of [`TimingLayer`](crate::TimingLayer).
    pub const fn new(inner: S, timer: T, recorder: Recorder) -> Self {
        Self::labelled(inner, timer, recorder, Unlabelled)
    }
}

impl<S, T, L> Timing<S, T, L> {
    pub(crate) const fn labelled(inner: S, timer: T, recorder: Recorder, label: L) -> Self {
        Self {
            inner,
            timer,
            recorder,
            tally: None,
            label,
        }
    }

    /// Counts the requests of this service in `tally` as well, and in no other one that it was told of before.
    ///
    /// The tally is one [of this service's recorder](Recorder::tally); in another's, all requests count as unlabelled.
    #[must_use]
    pub fn with_tally(mut self, tally: Tally) -> Self {
        self.tally = Some(tally);
        self
    }

    /// Returns the tally that it was told of.
    pub const fn tally(&self) -> Option<&Tally> {
        self.tally.as_ref()
    }

    /// Returns the recorder.
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
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

impl<S, T, L, ReqBody, ResBody> Service<Request<ReqBody>> for Timing<S, T, L>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    T: Clock + Clone,
    L: Label,
    ResBody: http_body::Body,
{
    type Response = Response<ResponseBody<ResBody, T>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, T>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let measurement = Measurement::start(
            self.timer.clone(),
            self.recorder.clone(),
            self.tally.clone(),
            &self.label,
            &mut request,
        );
        let response = measurement.during(|| self.inner.call(request));
        ResponseFuture::new(response, measurement)
    }
}

/// A clone is as ready as a clone of the inner service, which is not at all: readiness belongs to whoever waited for
/// it.
impl<S: Clone, T: Clone, L: Clone> Clone for Timing<S, T, L> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            timer: self.timer.clone(),
            recorder: self.recorder.clone(),
            tally: self.tally.clone(),
            label: self.label.clone(),
        }
    }
}
