//! The body of an answer.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tower_egress::BoxError;

pin_project! {
    /// The body of an answer: there as a whole, or rows that are read as they are sent.
    #[derive(Debug)]
    pub struct AnswerBody<R> {
        #[pin]
        kind: Kind<R>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = Projected]
    enum Kind<R> {
        Whole { #[pin] body: Full<Bytes> },
        Rows { #[pin] body: R },
    }
}

impl<R> AnswerBody<R> {
    pub(super) const fn whole(body: Full<Bytes>) -> Self {
        let kind = Kind::Whole { body };
        Self { kind }
    }

    pub(super) const fn rows(body: R) -> Self {
        let kind = Kind::Rows { body };
        Self { kind }
    }
}

impl<R> Body for AnswerBody<R>
where
    R: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            Projected::Whole { body } => body.poll_frame(cx).map_err(|never| match never {}),
            Projected::Rows { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { body } => body.is_end_stream(),
            Kind::Rows { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { body } => body.size_hint(),
            Kind::Rows { body } => body.size_hint(),
        }
    }
}
