//! The body of a response.

use super::{FetchError, FetchErrorKind, upload::Upload};
use crate::{
    WorkerTimer,
    bridge::{Event, Exchange, Slot},
};
use bytes::Bytes;
use http::Uri;
use http_body::{Body, Frame, SizeHint};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tower_egress::{BoxError, Clock, SleepUntil};

/// The body of a response to a [fetch](super::Fetch).
///
/// Chunks come as the runtime hands them over, each copied once. Dropping it before its end cancels the rest, and the
/// connection upstream is closed.
///
/// `R` is the body of the request, which may still be on its way when a server answers early: it goes on while this is polled,
/// and this ends when both have. Dropped before that, the runtime ends the request as if that were all of it, unless
/// its length is known. What a server answers with an error it does not read any more; and a server that takes nothing for 5 seconds after
/// all has come of a response whose length is known is not waited for any longer.
///
/// # Errors
///
/// [`FetchError`], also where fewer bytes came than were announced; nothing follows it.
#[derive(Debug)]
#[must_use = "a body that is not read is cancelled"]
pub struct FetchBody<R> {
    // None at the end.
    rest: Option<Rest<R>>,
}

#[derive(Debug)]
struct Rest<R> {
    live: Live,
    upload: Option<Upload<R>>,
    /// Whether a chunk was asked for and has not come.
    asked: bool,
    /// Whether all has come, and the rest of the request is still on its way: if it were dropped, the runtime would end it in
    /// order, and the server take the part for the whole.
    has_ended: bool,
    /// How many bytes are to come, if that is known.
    left: Option<u64>,
    /// Until when the server may take more of the request, and how much it had taken.
    patience: Option<(SleepUntil<WorkerTimer>, u64)>,
}

/// How long a server that has answered may take nothing of the request.
const PATIENCE: Duration = Duration::from_secs(5);

/// A fetch that goes on, and is given up when this is dropped.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) exchange: Exchange,
    pub(super) slot: Slot,
    /// For errors.
    pub(super) url: Uri,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.exchange.close();
    }
}

impl<R> FetchBody<R> {
    pub(super) const fn empty() -> Self {
        Self { rest: None }
    }

    pub(super) const fn new(live: Live, upload: Option<Upload<R>>, length: Option<u64>) -> Self {
        Self {
            rest: Some(Rest {
                live,
                upload,
                asked: false,
                has_ended: false,
                left: length,
                patience: None,
            }),
        }
    }

    /// Makes one that ends when the request has been sent.
    pub(super) const fn without_data(live: Live, upload: Option<Upload<R>>) -> Self {
        Self {
            rest: Some(Rest {
                live,
                upload,
                asked: false,
                has_ended: true,
                left: Some(0),
                patience: None,
            }),
        }
    }
}

impl<R> Rest<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, FetchError>>> {
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(sent) = upload.poll(cx, &self.live.url)
        {
            self.upload = None;
            // A server that has answered need not read on; what it says is worth more than that it did not listen.
            if let Err(error) = sent
                && error.is_of_request_body()
            {
                return Poll::Ready(Some(Err(error)));
            }
        }
        // The runtime does not say that a response is at its end before the request is.
        if self.has_ended || (self.left == Some(0) && self.upload.is_some()) {
            return self.end(cx);
        }
        if !self.asked {
            self.asked = true;
            self.live.exchange.pull();
        }
        let event = ready!(self.live.slot.poll(cx));
        self.asked = false;
        Poll::Ready(match event {
            Event::Chunk(chunk) => {
                let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                // Never too many: what the runtime hands over is what there is.
                self.left = self.left.and_then(|left| left.checked_sub(length));
                Some(Ok(chunk.into()))
            }
            Event::Failed(error) => Some(Err(FetchError::thrown_by_body(&error, &self.live.url))),
            _ => match self.left {
                None | Some(0) => return self.end(cx),
                Some(left) => Some(Err(FetchError::new(
                    FetchErrorKind::ConnectionLost,
                    format!("the body ended {left} bytes too early"),
                ))),
            },
        })
    }
}

impl<R> Rest<R> {
    fn end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, FetchError>>> {
        self.has_ended = true;
        let Some(upload) = &self.upload else {
            return Poll::Ready(None);
        };
        let writes = upload.writes();
        let (sleep, before) = self.patience.get_or_insert_with(|| (patience(), writes));
        if *before != writes {
            *before = writes;
            *sleep = patience();
        }
        Pin::new(sleep).poll(cx).map(|()| None)
    }
}

fn patience() -> SleepUntil<WorkerTimer> {
    let timer = WorkerTimer::new();
    SleepUntil::new(timer, timer.now() + PATIENCE)
}

impl<R> Body for FetchBody<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = FetchError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        let chunk = ready!(rest.poll_chunk(cx));
        // The end of a body whose length is known needs no question.
        let is_last = rest.left == Some(0) && rest.upload.is_none();
        if is_last || !matches!(chunk, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            None => SizeHint::with_exact(0),
            Some(Rest { left, .. }) => left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
