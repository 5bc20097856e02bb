//! Reads a body of known size into memory, before anything of the request is sent.

use crate::{BodyFailed, BoxError, WrongLength};
use bytes::{Buf, BufMut, Bytes};
use http::HeaderMap;
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// Reads a body whole.
    pub(crate) struct Collect<B> {
        #[pin]
        body: B,
        stated: usize,
        // The first frame is kept as it is: most bodies have only one.
        first: Bytes,
        all: Option<Vec<u8>>,
        trailers: Option<Box<HeaderMap>>,
    }
}

/// A body in memory.
pub(crate) type Collected = (Bytes, Option<Box<HeaderMap>>);

impl<B: Body> Collect<B> {
    /// Starts to read a body that states this size.
    pub(crate) const fn new(body: B, stated: usize) -> Self {
        Self {
            body,
            stated,
            first: Bytes::new(),
            all: None,
            trailers: None,
        }
    }

    /// Returns the body once it is there.
    ///
    /// # Errors
    ///
    /// [`BodyFailed`] with the body's own, and [`WrongLength`]: a body that is longer than it says would fill the memory, and one
    /// that ends early would be sent as if it were whole.
    pub(crate) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Collected, BoxError>>
    where
        B::Error: Into<BoxError>,
    {
        let mut this = self.project();
        loop {
            let found = this.all.as_ref().map_or(this.first.len(), Vec::len);
            let frame = if this.body.is_end_stream() {
                None
            } else {
                ready!(this.body.as_mut().poll_frame(cx))
            };
            let failed = |error: B::Error| BodyFailed {
                source: error.into(),
            };
            let Some(frame) = frame.transpose().map_err(failed)? else {
                if found < *this.stated {
                    return Poll::Ready(Err(WrongLength::new(*this.stated).into()));
                }
                let data = match this.all.take() {
                    Some(all) => all.into(),
                    None => std::mem::take(this.first),
                };
                return Poll::Ready(Ok((data, this.trailers.take())));
            };
            match frame.into_data() {
                Ok(data) if data.remaining() > *this.stated - found => {
                    return Poll::Ready(Err(WrongLength::new(*this.stated).into()));
                }
                Ok(mut data) if found == 0 => *this.first = data.copy_to_bytes(data.remaining()),
                Ok(data) => {
                    let all = this.all.get_or_insert_with(|| {
                        let mut all = Vec::with_capacity(*this.stated);
                        all.extend_from_slice(this.first);
                        all
                    });
                    all.put(data);
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        *this.trailers = Some(Box::new(trailers));
                    }
                }
            }
        }
    }
}
