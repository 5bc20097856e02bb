//! The future of a request and all its attempts.

use crate::{
    BoxError, ReplayBody,
    collect::{Collect, Collected},
    session::Session,
};
use egress_context::Failure;
use egress_time::{Instant, SleepUntil, Timer};
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;

pin_project! {
    /// Sends a request until its answer is good, or no other attempt is to be made.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the present attempt, or the wait for the next, and gives back the price of a retry that
    /// was not sent. No timer and no task is left.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, T>
    where
        S: Service<Request<ReplayBody<B>>>,
        T: Timer,
    {
        inner: S,
        timer: T,
        session: Session,
        #[pin]
        state: State<B, S::Future, T>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B, F, T: Timer> {
        Collecting { parts: Option<Parts>, #[pin] body: Collect<B> },
        Readying { request: Option<Request<ReplayBody<B>>>, since: Option<Instant> },
        Calling { #[pin] future: F },
        Sleeping { #[pin] sleep: SleepUntil<T> },
        Done,
    }
}

impl<B: Body, F, T: Timer> State<B, F, T> {
    const fn readying(request: Request<ReplayBody<B>>) -> Self {
        Self::Readying {
            request: Some(request),
            since: None,
        }
    }

    /// Gives everything up; now, and not when the finished future happens to be dropped.
    fn end(mut self: Pin<&mut Self>, session: &mut Session) {
        session.end();
        self.set(Self::Done);
    }
}

impl<S, B, T> ResponseFuture<S, B, T>
where
    S: Service<Request<ReplayBody<B>>>,
    B: Body,
    T: Timer,
{
    /// Starts a request. A body of exactly known size, up to what is buffered, is read into memory first.
    pub(crate) fn new(inner: S, timer: T, mut session: Session, request: Request<B>) -> Self {
        let state = if request.body().is_end_stream() {
            let body = Collected::default();
            session.first(&request, Some(&body));
            State::readying(request.map(|_| ReplayBody::whole(body)))
        } else if let Some(stated) = stated(request.body(), session.max_buffered()) {
            let (parts, body) = request.into_parts();
            State::Collecting {
                parts: Some(parts),
                body: Collect::new(body, stated),
            }
        } else {
            session.first(&request, None);
            State::readying(request.map(ReplayBody::streamed))
        };
        Self {
            inner,
            timer,
            session,
            state,
        }
    }
}

impl<S, B, T, ResB> Future for ResponseFuture<S, B, T>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<ResB>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
    T: Timer,
{
    type Output = Result<Response<ResB>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Whatever is ready is returned from where it is found: a response is too large to be handed around.
        loop {
            match this.state.as_mut().project() {
                StateProj::Collecting { parts, body } => match ready!(body.poll(cx)) {
                    Ok(body) => {
                        let parts = parts.take().expect("taken when the body is there");
                        let request = Request::from_parts(parts, ());
                        this.session.first(&request, Some(&body));
                        let request = request.map(|()| ReplayBody::whole(body));
                        this.state.set(State::readying(request));
                    }
                    Err(error) => {
                        this.state.end(this.session);
                        return Poll::Ready(Err(error));
                    }
                },
                StateProj::Readying { request, since } => {
                    let Poll::Ready(ready) = this.inner.poll_ready(cx) else {
                        since.get_or_insert_with(|| this.timer.now());
                        return Poll::Pending;
                    };
                    let context = this.session.context();
                    if let Some(since) = since.take() {
                        context.add_queue_wait(this.timer.now() - since);
                    }
                    if let Err(error) = ready {
                        // A service that is not ready for this request is not ready for the next either.
                        if context.failure().is_none() {
                            context.fail(Failure::Refused);
                        }
                        this.session.refused();
                        let info = this.session.info(None, None);
                        let error = this.session.explain(error.into(), info);
                        this.state.end(this.session);
                        return Poll::Ready(Err(error));
                    }
                    let request = request.take().expect("taken when it is sent");
                    this.session.sent();
                    let future = this.inner.call(request);
                    this.state.set(State::Calling { future });
                }
                StateProj::Calling { future } => {
                    let until = match ready!(future.poll(cx)) {
                        Ok(mut response) => match this.session.after(&response, this.timer) {
                            ControlFlow::Break(info) => {
                                if let Some(info) = info {
                                    response.extensions_mut().insert(info);
                                }
                                this.state.end(this.session);
                                return Poll::Ready(Ok(response));
                            }
                            ControlFlow::Continue(until) => {
                                // Before the sleep: its body holds a connection, and perhaps a permit.
                                drop(response);
                                until
                            }
                        },
                        Err(error) => {
                            let error = error.into();
                            match this.session.after_error(&error, this.timer) {
                                ControlFlow::Break(info) => {
                                    let error = this.session.explain(error, info);
                                    this.state.end(this.session);
                                    return Poll::Ready(Err(error));
                                }
                                ControlFlow::Continue(until) => until,
                            }
                        }
                    };
                    this.session.context().attempt_over();
                    let sleep = SleepUntil::new(this.timer.clone(), until);
                    this.state.set(State::Sleeping { sleep });
                }
                StateProj::Sleeping { sleep } => {
                    ready!(sleep.poll(cx));
                    let again = this.session.again();
                    let request = again.expect("only a request that was kept is planned again");
                    this.state.set(State::readying(request));
                }
                StateProj::Done => panic!("ResponseFuture polled after it was ready"),
            }
        }
    }
}

/// Returns the stated size of a body that is small enough to keep.
fn stated(body: &impl Body, most: usize) -> Option<usize> {
    let exact = usize::try_from(body.size_hint().exact()?).ok()?;
    (exact <= most).then_some(exact)
}

impl<S, B, T> fmt::Debug for ResponseFuture<S, B, T>
where
    S: Service<Request<ReplayBody<B>>>,
    T: Timer,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Collecting { .. } => "collecting",
            State::Readying { .. } => "readying",
            State::Calling { .. } => "calling",
            State::Sleeping { .. } => "sleeping",
            State::Done => "done",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .field("attempts", &self.session.attempts())
            .finish_non_exhaustive()
    }
}
