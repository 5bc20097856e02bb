//! A copy of an error response's body.

use bytes::Bytes;

/// The first part of an error response's body, in the response's extensions.
///
/// Whoever reads a response's body ahead of its owner leaves this copy there, so that others – a rate limiter that
/// looks for the server's reason, an error that quotes it – can read the message without consuming the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedBody {
    bytes: Bytes,
    complete: bool,
}

impl CapturedBody {
    /// Makes the copy; `complete` says whether it is the whole body.
    pub const fn new(bytes: Bytes, complete: bool) -> Self {
        Self { bytes, complete }
    }

    /// Returns what was captured.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Tells whether this is the whole body.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }
}
