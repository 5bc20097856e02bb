//! What a body's owner is told when the body was ended by this layer.

use std::time::Duration;
use thiserror::Error;

/// Says that no more than the first part of an error response's body is there.
///
/// The last thing that a captured body yields, if there was more than [`Capture`](crate::Capture) keeps or it
/// did not come in time. A body that was cut off never ends as a complete one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("only the first {kept} bytes of the error response's body were kept")]
#[non_exhaustive]
pub struct Truncated {
    /// How many bytes were kept.
    pub kept: usize,
}

impl Truncated {
    pub(crate) const fn after(kept: usize) -> Self {
        Self { kept }
    }
}

/// Says that the body was cancelled because its owner had not polled it for too long.
///
/// See [`BodyCleanupLayer::with_idle_timeout`](crate::BodyCleanupLayer::with_idle_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the response's body was cancelled after nobody had read from it for {idle_for:?}")]
#[non_exhaustive]
pub struct IdleCancelled {
    /// How long the body had not been polled when it was cancelled.
    pub idle_for: Duration,
}

impl IdleCancelled {
    pub(crate) const fn after(idle_for: Duration) -> Self {
        Self { idle_for }
    }
}
