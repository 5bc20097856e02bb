//! What a response body consists of, before it is sent.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

/// The most that one frame of a body carries: small, so that bytes are taken only when there is
/// room for them.
const FRAME: usize = 16 * 1024;

static FILLING: [u8; FRAME] = [b'x'; FRAME];

/// The bytes of a body and how they go out.
#[derive(Debug, Default)]
pub(crate) struct Content {
    source: Source,
    /// A pause before each piece but the first.
    pub(crate) pause: Duration,
    /// How many pieces the body is cut into, if it is sent slowly.
    pub(crate) pieces: Option<u64>,
    /// Where and how the body breaks off.
    pub(crate) cut: Option<Cut>,
}

/// A body that breaks off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// So many bytes are sent.
    pub(crate) after: u64,
    /// The connection is reset rather than closed.
    pub(crate) reset: bool,
}

#[derive(Debug)]
enum Source {
    Bytes(Bytes),
    Filling(u64),
}

impl Default for Source {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Content {
    /// Returns `length` bytes that say nothing and take no memory.
    pub(crate) fn filling(length: u64) -> Self {
        Self {
            source: Source::Filling(length),
            ..Self::default()
        }
    }

    /// Sends the content in `pieces`, spread over `time`.
    pub(crate) fn slowly(mut self, pieces: u64, time: Duration) -> Self {
        let pieces = pieces.clamp(1, self.len().max(1));
        let pauses = u32::try_from(pieces - 1).unwrap_or(u32::MAX);
        self.pause = time.checked_div(pauses).unwrap_or_default();
        self.pieces = Some(pieces);
        self
    }

    pub(crate) fn len(&self) -> u64 {
        match &self.source {
            Source::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Source::Filling(length) => *length,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes, for content that is kept for a second answer.
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes),
            Source::Filling(_) => None,
        }
    }

    /// Splits off the next piece of at most `most` bytes.
    pub(crate) fn next_piece(&mut self, most: u64) -> Bytes {
        let most = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, FRAME);
        match &mut self.source {
            Source::Bytes(bytes) => bytes.split_to(most.min(bytes.len())),
            Source::Filling(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(most);
                *left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                Bytes::from_static(FILLING.get(..length).unwrap_or_default())
            }
        }
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self {
            source: Source::Bytes(bytes),
            ..Self::default()
        }
    }
}

/// A response with a JSON body.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response<Content> {
    let mut response = Response::new(Content::from(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

/// A response with no body.
pub(crate) fn empty(status: StatusCode) -> Response<Content> {
    let mut response = Response::new(Content::default());
    *response.status_mut() = status;
    response
}

/// A header value of text that the origin wrote itself; empty if it cannot be one.
pub(crate) fn text(value: impl Into<String>) -> HeaderValue {
    HeaderValue::try_from(value.into()).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(mut content: Content, most: u64) -> (u64, u64) {
        let (mut pieces, mut bytes) = (0, 0);
        while !content.is_empty() {
            pieces += 1;
            bytes += content.next_piece(most).len() as u64;
        }
        (pieces, bytes)
    }

    #[test]
    fn pieces_add_up() {
        assert_eq!(drain(Content::filling(100), 30), (4, 100));
        assert_eq!(
            drain(Content::from(Bytes::from(vec![1; 40_000])), u64::MAX),
            (3, 40_000)
        );
        assert_eq!(
            drain(Content::filling(3), 0),
            (3, 3),
            "a piece is never empty"
        );
    }

    #[test]
    fn slow_content_is_spread_over_its_time() {
        let content = Content::filling(10).slowly(5, Duration::from_millis(80));
        assert_eq!(
            (content.pieces, content.pause),
            (Some(5), Duration::from_millis(20))
        );
        let single = Content::filling(1).slowly(5, Duration::from_millis(80));
        assert_eq!((single.pieces, single.pause), (Some(1), Duration::ZERO));
        assert_eq!(
            Content::default()
                .slowly(5, Duration::from_millis(80))
                .pieces,
            Some(1)
        );
    }
}
