//! The body of a request, which has to come in time.

use axum::BoxError;
use http_body::{Body, Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tower_egress::{Clock, SleepUntil, TokioTimer};

/// How long the whole of it may take, from when somebody begins to read it: eight megabytes at a megabit a second.
pub(super) const MOST: Duration = Duration::from_secs(60);

/// A body that breaks off when it is not there in 60 s: one that drips would hold a connection for ever.
pub(super) struct InTime<B> {
    body: B,
    until: Option<Pin<Box<SleepUntil<TokioTimer>>>>,
}

impl<B> InTime<B> {
    pub(super) const fn new(body: B) -> Self {
        Self { body, until: None }
    }
}

impl<B> Body for InTime<B>
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let until = self.until.get_or_insert_with(|| {
            let timer = TokioTimer::new();
            Box::pin(SleepUntil::new(timer, timer.now() + MOST))
        });
        let late = until.as_mut().poll(cx);
        late.map(|_| Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
