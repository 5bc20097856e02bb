//! Why a request may not wait for a slot.

use egress_time::Instant;
use std::{error::Error, sync::Arc, time::Duration};

/// The error of the service, as in tower.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Says that a bucket refused a request, why, and when to come back. Nothing was sent, and nothing was spent.
#[derive(Clone, Debug, thiserror::Error)]
#[error("rate limit {bucket:?}: {reason}; {queued} waiting, next slot in {retry_after:?}")]
#[non_exhaustive]
pub struct RateLimited {
    /// The name of the bucket.
    pub bucket: Arc<str>,
    /// Why it refused.
    pub reason: Reason,
    /// When the request could have departed, as far as is known; [`Instant::FAR_FUTURE`] means never.
    pub retry_at: Instant,
    /// How long that is from now.
    pub retry_after: Duration,
    /// How many wait in this bucket.
    pub queued: usize,
    /// How long the request had waited. Zero, unless a pause or another quota came after it was accepted.
    pub waited: Duration,
}

/// Says why a bucket refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The wait would be longer than [`max_wait`](crate::BucketBuilder::max_wait).
    #[error("the slot is beyond the longest wait of {max_wait:?}")]
    #[non_exhaustive]
    WaitTooLong {
        /// The longest wait there may be.
        max_wait: Duration,
    },
    /// The request's deadline would pass before.
    #[error("the slot is beyond the request's deadline")]
    DeadlineTooSoon,
    /// As many are waiting as [may](crate::BucketBuilder::max_queued).
    #[error("the queue is full at {max_queued}")]
    #[non_exhaustive]
    QueueFull {
        /// How many may wait.
        max_queued: usize,
    },
    /// The request counts as more calls than may ever depart at once.
    #[error("a cost of {cost} is above the burst of {burst}")]
    #[non_exhaustive]
    CostAboveBurst {
        /// How many calls it counts as.
        cost: u32,
        /// How many may depart at once.
        burst: u32,
    },
    /// It could not depart at once, and [was not to wait](crate::Bucket::try_depart).
    #[error("no slot at once")]
    NotNow,
}
