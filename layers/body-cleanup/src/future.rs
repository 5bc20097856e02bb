//! The future of a response.

use crate::{BoxError, Executor, ResponseBody, Task, capturing::Capturing, shared::Shared};
use bytes::Bytes;
use egress_body_end::BodyRule;
use egress_time::{Instant, Timer};
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
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
        // The call is taken when the response has come.
        Waiting { #[pin] response: F, call: Option<Call<B, T, X>> },
        // Boxed: it is larger than most futures, and few responses are errors.
        Capturing { capturing: Pin<Box<Capturing<B, T, X>>> },
        Done,
    }
}

/// What is remembered of a request.
pub(crate) struct Call<B, T, X> {
    pub(crate) shared: Arc<Shared<B, T, X>>,
    pub(crate) rule: BodyRule,
    pub(crate) deadline: Instant,
}

impl<F, B, T, X> ResponseFuture<F, B, T, X>
where
    B: Body<Data = Bytes>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    pub(crate) const fn new(response: F, call: Call<B, T, X>) -> Self {
        Self {
            state: State::Waiting {
                response,
                call: Some(call),
            },
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
            let result = match state.as_mut().project() {
                StateProjected::Waiting { response, call } => {
                    let response = ready!(response.poll(cx));
                    let call = call.take().expect("taken only with the response");
                    match response {
                        Ok(response) if call.captures(&response) => {
                            let capturing = Box::pin(Capturing::new(response, call));
                            state.set(State::Capturing { capturing });
                            continue;
                        }
                        Ok(response) => Ok(response
                            .map(|body| ResponseBody::new(body, call.shared, call.deadline))),
                        Err(error) => Err(error),
                    }
                }
                StateProjected::Capturing { capturing } => Ok(ready!(capturing.as_mut().poll(cx))),
                StateProjected::Done => panic!("a ResponseFuture was polled after it was ready"),
            };
            // What is left of a captured body goes before the caller sees the response.
            state.set(State::Done);
            return Poll::Ready(result);
        }
    }
}

impl<B: Body, T, X> Call<B, T, X> {
    fn captures(&self, response: &Response<B>) -> bool {
        let body = response.body();
        self.shared.capture.applies_to(response.status())
            && self.rule.allows(response.status())
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
