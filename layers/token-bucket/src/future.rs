//! The way of one request, to the reply.

use crate::{
    BoxError, BucketSet, Cost, Departure, approach::Approach, feedback::learn, waits::Waits,
};
use egress_time::Timer;
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;

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
        #[pin]
        state: State<S, T, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, T: Timer, B, F> {
        Approach {
            #[pin]
            approach: Approach<S, T, B>,
        },
        Reply {
            // Before the departure: the request is aborted before others are told that they may go.
            #[pin]
            reply: F,
            departure: Option<Departure>,
            timer: T,
        },
        Done,
    }
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
        waits: Waits<T>,
        fare: Option<(BucketSet, Cost)>,
    ) -> Self {
        let approach = Approach::new(inner, timer, request, waits, fare);
        Self {
            state: State::Approach { approach },
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            // A finished future may live on; whatever it has is given back when there is a result.
            match state.as_mut().project() {
                StateProj::Approach { mut approach } => {
                    match ready!(approach.as_mut().poll_departure(cx)) {
                        Ok((now, departure)) => {
                            let timer = approach.timer().clone();
                            let reply = approach.call(now);
                            state.set(State::Reply {
                                reply,
                                departure,
                                timer,
                            });
                        }
                        Err(error) => {
                            state.set(State::Done);
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                StateProj::Reply {
                    reply,
                    departure,
                    timer,
                } => {
                    return Poll::Ready(match ready!(reply.poll(cx)) {
                        Ok(response) => {
                            if let Some(departure) = departure.take() {
                                learn(departure, &response, timer);
                            }
                            state.set(State::Done);
                            Ok(response)
                        }
                        Err(error) => {
                            state.set(State::Done);
                            Err(error.into())
                        }
                    });
                }
                StateProj::Done => panic!("polled after it was ready"),
            }
        }
    }
}

impl<S, T, B> fmt::Debug for ResponseFuture<S, T, B>
where
    S: Service<Request<B>>,
    T: Timer,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Approach { approach } => approach.phase(),
            State::Reply { .. } => "sent",
            State::Done => "done",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
