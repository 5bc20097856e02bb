//! The future of a response.

use crate::{
    BoxError, Executor, ResponseBody, Task,
    capturing::{Captured, Capturing},
    shared::Shared,
};
use bytes::Bytes;
use egress_body_end::has_body;
use egress_time::{Instant, Timer};
use http::{Method, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

pin_project! {
    /// A future of a response whose body keeps its connection no longer than it is read.
    ///
    /// It is ready with the inner future, or, where the body is [captured](crate::Capture), a bounded time
    /// later.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner future, or disposes of the body that is being captured.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B, T, X>
    where
        B: Body<Data = Bytes>,
        T: Timer,
        X: Executor<Task<B, T>>,
    {
        #[pin]
        state: State<F, B, T, X>,
    }
}

pin_project! {
    #[project = StateProjected]
    enum State<F, B, T, X>
    where
        B: Body<Data = Bytes>,
        T: Timer,
        X: Executor<Task<B, T>>,
    {
        Waiting { #[pin] response: F, call: Call<B, T, X> },
        Capturing { #[pin] capturing: Capturing<B, T, X>, head: Response<()> },
        Done,
    }
}

/// What is remembered of a request.
pub(crate) struct Call<B, T, X> {
    pub(crate) shared: Arc<Shared<B, T, X>>,
    pub(crate) method: Method,
    pub(crate) deadline: Option<Instant>,
}

impl<F, B, T, X> ResponseFuture<F, B, T, X>
where
    B: Body<Data = Bytes>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    pub(crate) const fn new(response: F, call: Call<B, T, X>) -> Self {
        Self {
            state: State::Waiting { response, call },
        }
    }
}

impl<F, E, B, T, X> Future for ResponseFuture<F, B, T, X>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    type Output = Result<Response<ResponseBody<B, T, X>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjected::Waiting { response, call } => {
                    let response = match ready!(response.poll(cx)) {
                        Ok(response) => response,
                        Err(error) => {
                            state.set(State::Done);
                            return Poll::Ready(Err(error));
                        }
                    };
                    let captures = call.captures(&response);
                    let (shared, deadline) = (Arc::clone(&call.shared), call.deadline);
                    let (head, body) = response.into_parts();
                    let head = Response::from_parts(head, ());
                    if !captures {
                        state.set(State::Done);
                        let body = ResponseBody::for_caller(body, shared);
                        return Poll::Ready(Ok(head.map(|()| body)));
                    }
                    state.set(State::Capturing {
                        capturing: Capturing::new(body, &shared, deadline),
                        head,
                    });
                }
                StateProjected::Capturing { capturing, head } => {
                    let shared = capturing.shared();
                    let Captured { copy, replay } = ready!(capturing.poll(cx));
                    let mut response = mem::take(head);
                    // The rest of the body goes before the caller sees the response.
                    state.set(State::Done);
                    response.extensions_mut().insert(copy);
                    let body = ResponseBody::captured(replay, shared);
                    return Poll::Ready(Ok(response.map(|()| body)));
                }
                StateProjected::Done => panic!("a ResponseFuture was polled after it was ready"),
            }
        }
    }
}

impl<B: Body, T, X> Call<B, T, X> {
    fn captures(&self, response: &Response<B>) -> bool {
        let body = response.body();
        self.shared.capture.applies_to(response.status())
            && has_body(&self.method, response.status())
            && !body.is_end_stream()
            && body.size_hint().exact() != Some(0)
    }
}

impl<F, B, T, X> fmt::Debug for ResponseFuture<F, B, T, X>
where
    B: Body<Data = Bytes>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Waiting { .. } => "ResponseFuture(waiting)",
            State::Capturing { .. } => "ResponseFuture(capturing)",
            State::Done => "ResponseFuture(done)",
        })
    }
}
