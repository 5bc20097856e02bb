//! A response body that may hold a permit.

use crate::{Permit, open_bodies::OpenBody};
use egress_body_end::{Bell, BodyEnd, EndGuard, OnBodyEnd, PolledFrame, has_body};
use egress_time::Clock;
use http::StatusCode;
use http_body::{Body, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

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
        // There once the body was pending while it held a permit.
        bell: Option<Arc<Bell>>,
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
            bell: None,
        }
    }
}

impl<B, T: Clock> ResponseBody<B, T> {
    /// Makes a body that holds nothing.
    pub(crate) const fn free(inner: B) -> Self {
        Self {
            inner,
            guard: None,
            bell: None,
        }
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
        let Some(hold) = guard.handler() else {
            return this.inner.poll_frame(cx);
        };
        hold.body.is_asked();
        let frame = Bell::poll(this.bell, cx, |cx| this.inner.as_mut().poll_frame(cx));
        guard.observe(&*this.inner, &frame);
        if let Some(hold) = guard.handler() {
            match (&frame, &*this.bell) {
                (Poll::Pending, Some(bell)) => hold.body.waits(bell),
                // It was given something, or did no more than look: it has to come back by itself.
                _ => hold.body.is_left_alone(hold.permit.limiter().now()),
            }
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
