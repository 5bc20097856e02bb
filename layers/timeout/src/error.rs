//! Why a request was given up.

use std::{error::Error, fmt, time::Duration};

/// What the services and bodies of this crate fail with: the inner one's error, or a [`TimedOut`].
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The reason of an error: some time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {bound} of {limit:?} was over after {after:?} of {phase}")]
pub struct TimedOut {
    pub(crate) bound: Bound,
    pub(crate) phase: Phase,
    pub(crate) after: Duration,
    pub(crate) limit: Duration,
}

impl TimedOut {
    /// Returns which time was over.
    pub const fn bound(&self) -> Bound {
        self.bound
    }

    /// Returns what the request was waiting for.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns how long it took: since the attempt was sent, since the request was made, or since the body stalled.
    pub const fn after(&self) -> Duration {
        self.after
    }

    /// Returns how long it might have taken.
    pub const fn limit(&self) -> Duration {
        self.limit
    }
}

/// A time that can be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// That of one attempt, from its dispatch.
    Attempt,
    /// That of the whole request. No further attempt makes sense.
    Deadline,
    /// That between two frames of a body that is being waited for.
    BodyIdle,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempt => "attempt timeout",
            Self::Deadline => "deadline",
            Self::BodyIdle => "body idle timeout",
        })
    }
}

/// What a request was waiting for, as far as the layers in its stack have said in the request's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// For a rate limit or for a connection: nothing was sent.
    Queue,
    /// For the response's headers; the last attempt was sent.
    Headers,
    /// For another attempt; the last one has failed, or its response was rejected.
    Retry,
    /// For the body.
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "waiting to be sent",
            Self::Headers => "waiting for the response",
            Self::Retry => "waiting to be sent again",
            Self::Body => "waiting for the response's body",
        })
    }
}
