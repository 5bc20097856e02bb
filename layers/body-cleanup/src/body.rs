//! The body that the caller gets.

use crate::{
    BoxError, Executor, Task,
    movable::Movable,
    replay::Replay,
    shared::Shared,
    stats::Live,
    tracked::{Tracked, poll_tracked, track},
};
use bytes::Bytes;
use egress_body_end::EndGuard;
use egress_time::Timer;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

pin_project! {
    /// A response's body that keeps its connection no longer than it is read.
    ///
    /// Frames, trailers, size and end are those of the inner body, which is dropped as soon as it is over.
    /// Dropping it before that disposes of the rest as [`Drain`](crate::Drain) says; that never waits, and
    /// a panic of the inner body while it is drained goes no further.
    ///
    /// # Errors
    ///
    /// Those of the inner body; [`IdleCancelled`](crate::IdleCancelled); and, where an error response was
    /// [captured](crate::Capture), [`Truncated`](crate::Truncated). Nothing follows an error.
    // The bounds are those of the drop, which has to read the body.
    #[must_use = "a body that is not read is disposed of"]
    pub struct ResponseBody<B, T, X>
    where
        B: Body<Data = Bytes>,
        T: Timer,
        X: Executor<Task<B, T>>,
    {
        #[pin]
        content: Content<B>,
        shared: Arc<Shared<B, T, X>>,
    }

    impl<B, T, X> PinnedDrop for ResponseBody<B, T, X>
    where
        B: Body<Data = Bytes>,
        T: Timer,
        X: Executor<Task<B, T>>,
    {
        fn drop(this: Pin<&mut Self>) {
            this.dispose();
        }
    }
}

pin_project! {
    #[project = ContentProjected]
    enum Content<B> {
        /// The end was reached, or told.
        Over,
        /// A body that nobody but its owner can get hold of, so it needs no allocation.
        Inline { #[pin] body: B, guard: EndGuard<Live> },
        /// A body that an executor can take over, or somebody can cancel who waits for its connection.
        Movable { body: Movable<B> },
        /// What was read of an error's body.
        Captured { replay: Replay },
    }
}

impl<B, T, X> ResponseBody<B, T, X>
where
    B: Body<Data = Bytes>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    /// Takes a body for an owner who may forget it.
    pub(crate) fn for_caller(body: B, shared: Arc<Shared<B, T, X>>) -> Self {
        let body = Self::new(body, shared, true);
        body.shared.watch();
        body
    }

    /// Takes a body that will be polled until it is dropped.
    pub(crate) fn for_capture(body: B, shared: Arc<Shared<B, T, X>>) -> Self {
        Self::new(body, shared, false)
    }

    /// Makes a body of what was captured of another one.
    pub(crate) const fn captured(replay: Replay, shared: Arc<Shared<B, T, X>>) -> Self {
        Self {
            content: Content::Captured { replay },
            shared,
        }
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared<B, T, X>> {
        &self.shared
    }

    fn new(body: B, shared: Arc<Shared<B, T, X>>, may_rest: bool) -> Self {
        let guard = track(&body, &shared.stats);
        let shelf = shared.shelf.as_ref().filter(|_| may_rest);
        let content = if guard.is_over() {
            Content::Over
        } else if shelf.is_none() && shared.executor.is_none() {
            Content::Inline { body, guard }
        } else {
            let body = Box::pin(body);
            let body = Movable::new(Tracked { body, guard }, shelf, &shared.timer);
            Content::Movable { body }
        };
        Self { content, shared }
    }

    fn dispose(self: Pin<&mut Self>) {
        let this = self.project();
        match this.content.project() {
            ContentProjected::Over | ContentProjected::Captured { .. } => {}
            ContentProjected::Inline { body, guard } => this.shared.dispose_in_place(body, guard),
            ContentProjected::Movable { body } => {
                if let Some(tracked) = body.take() {
                    this.shared.dispose(tracked);
                }
            }
        }
    }
}

impl<B, T, X> Body for ResponseBody<B, T, X>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let (frame, is_over) = match this.content.as_mut().project() {
            ContentProjected::Over => return Poll::Ready(None),
            ContentProjected::Captured { replay } => return Poll::Ready(replay.next_frame()),
            ContentProjected::Inline { body, guard } => {
                let frame = poll_tracked(body, guard, cx).map_err(Into::into);
                (frame, guard.is_over())
            }
            ContentProjected::Movable { body } => {
                let frame = body.poll_frame(cx, &this.shared.timer);
                (frame, body.is_over())
            }
        };
        if is_over {
            this.content.set(Content::Over);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Over => true,
            Content::Inline { body, .. } => body.is_end_stream(),
            // Else it would be over by now: nobody but us polls it.
            Content::Movable { .. } => false,
            Content::Captured { replay } => replay.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Over => SizeHint::with_exact(0),
            Content::Inline { body, .. } => body.size_hint(),
            Content::Movable { body } => body.size_hint(),
            Content::Captured { replay } => replay.size_hint(),
        }
    }
}

impl<B, T, X> fmt::Debug for ResponseBody<B, T, X>
where
    B: Body<Data = Bytes>,
    T: Timer,
    X: Executor<Task<B, T>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.content {
            Content::Over => "ResponseBody(over)",
            Content::Inline { .. } | Content::Movable { .. } => "ResponseBody(live)",
            Content::Captured { .. } => "ResponseBody(captured)",
        })
    }
}
