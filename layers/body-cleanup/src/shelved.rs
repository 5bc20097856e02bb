//! A body that others than its owner can get hold of, as its owner has it.

use crate::{
    BoxError, Executor, IdleCancelled, Task,
    shared::Shared,
    shelf::{Rest, Shelf},
    tracked::{Movable, Tracked},
};
use bytes::Bytes;
use egress_body_end::Bell;
use egress_time::Timer;
use http_body::{Body, Frame, SizeHint};
use std::{
    sync::Arc,
    task::{Context, Poll},
};

/// What its owner knows of a body that lies on the shelf whenever it is not being polled.
pub(crate) struct Shelved {
    /// None while the body is in hand: should its poll panic, the key may soon be another body's.
    key: Option<usize>,
    /// The size of the body that lies there.
    hint: SizeHint,
    /// There once the body was pending.
    bell: Option<Arc<Bell>>,
}

impl Shelved {
    /// Lays down a body that nobody has read from; tells whether somebody should begin to watch.
    pub(crate) fn new<B, T, X>(
        body: Tracked<B>,
        shelf: &Shelf<Movable<B>>,
        shared: &Shared<B, T, X>,
    ) -> (Self, bool)
    where
        B: Body,
        T: Timer,
    {
        let hint = body.body().size_hint();
        let rest = Rest::Since(shared.timer.now());
        let (key, begin_watch) = shelf.lay(Box::pin(body), rest, shared.executor.is_some());
        let shelved = Self {
            key: Some(key),
            hint,
            bell: None,
        };
        (shelved, begin_watch)
    }

    /// Tells whether there is nothing left to read.
    pub(crate) const fn is_over(&self) -> bool {
        self.key.is_none()
    }

    pub(crate) const fn size_hint(&self) -> &SizeHint {
        &self.hint
    }

    /// Takes the body from the shelf, unless somebody has cancelled it.
    pub(crate) fn take<B, T, X>(
        &mut self,
        shared: &Shared<B, T, X>,
    ) -> Result<Option<Movable<B>>, IdleCancelled> {
        match (&shared.shelf, self.key.take()) {
            (Some(shelf), Some(key)) => shelf.take(key).map_err(IdleCancelled::after),
            _ => Ok(None),
        }
    }

    /// Polls the body and lays it down again.
    pub(crate) fn poll_frame<B, T, X>(
        &mut self,
        shared: &Shared<B, T, X>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
        T: Timer,
        X: Executor<Task<B, T>>,
    {
        let (shelf, mut body) = match (&shared.shelf, self.take(shared)) {
            (Some(shelf), Ok(Some(body))) => (shelf, body),
            (_, Err(cancelled)) => return Poll::Ready(Some(Err(cancelled.into()))),
            // A body that is over is polled no more. This one was not laid down again.
            _ => return Poll::Ready(Some(Err("the last poll of the body panicked".into()))),
        };
        let frame = Bell::poll(&mut self.bell, cx, |cx| body.as_mut().poll_frame(cx));
        if !body.is_over() {
            let rest = match &self.bell {
                Some(bell) if frame.is_pending() => Rest::until_called(Arc::clone(bell)),
                // It was given a frame, or did no more than look: it has to come back by itself.
                _ => Rest::Since(shared.timer.now()),
            };
            self.hint = body.body().size_hint();
            let (key, begin_watch) = shelf.lay(body, rest, shared.executor.is_some());
            self.key = Some(key);
            if begin_watch {
                shared.watch();
            }
        }
        frame.map_err(Into::into)
    }
}
