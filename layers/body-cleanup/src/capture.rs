//! Whose body is captured, and how much of it.

use http::StatusCode;
use std::time::Duration;

/// Which responses' bodies are read before the response is handed on, and how much of them.
///
/// The response of such a body waits until the body is over, has shown itself longer than the limit, or until
/// the time is over; a deadline of the whole request ([`RequestContext`](egress_context::RequestContext)) can
/// only shorten that time. Then its connection is freed, the response gets the part that was read as its
/// body, and a copy as a [`CapturedBody`](egress_body_end::CapturedBody) in its extensions. Of a longer body's
/// rest, what is there is [drained](crate::Drain) on the spot. If that part is not all, the body ends with
/// [`Truncated`](crate::Truncated), and if there was an error, with that error. Trailers are kept.
///
/// Nothing is captured where there is nothing to read: from `HEAD`, 204, 304, and bodies of size zero.
///
/// # Defaults
///
/// - statuses: 400 and above
/// - 8 KiB
/// - 1 s
#[derive(Clone, Copy, Debug)]
pub struct Capture {
    max_bytes: usize,
    max_time: Duration,
    statuses: fn(StatusCode) -> bool,
}

impl Capture {
    /// Captures nothing.
    pub const NEVER: Self = Self {
        max_bytes: 0,
        max_time: Duration::ZERO,
        statuses: |_| false,
    };

    /// Makes the defaults.
    pub const fn new() -> Self {
        Self {
            max_bytes: 8 * 1024,
            max_time: Duration::from_secs(1),
            statuses: |status| status.is_client_error() || status.is_server_error(),
        }
    }

    /// Sets how many bytes are kept of a body.
    pub const fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets how long a response may wait for its body, from its headers on.
    pub const fn with_max_time(mut self, max_time: Duration) -> Self {
        self.max_time = max_time;
        self
    }

    /// Sets which statuses' bodies are captured.
    pub const fn with_statuses(mut self, statuses: fn(StatusCode) -> bool) -> Self {
        self.statuses = statuses;
        self
    }

    /// Returns how many bytes are kept of a body.
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Returns how long a response may wait for its body.
    pub const fn max_time(&self) -> Duration {
        self.max_time
    }

    /// Tells whether the body of a response with this status is captured.
    pub fn applies_to(&self, status: StatusCode) -> bool {
        (self.statuses)(status)
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}
