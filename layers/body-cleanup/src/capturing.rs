//! Reads an error's body before its response is handed on.

use crate::{
    BoxError, Executor, ResponseBody, Task, Truncated, drain::FRAMES_AT_ONCE, future::Call,
    replay::Replay, shared::Shared, tracked::Tracked,
};
use bytes::Bytes;
use egress_body_end::CapturedBody;
use egress_time::{SleepUntil, Timer};
use http::{HeaderMap, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// A body may not keep its reader busy with frames that bring nothing.
const MAX_EMPTY_FRAMES: u32 = 64;

/// However much a server says it will send, no more than this is set aside before it has.
const MAX_SET_ASIDE: usize = 16 * 1024;

pin_project! {
    /// A future of a response with what could be captured of its body.
    ///
    /// What is there of the rest is read when this is dropped, and no more: until then it keeps a connection, which
    /// must be free before the response goes on, or because somebody has given the response up.
    pub(crate) struct Capturing<B, T, X>
    where
        B: Body<Data = Bytes>,
        T: Timer,
    {
        #[pin]
        body: Tracked<B>,
        shared: Arc<Shared<B, T, X>>,
        // Taken with the end.
        head: Response<()>,
        #[pin]
        limit: SleepUntil<T>,
        kept: Vec<u8>,
        empty_frames_left: u32,
    }

    impl<B, T, X> PinnedDrop for Capturing<B, T, X>
    where
        B: Body<Data = Bytes>,
        T: Timer,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.shared.dispose_in_place(this.body);
        }
    }
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
{
    /// Begins to read; the call's deadline can only shorten the time.
    pub(crate) fn new(response: Response<B>, call: Call<B, T, X>) -> Self {
        let Call {
            shared, deadline, ..
        } = call;
        let (head, body) = response.into_parts();
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let expected = expected.min(shared.capture.max_bytes()).min(MAX_SET_ASIDE);
        let limit = shared.timer.now() + shared.capture.max_time();
        Self {
            body: Tracked::new(body, &shared.stats),
            head: Response::from_parts(head, ()),
            limit: SleepUntil::new(shared.timer.clone(), deadline.min(limit)),
            kept: Vec::with_capacity(expected),
            empty_frames_left: MAX_EMPTY_FRAMES,
            shared,
        }
    }
}

impl<B, T, X> Future for Capturing<B, T, X>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    type Output = Response<ResponseBody<B, T, X>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let end = ready!(self.as_mut().poll_end(cx));
        let this = self.project();
        this.shared.stats.count_captured();
        let kept = Bytes::from(mem::take(this.kept));
        let (trailers, error) = match end {
            End::Complete(trailers) => (trailers, None),
            End::Failed(error) => (None, Some(error)),
            End::Truncated => (None, Some(Truncated::after(kept.len()).into())),
        };
        let mut response = mem::take(this.head);
        let copy = CapturedBody::new(kept.clone(), error.is_none());
        response.extensions_mut().insert(copy);
        let replay = Replay::new(kept, trailers, error);
        let shared = Arc::clone(this.shared);
        Poll::Ready(response.map(|()| ResponseBody::captured(replay, shared)))
    }
}

impl<B, T, X> Capturing<B, T, X>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
{
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let mut this = self.project();
        let max_bytes = this.shared.capture.max_bytes();
        for _ in 0..FRAMES_AT_ONCE {
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(End::Complete(None)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(End::Failed(error.into())),
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
            if this.body.is_over() {
                return Poll::Ready(End::Complete(None));
            }
        }
        // A body that always has something never waits, and must end in time all the same. Others want to run, too.
        if this.limit.timer().now() >= this.limit.deadline() {
            return Poll::Ready(End::Truncated);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
