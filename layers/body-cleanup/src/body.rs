//! The body that the caller gets.

use crate::{
    BoxError, Executor, Task,
    replay::Replay,
    shared::Shared,
    shelved::Shelved,
    tracked::{Movable, Tracked},
};
use bytes::Bytes;
use egress_time::{Instant, Timer};
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
    /// a panic of the inner body while it is drained goes no further, unless panics abort.
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
        // Of the whole request; the far future where it has none.
        deadline: Instant,
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
        Inline { #[pin] body: Tracked<B> },
        /// A body that an executor can take over.
        Movable { body: Option<Movable<B>> },
        /// A body that lies where somebody can cancel it who waits for its connection.
        Shelved { shelved: Shelved },
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
    pub(crate) fn new(body: B, shared: Arc<Shared<B, T, X>>, deadline: Instant) -> Self {
        let body = Tracked::new(body, &shared.stats);
        let mut begin_watch = false;
        let content = if body.is_over() {
            Content::Over
        } else if let Some(shelf) = &shared.shelf {
            let (shelved, begin) = Shelved::new(body, shelf, &shared);
            begin_watch = begin;
            Content::Shelved { shelved }
        } else if shared.executor.is_some() {
            let body = Some(Box::pin(body));
            Content::Movable { body }
        } else {
            Content::Inline { body }
        };
        let body = Self {
            content,
            shared,
            deadline,
        };
        // Foreign code: if it panics, the body is disposed of.
        if begin_watch {
            body.shared.watch();
        }
        body
    }

    /// Makes a body of what was captured of another one.
    pub(crate) const fn captured(replay: Replay, shared: Arc<Shared<B, T, X>>) -> Self {
        Self {
            content: Content::Captured { replay },
            shared,
            deadline: Instant::FAR_FUTURE,
        }
    }

    fn dispose(self: Pin<&mut Self>) {
        let this = self.project();
        let body = match this.content.project() {
            ContentProjected::Over | ContentProjected::Captured { .. } => None,
            ContentProjected::Inline { body } => return this.shared.dispose_in_place(body),
            ContentProjected::Movable { body } => body.take(),
            // One that was cancelled is disposed of.
            ContentProjected::Shelved { shelved } => shelved.take(this.shared).unwrap_or_default(),
        };
        if let Some(body) = body {
            this.shared.dispose(body, *this.deadline);
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
            ContentProjected::Inline { mut body } => {
                let frame = body.as_mut().poll_frame(cx).map_err(Into::into);
                (frame, body.is_over())
            }
            ContentProjected::Movable { body } => {
                let Some(body) = body else {
                    return Poll::Ready(None);
                };
                let frame = body.as_mut().poll_frame(cx).map_err(Into::into);
                (frame, body.is_over())
            }
            ContentProjected::Shelved { shelved } => {
                let frame = shelved.poll_frame(this.shared, cx);
                (frame, shelved.is_over())
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
            Content::Inline { body } => body.body().is_end_stream(),
            Content::Movable { body } => {
                body.as_ref().is_none_or(|body| body.body().is_end_stream())
            }
            // As of the last poll, after which it was not over. If it has ended without one, the next poll says so.
            Content::Shelved { .. } => false,
            Content::Captured { replay } => replay.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Over | Content::Movable { body: None } => SizeHint::with_exact(0),
            Content::Inline { body } => body.body().size_hint(),
            Content::Movable { body: Some(body) } => body.body().size_hint(),
            // A method call would be an error to clippy where `SizeHint` is `Copy`: from http-body 1.1 on.
            Content::Shelved { shelved } => SizeHint::clone(shelved.size_hint()),
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
            Content::Inline { .. } | Content::Movable { .. } | Content::Shelved { .. } => {
                "ResponseBody(live)"
            }
            Content::Captured { .. } => "ResponseBody(captured)",
        })
    }
}
