//! A body with a guard.

use crate::{EndGuard, OnBodyEnd, PolledFrame};
use http_body::{Body, SizeHint};
use pin_project_lite::pin_project;
use std::{pin::Pin, task::Context};

pin_project! {
    /// A body that tells its handler exactly once how it ended.
    ///
    /// Frames, trailers, size and end are those of the inner body.
    #[derive(Debug)]
    pub struct ObservedBody<B, H: OnBodyEnd> {
        // Before `inner`: what is tied to the body is told of its end before the body itself is dropped, so that
        // "dropped" is seen as such even if the inner body's drop runs other code.
        guard: EndGuard<H>,
        #[pin]
        inner: B,
    }
}

impl<B: Body, H: OnBodyEnd> ObservedBody<B, H> {
    /// Wraps `inner`; if it is already at its end, `handler` is told before this returns.
    pub fn new(inner: B, handler: H) -> Self {
        Self {
            guard: EndGuard::new(&inner, handler),
            inner,
        }
    }
}

impl<B, H: OnBodyEnd> ObservedBody<B, H> {
    /// Returns the inner body.
    pub const fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Returns the guard, to look at its handler or to report an end that the body does not know of.
    pub fn guard(self: Pin<&mut Self>) -> &mut EndGuard<H> {
        self.project().guard
    }
}

impl<B: Body, H: OnBodyEnd> Body for ObservedBody<B, H> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame<B> {
        let mut this = self.project();
        let frame = this.inner.as_mut().poll_frame(cx);
        this.guard.observe(&*this.inner, &frame);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.guard.tell(self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
