//! A body that can change hands.

use crate::{
    drain::FRAMES_AT_ONCE,
    stats::{Live, Stats},
};
use bytes::{Buf, Bytes};
use egress_body_end::{EndGuard, PolledFrame};
use http_body::Body;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// A body that can be moved, and the guard that counts what became of it.
pub(crate) struct Tracked<B> {
    pub(crate) body: Pin<Box<B>>,
    pub(crate) guard: EndGuard<Live>,
}

impl<B: Body> Tracked<B> {
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> PolledFrame<B> {
        poll_tracked(self.body.as_mut(), &mut self.guard, cx)
    }
}

impl<B> Tracked<B> {
    /// Drops a body that nobody has read from.
    pub(crate) fn cancel_idle(mut self) {
        if let Some(live) = self.guard.handler_mut() {
            live.abandoned();
        }
    }
}

/// Starts to count a body; one that is already at its end is counted when this returns.
pub(crate) fn track<B: Body>(body: &B, stats: &Stats) -> EndGuard<Live> {
    EndGuard::new(body, Live::new(stats.clone()))
}

/// Polls for the owner.
pub(crate) fn poll_tracked<B: Body>(
    mut body: Pin<&mut B>,
    guard: &mut EndGuard<Live>,
    cx: &mut Context<'_>,
) -> PolledFrame<B> {
    let frame = body.as_mut().poll_frame(cx);
    guard.observe(&*body, &frame);
    frame
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

/// Reads and forgets up to [`FRAMES_AT_ONCE`] frames, as long as `bytes` lasts.
pub(crate) fn poll_drain<B: Body<Data = Bytes>>(
    mut body: Pin<&mut B>,
    guard: &mut EndGuard<Live>,
    bytes: &mut u64,
    cx: &mut Context<'_>,
) -> Drained {
    for _ in 0..FRAMES_AT_ONCE {
        let frame = body.as_mut().poll_frame(cx);
        let read = match &frame {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, Buf::remaining),
            _ => 0,
        };
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if let Some(live) = guard.handler_mut() {
            live.drained(read);
        }
        guard.observe(&*body, &frame);
        if guard.is_over() {
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
