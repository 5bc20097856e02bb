//! The body that is not waited for in vain.

use crate::{BoxError, limits::Limits, wait::Wait};
use egress_body_end::{BodyEnd, EndGuard};
use egress_time::Timer;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// A response body that is given up when its time is over.
    ///
    /// Frames, trailers, size and end are those of the inner body. A frame that is there when the time is over is
    /// delivered, and after it the end of the body if that is there too. Otherwise the inner body is dropped, the
    /// error is yielded once, and then nothing more.
    ///
    /// The timer is armed when the body is first waited for, and dropped with the body's end.
    #[derive(Debug)]
    pub struct ResponseBody<B, T: Timer> {
        // None where there is nothing to enforce.
        guard: Option<EndGuard<Wait<T>>>,
        // None once it was given up.
        #[pin]
        inner: Option<B>,
    }
}

impl<B, T: Timer> ResponseBody<B, T> {
    pub(crate) const fn unlimited(inner: B) -> Self {
        Self {
            guard: None,
            inner: Some(inner),
        }
    }

    /// Returns the inner body, unless it was given up.
    pub const fn get_ref(&self) -> Option<&B> {
        self.inner.as_ref()
    }
}

impl<B: Body, T: Timer> ResponseBody<B, T> {
    pub(crate) fn limited(inner: B, timer: T, limits: Limits) -> Self {
        let guard = EndGuard::new(&inner, Wait::new(timer, limits));
        Self {
            guard: Some(guard),
            inner: Some(inner),
        }
    }
}

impl<B, T> Body for ResponseBody<B, T>
where
    B: Body,
    B::Error: Into<BoxError>,
    T: Timer,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = inner.as_mut().poll_frame(cx);
        if let Some(guard) = this.guard {
            guard.observe(&*inner, &frame);
            if let Some(wait) = guard.handler_mut() {
                let timed_out = match &frame {
                    Poll::Pending => Some(ready!(wait.poll_pending(cx))),
                    Poll::Ready(_) => wait.on_frame(),
                };
                if let Some(timed_out) = timed_out {
                    // The transport first: when the owner hears of it, the connection is free.
                    this.inner.set(None);
                    guard.end(BodyEnd::Failed);
                    return Poll::Ready(Some(Err(timed_out.into())));
                }
            }
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
