//! The body that is not waited for in vain.

use crate::{BoxError, limits::Limits, wait::Wait};
use egress_body_end::{BodyEnd, EndGuard};
use egress_time::{Instant, SleepUntil, Timer};
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
        guard: Option<EndGuard<Wait>>,
        #[pin]
        sleep: Option<SleepUntil<T>>,
        // None once it was given up.
        #[pin]
        inner: Option<B>,
    }
}

impl<B, T: Timer> ResponseBody<B, T> {
    pub(crate) const fn unlimited(inner: B) -> Self {
        Self {
            guard: None,
            sleep: None,
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
        let guard = EndGuard::new(&inner, Wait::new(limits));
        Self {
            sleep: (!guard.is_over()).then(|| SleepUntil::new(timer, Instant::FAR_FUTURE)),
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
            match (guard.handler_mut(), this.sleep.as_mut().as_pin_mut()) {
                (Some(wait), Some(sleep)) => {
                    let timed_out = match &frame {
                        Poll::Pending => Some(ready!(wait.poll_pending(sleep, cx))),
                        Poll::Ready(_) => wait.on_frame(sleep.timer()),
                    };
                    if let Some(timed_out) = timed_out {
                        // The transport first: when the owner hears of it, the connection is free.
                        this.inner.set(None);
                        this.sleep.set(None);
                        guard.end(BodyEnd::Failed);
                        return Poll::Ready(Some(Err(timed_out.into())));
                    }
                }
                _ => this.sleep.set(None),
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
