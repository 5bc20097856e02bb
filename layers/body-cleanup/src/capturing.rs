//! Reads an error's body before its response is handed on.

use crate::{BoxError, Executor, ResponseBody, Task, Truncated, replay::Replay, shared::Shared};
use bytes::{Bytes, BytesMut};
use egress_body_end::CapturedBody;
use egress_time::{Instant, SleepUntil, Timer};
use http::HeaderMap;
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// A body may not keep its reader busy with frames that bring nothing.
const MAX_EMPTY_FRAMES: u32 = 64;

/// However much a server says it will send, no more than this is set aside before it has.
const MAX_SET_ASIDE: usize = 16 * 1024;

pin_project! {
    /// A future of what could be captured. The body is not disposed of before this is dropped.
    pub(crate) struct Capturing<B, T, X>
    where
        B: Body<Data = Bytes>,
        T: Timer,
        X: Executor<Task<B, T>>,
    {
        #[pin]
        body: ResponseBody<B, T, X>,
        #[pin]
        limit: SleepUntil<T>,
        kept: BytesMut,
        empty_frames_left: u32,
    }
}

/// What was captured.
pub(crate) struct Captured {
    pub(crate) copy: CapturedBody,
    pub(crate) replay: Replay,
}

/// How the reading ended.
enum End {
    Complete(Option<HeaderMap>),
    Failed(BoxError),
    Truncated,
}

impl<B, T, X> Capturing<B, T, X>
where
    B: Body<Data = Bytes>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    /// Begins to read; `deadline` can only shorten the time.
    pub(crate) fn new(body: B, shared: &Arc<Shared<B, T, X>>, deadline: Option<Instant>) -> Self {
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let expected = expected.min(shared.capture.max_bytes()).min(MAX_SET_ASIDE);
        let limit = shared.timer.now() + shared.capture.max_time();
        Self {
            body: ResponseBody::for_capture(body, Arc::clone(shared)),
            limit: SleepUntil::new(
                shared.timer.clone(),
                deadline.map_or(limit, |deadline| deadline.min(limit)),
            ),
            kept: BytesMut::with_capacity(expected),
            empty_frames_left: MAX_EMPTY_FRAMES,
        }
    }

    pub(crate) fn shared(&self) -> Arc<Shared<B, T, X>> {
        Arc::clone(self.body.shared())
    }
}

impl<B, T, X> Future for Capturing<B, T, X>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    type Output = Captured;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Captured> {
        let end = ready!(self.as_mut().poll_end(cx));
        let this = self.project();
        this.body.shared().stats.count_captured();
        let kept = this.kept.split().freeze();
        let (trailers, error) = match end {
            End::Complete(trailers) => (trailers, None),
            End::Failed(error) => (None, Some(error)),
            End::Truncated => (None, Some(Truncated::after(kept.len()).into())),
        };
        Poll::Ready(Captured {
            copy: CapturedBody::new(kept.clone(), error.is_none()),
            replay: Replay::new(kept, trailers, error),
        })
    }
}

impl<B, T, X> Capturing<B, T, X>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let mut this = self.project();
        let max_bytes = this.body.shared().capture.max_bytes();
        loop {
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(End::Complete(None)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(End::Failed(error)),
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Pending => {
                    ready!(this.limit.poll(cx));
                    return Poll::Ready(End::Truncated);
                }
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => return Poll::Ready(End::Complete(frame.into_trailers().ok())),
            };
            // Copied, not sliced: a slice keeps the whole buffer of the connection it was read into.
            let room = max_bytes.saturating_sub(this.kept.len());
            this.kept.extend_from_slice(&data[..data.len().min(room)]);
            if data.is_empty() {
                *this.empty_frames_left = this.empty_frames_left.saturating_sub(1);
            }
            if data.len() > room || *this.empty_frames_left == 0 {
                return Poll::Ready(End::Truncated);
            }
        }
    }
}
