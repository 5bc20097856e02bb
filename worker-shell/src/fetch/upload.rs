//! A request body on its way.

use super::FetchError;
use crate::bridge::{self, Event, Slot};
use bytes::Bytes;
use http::Uri;
use http_body::Body;
use js_sys::Uint8Array;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_egress::BoxError;

/// A request body that is sent frame by frame, each when the one before was taken.
///
/// Whoever waits for the response polls it, and whoever reads the response's body goes on: a server may answer before it
/// has read all. Dropped before its end, it breaks the request off.
#[derive(Debug)]
pub(super) struct Upload<B> {
    body: Pin<Box<B>>,
    js: bridge::Upload,
    slot: Slot,
    state: State,
    /// How many bytes are to come, if that was announced.
    left: Option<u64>,
    /// How many writes were taken.
    writes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Writing,
    Finishing,
    Done,
}

impl<B> Upload<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Takes a body whose first frame was read already, if there was one to read.
    pub(super) fn new(
        body: Pin<Box<B>>,
        first: Option<&Bytes>,
        length: Option<u64>,
    ) -> Result<Self, FetchError> {
        let slot = Slot::open();
        // What JavaScript has no number for is not announced.
        let length = length.filter(|length| *length < 1 << 53);
        let mut upload = Self {
            body,
            js: bridge::Upload::new(slot.id(), length.map(bridge::number)),
            slot,
            state: State::Reading,
            left: length,
            writes: 0,
        };
        match first {
            Some(data) if upload.is_too_much(data) => {
                return Err(upload.lied("it is longer than it says"));
            }
            Some(data) => upload.write(data),
            None => {}
        }
        Ok(upload)
    }

    /// What the fetch takes as its body.
    pub(super) fn as_js(&self) -> &bridge::Upload {
        &self.js
    }

    fn write(&mut self, data: &[u8]) {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        // Never more than announced: that was looked at.
        self.left = self.left.and_then(|left| left.checked_sub(length));
        if !data.is_empty() {
            self.js.write(Uint8Array::from(data));
            self.state = State::Writing;
        }
    }

    /// Goes on; is ready when all was sent, or when that failed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, url: &Uri) -> Poll<Result<(), FetchError>> {
        loop {
            match self.state {
                State::Reading => match ready!(self.body.as_mut().poll_frame(cx)) {
                    // Trailers cannot be sent.
                    Some(Ok(frame)) => match frame.data_ref() {
                        Some(data) if self.is_too_much(data) => {
                            return Poll::Ready(Err(self.lied("it is longer than it says")));
                        }
                        data => self.write(data.map_or(&[], |data| data)),
                    },
                    Some(Err(error)) => {
                        self.state = State::Done;
                        self.js.abort();
                        return Poll::Ready(Err(FetchError::of_request_body(error.into())));
                    }
                    None if self.left.is_some_and(|left| left > 0) => {
                        return Poll::Ready(Err(self.lied("it is shorter than it says")));
                    }
                    None => {
                        self.js.finish();
                        self.state = State::Finishing;
                    }
                },
                State::Writing | State::Finishing => match ready!(self.slot.poll(cx)) {
                    Event::Failed(error) => {
                        self.state = State::Done;
                        return Poll::Ready(Err(FetchError::thrown(&error, url)));
                    }
                    _ if self.state == State::Finishing => self.state = State::Done,
                    _ => {
                        self.writes += 1;
                        self.state = State::Reading;
                    }
                },
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<B> Upload<B> {
    /// Returns how many writes were taken until now.
    pub(super) const fn writes(&self) -> u64 {
        self.writes
    }

    fn is_too_much(&self, data: &Bytes) -> bool {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.left.is_some_and(|left| length > left)
    }

    /// Breaks the request off.
    fn lied(&mut self, how: &'static str) -> FetchError {
        self.state = State::Done;
        self.js.abort();
        FetchError::of_request_body(how.into())
    }
}

impl<B> Drop for Upload<B> {
    fn drop(&mut self) {
        if self.state != State::Done {
            self.js.abort();
        }
    }
}
