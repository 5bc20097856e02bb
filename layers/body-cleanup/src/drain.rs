//! How much is read of a body that its owner has dropped.

use std::time::Duration;

/// How many frames are read in one go: in a drop, or in one poll of a background task.
pub(crate) const FRAMES_AT_ONCE: u32 = 64;

/// How much of a body is read after its owner has dropped it, so that its connection can be used again.
///
/// First, in the drop itself, what is already there: frames are taken until the body is pending, and at most
/// 64 of them. If that was not all, and the layer has an [executor](crate::Executor), the rest is read in the
/// background, for a bounded time. A body that is over by then has freed its connection; every other one is
/// dropped, which closes it. A body that says itself that it has more left than may be read is dropped at
/// once.
///
/// Nothing is read in the background of the body of an error that was [captured](crate::Capture), whose connection
/// is to be free before the caller sees the response, nor of a body whose request is beyond its deadline
/// ([`RequestContext`](egress_context::RequestContext)): expiry frees a connection at once. A drain that has begun
/// ends with the deadline.
///
/// # Defaults
///
/// - on the spot: 64 KiB
/// - in the background: 256 KiB more, for 1 s
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    max_bytes: u64,
    background_bytes: u64,
    background_time: Duration,
}

impl Drain {
    /// Drops every body at once.
    pub const NEVER: Self = Self {
        max_bytes: 0,
        background_bytes: 0,
        background_time: Duration::ZERO,
    };

    /// Makes the defaults.
    pub const fn new() -> Self {
        Self {
            max_bytes: 64 * 1024,
            background_bytes: 256 * 1024,
            background_time: Duration::from_secs(1),
        }
    }

    /// Sets how much is read on the spot, in bytes; 0 means that a body is not even polled.
    pub const fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets how much more is read in the background, in bytes, and for how long; 0 of either means nothing.
    pub const fn with_background(mut self, max_bytes: u64, max_time: Duration) -> Self {
        self.background_bytes = max_bytes;
        self.background_time = max_time;
        self
    }

    /// Returns how many bytes are read on the spot.
    pub const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Returns how many bytes more are read in the background.
    pub const fn background_bytes(&self) -> u64 {
        if self.background_time.is_zero() {
            return 0;
        }
        self.background_bytes
    }

    /// Returns for how long is read in the background.
    pub const fn background_time(&self) -> Duration {
        self.background_time
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}
