//! Why a service or a wait got no permit.

use crate::{Holder, holder::Names};
use std::{error::Error, fmt, time::Duration};

/// The error of every service here, as in tower.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Says why there was no permit. Nothing was sent.
///
/// The service that returns it stays usable: its next `poll_ready` queues anew.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConcurrencyLimitError {
    /// The [`queue_timeout`](crate::Config::queue_timeout) passed.
    #[error("no permit within {waited:.1?}: {congestion}")]
    #[non_exhaustive]
    QueueTimeout {
        /// How long it was waited.
        waited: Duration,
        /// What stood in the way.
        congestion: Congestion,
    },
    /// As many were waiting as [may](crate::Config::max_queued).
    #[error("no permit and no room to wait for one: {congestion}")]
    #[non_exhaustive]
    QueueFull {
        /// What stood in the way.
        congestion: Congestion,
    },
    /// Unread bodies hold all permits, and [`fail_on_unread`](crate::Config::fail_on_unread) is set.
    #[error(
        "no permit after {waited:.1?}, because nobody reads the bodies that hold them: {congestion}"
    )]
    #[non_exhaustive]
    BodiesHeld {
        /// How long it was waited.
        waited: Duration,
        /// What stood in the way.
        congestion: Congestion,
    },
}

impl ConcurrencyLimitError {
    /// Returns how long it was waited; zero for a full queue.
    pub const fn waited(&self) -> Duration {
        match self {
            Self::QueueTimeout { waited, .. } | Self::BodiesHeld { waited, .. } => *waited,
            Self::QueueFull { .. } => Duration::ZERO,
        }
    }

    /// Returns what stood in the way.
    pub const fn congestion(&self) -> &Congestion {
        match self {
            Self::QueueTimeout { congestion, .. }
            | Self::QueueFull { congestion }
            | Self::BodiesHeld { congestion, .. } => congestion,
        }
    }
}

/// What stood in the way of a permit, at the moment when it was given up.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Congestion {
    /// How many permits there were.
    pub limit: usize,
    /// How many of them were given out.
    pub in_flight: usize,
    /// How many waited for one, the one that gave up included; one that found the queue full was not among them.
    pub queued: usize,
    /// How many permits were held by bodies that had not ended.
    pub open_bodies: usize,
    /// How many of those their owners had left alone for [`unread_after`](crate::Config::unread_after).
    pub unread_bodies: usize,
    /// The unread ones, those that were left alone for longest first, at most 16.
    pub holders: Vec<Holder>,
}

impl fmt::Display for Congestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "limit {}, in flight {}, queued {}, open bodies {}, unread bodies {}",
            self.limit, self.in_flight, self.queued, self.open_bodies, self.unread_bodies
        )?;
        if !self.holders.is_empty() {
            write!(f, ": {}", Names(&self.holders))?;
        }
        Ok(())
    }
}
