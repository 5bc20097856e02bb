//! A body that was read before.

use crate::BoxError;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// The frames of a captured body, still to be handed out.
pub(crate) struct Replay {
    data: Bytes,
    /// Boxed: they are rare and large, and a body is moved about.
    trailers: Option<Box<HeaderMap>>,
    error: Option<BoxError>,
}

impl Replay {
    pub(crate) fn new(data: Bytes, trailers: Option<HeaderMap>, error: Option<BoxError>) -> Self {
        Self {
            data,
            trailers: trailers.map(Box::new),
            error,
        }
    }

    /// Hands out the next frame: the data, then trailers or the error.
    pub(crate) fn next_frame(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        if !self.data.is_empty() {
            return Some(Ok(Frame::data(std::mem::take(&mut self.data))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Some(Ok(Frame::trailers(*trailers)));
        }
        self.error.take().map(Err)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none() && self.error.is_none()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let left = u64::try_from(self.data.len()).unwrap_or(u64::MAX);
        if self.error.is_none() {
            return SizeHint::with_exact(left);
        }
        // The rest is missing, and nobody knows its size.
        let mut hint = SizeHint::new();
        hint.set_lower(left);
        hint
    }
}
