//! The body that is measured.

use crate::measurement::Measurement;
use egress_body_end::ObservedBody;
use egress_time::Clock;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// A response body that records its request when it ends.
    ///
    /// Frames, trailers, errors, size and end are those of the inner body.
    #[derive(Debug)]
    pub struct ResponseBody<B, T: Clock> {
        #[pin]
        inner: ObservedBody<B, Measurement<T>>,
    }
}

impl<B: Body, T: Clock> ResponseBody<B, T> {
    pub(crate) fn new(inner: B, measurement: Measurement<T>) -> Self {
        Self {
            inner: ObservedBody::new(inner, measurement),
        }
    }
}

impl<B, T: Clock> ResponseBody<B, T> {
    /// Returns the inner body.
    pub const fn get_ref(&self) -> &B {
        self.inner.get_ref()
    }
}

impl<B: Body, T: Clock> Body for ResponseBody<B, T> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
