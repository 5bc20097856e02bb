//! A response body that may hold a permit.

use crate::{Permit, open_bodies::OpenBody};
use egress_body_end::{BodyEnd, EndGuard, OnBodyEnd, PolledFrame, has_body};
use egress_time::Clock;
use http::StatusCode;
use http_body::{Body, SizeHint};
use pin_project_lite::pin_project;
use std::{pin::Pin, sync::Arc, task::Context};

pin_project! {
    /// The inner service's response body, with the permit of its request until it ends.
    ///
    /// Frames, trailers, size and end are those of the inner body.
    #[derive(Debug)]
    pub struct ResponseBody<B, T: Clock> {
        // Before the guard: when this is dropped, the connection is closed or handed back first, then the permit.
        #[pin]
        inner: B,
        guard: Option<EndGuard<Hold<T>>>,
    }
}

impl<B: Body, T: Clock> ResponseBody<B, T> {
    /// Leaves `permit` to a body, unless there is nothing to wait for.
    pub(crate) fn holding(
        inner: B,
        mut permit: Permit<T>,
        body: Arc<OpenBody>,
        status: StatusCode,
    ) -> Self {
        if !has_body(body.method(), status) {
            return Self::free(inner);
        }
        permit.move_to(&body);
        // If the body is at its end already, the permit is free again after this.
        let guard = EndGuard::new(&inner, Hold { permit, body });
        Self {
            inner,
            guard: Some(guard),
        }
    }
}

impl<B, T: Clock> ResponseBody<B, T> {
    /// Makes a body that holds nothing.
    pub(crate) const fn free(inner: B) -> Self {
        Self { inner, guard: None }
    }

    /// Returns the inner body.
    pub const fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Tells whether a permit is held until this body ends.
    pub fn holds_permit(&self) -> bool {
        self.guard.as_ref().is_some_and(|guard| !guard.is_over())
    }
}

impl<B: Body, T: Clock> Body for ResponseBody<B, T> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame<B> {
        let mut this = self.project();
        let Some(guard) = this.guard else {
            return this.inner.poll_frame(cx);
        };
        if let Some(hold) = guard.handler() {
            hold.body.is_asked();
        }
        let frame = this.inner.as_mut().poll_frame(cx);
        guard.observe(&*this.inner, &frame);
        if frame.is_ready()
            && let Some(hold) = guard.handler()
        {
            hold.body.has_given(hold.permit.limiter().now());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What an open body holds.
#[derive(Debug)]
struct Hold<T: Clock> {
    permit: Permit<T>,
    body: Arc<OpenBody>,
}

impl<T: Clock> OnBodyEnd for Hold<T> {
    /// However it ended, the permit is free.
    fn on_body_end(self, _: BodyEnd) {
        drop(self);
    }
}
