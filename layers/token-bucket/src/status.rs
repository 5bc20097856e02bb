//! What a bucket tells of itself.

use crate::Quota;
use egress_time::Instant;
use std::sync::Arc;

/// A bucket at one moment; see [`Bucket::status`](crate::Bucket::status).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketStatus {
    /// Its name.
    pub name: Arc<str>,
    /// The present quota.
    pub quota: Quota,
    /// How many calls could depart now, as burst, rate and window allow; the spacing then keeps them apart. None while
    /// anybody waits.
    pub available: u32,
    /// How many that could ever be: the burst.
    pub maximum: u32,
    /// How many wait for a slot to come.
    pub queued: usize,
    /// When a newcomer could depart.
    pub next_slot: Instant,
    /// Until when the bucket is paused, if it is.
    pub paused_until: Option<Instant>,
    /// Whether one request is out alone after a pause, and everybody waits for its outcome.
    pub probing: bool,
    /// What the server last said of its own count.
    pub server: Option<ServerView>,
    /// What has happened so far.
    pub totals: Totals,
}

/// A server's own count, merged from its replies: of those in one window, the smallest remainder, less what
/// departed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerView {
    /// How much there is per window.
    pub limit: Option<u64>,
    /// How much of it is left.
    pub remaining: Option<u64>,
    /// When the window ends.
    pub resets_at: Instant,
}

/// How many requests went which way. They balance: those [accepted](Self::accepted) are
/// [departed](Self::departed) + [cancelled](Self::cancelled) + [revoked](Self::revoked) + [overdue](Self::overdue) +
/// [queued](BucketStatus::queued).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Got a place in the queue, or departed at once.
    pub accepted: u64,
    /// Departed.
    pub departed: u64,
    /// Were dropped before they departed.
    pub cancelled: u64,
    /// Were accepted, and refused when a pause or another quota made their wait too long.
    pub revoked: u64,
    /// Did neither depart nor leave after their slot has passed: they wait for the inner service, or are forgotten.
    pub overdue: u64,
    /// Were refused at once. Not among those accepted.
    pub refused: u64,
    /// Departed, and were told by the server that there are too many.
    pub throttled: u64,
}
