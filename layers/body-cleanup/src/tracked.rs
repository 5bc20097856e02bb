//! A body and what is counted of it.

use crate::{
    drain::FRAMES_AT_ONCE,
    stats::{Live, Stats},
};
use bytes::{Buf, Bytes};
use egress_body_end::{EndGuard, PolledFrame};
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// A body, and the guard that counts what became of it once the body is dropped.
    pub(crate) struct Tracked<B> {
        #[pin]
        body: B,
        guard: EndGuard<Live>,
    }
}

/// A body that can change hands.
pub(crate) type Movable<B> = Pin<Box<Tracked<B>>>;

impl<B: Body> Tracked<B> {
    /// Starts to count a body; one that is already at its end is counted when this returns.
    pub(crate) fn new(body: B, stats: &Stats) -> Self {
        let guard = EndGuard::new(&body, Live::new(stats.clone()));
        Self { body, guard }
    }

    pub(crate) const fn body(&self) -> &B {
        &self.body
    }

    /// Tells whether the end was counted.
    pub(crate) const fn is_over(&self) -> bool {
        self.guard.is_over()
    }

    /// Polls for the owner.
    pub(crate) fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame<B> {
        let mut this = self.project();
        let frame = this.body.as_mut().poll_frame(cx);
        this.guard.observe(&*this.body, &frame);
        frame
    }
}

impl<B> Tracked<B> {
    /// Counts the body, which is dropped next, as one that nobody has read from.
    pub(crate) fn abandon(self: Pin<&mut Self>) {
        if let Some(live) = self.project().guard.handler_mut() {
            live.abandoned();
        }
    }
}

/// Why draining has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// The body is over: its end was reached, or an error.
    Over,
    /// Nothing more is there at present.
    Pending,
    /// As many frames were read as may be in one go.
    Enough,
    /// There is more than may be read at all.
    TooMuch,
}

impl<B: Body<Data = Bytes>> Tracked<B> {
    /// Reads and forgets up to [`FRAMES_AT_ONCE`] frames, as long as `bytes` lasts.
    pub(crate) fn poll_drain(
        self: Pin<&mut Self>,
        bytes: &mut u64,
        cx: &mut Context<'_>,
    ) -> Drained {
        let mut this = self.project();
        for _ in 0..FRAMES_AT_ONCE {
            let frame = this.body.as_mut().poll_frame(cx);
            let read = match &frame {
                Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, Buf::remaining),
                _ => 0,
            };
            let read = u64::try_from(read).unwrap_or(u64::MAX);
            if let Some(live) = this.guard.handler_mut() {
                live.drained(read);
            }
            this.guard.observe(&*this.body, &frame);
            if this.guard.is_over() {
                return Drained::Over;
            }
            if frame.is_pending() {
                return Drained::Pending;
            }
            // An empty frame costs a byte, or a body of nothing else would never be too much.
            match bytes.checked_sub(read.max(1)) {
                Some(left) => *bytes = left,
                None => return Drained::TooMuch,
            }
        }
        Drained::Enough
    }
}
