//! The future that gives up in time.

use crate::{BoxError, ResponseBody, TimedOut, limits::Limits};
use egress_time::{Instant, SleepUntil, Timer};
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// Waits for the response, but not for longer than it may take.
    ///
    /// The inner future is asked first and the clock second, so a response that is there is never lost. At expiry the
    /// inner future is dropped before the error is returned.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner future and the timer.
    ///
    /// # Panics
    ///
    /// When it is polled after it was ready.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, T: Timer> {
        #[pin]
        state: State<F, T>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, T: Timer> {
        Unlimited { #[pin] inner: F },
        Limited {
            #[pin] inner: F,
            #[pin] sleep: SleepUntil<T>,
            // Taken when the headers are there, for the body.
            limits: Option<Limits>,
        },
        // It was too late before anything was sent.
        Expired { timed_out: TimedOut },
        Done,
    }
}

impl<F, T: Timer> ResponseFuture<F, T> {
    pub(crate) const fn unlimited(inner: F) -> Self {
        Self {
            state: State::Unlimited { inner },
        }
    }

    pub(crate) fn limited(inner: F, timer: T, limits: Limits) -> Self {
        Self {
            state: State::Limited {
                inner,
                sleep: SleepUntil::new(timer, limits.end),
                limits: Some(limits),
            },
        }
    }

    pub(crate) const fn expired(timed_out: TimedOut) -> Self {
        Self {
            state: State::Expired { timed_out },
        }
    }
}

impl<F, T, B, E> Future for ResponseFuture<F, T>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
    T: Timer,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B, T>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        // A finished future is emptied now, and not when somebody drops it: that drops the inner one and the timer.
        let error = match state.as_mut().project() {
            StateProj::Unlimited { inner } => match ready!(inner.poll(cx)) {
                Ok(response) => {
                    state.set(State::Done);
                    return Poll::Ready(Ok(response.map(ResponseBody::unlimited)));
                }
                Err(error) => error.into(),
            },
            StateProj::Limited {
                inner,
                mut sleep,
                limits,
            } => match inner.poll(cx) {
                Poll::Ready(Ok(response)) => {
                    let limits = limits.take().and_then(Limits::for_body);
                    let timer = sleep.timer().clone();
                    state.set(State::Done);
                    return Poll::Ready(Ok(response.map(|body| match limits {
                        None => ResponseBody::unlimited(body),
                        Some(limits) => ResponseBody::limited(body, timer, limits),
                    })));
                }
                Poll::Ready(Err(error)) => error.into(),
                Poll::Pending => {
                    if sleep.deadline() == Instant::FAR_FUTURE {
                        return Poll::Pending;
                    }
                    ready!(sleep.as_mut().poll(cx));
                    let limits = limits.as_ref().expect("taken only with the response");
                    limits.expired_before_headers(sleep.timer().now()).into()
                }
            },
            StateProj::Expired { timed_out } => (*timed_out).into(),
            StateProj::Done => panic!("a response was polled again after it was ready"),
        };
        state.set(State::Done);
        Poll::Ready(Err(error))
    }
}

impl<F, T: Timer> fmt::Debug for ResponseFuture<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, limits) = match &self.state {
            State::Unlimited { .. } => ("Unlimited", None),
            State::Limited { limits, .. } => ("Limited", limits.as_ref()),
            State::Expired { .. } => ("Expired", None),
            State::Done => ("Done", None),
        };
        f.debug_struct("ResponseFuture")
            .field("state", &name)
            .field("limits", &limits)
            .finish_non_exhaustive()
    }
}
