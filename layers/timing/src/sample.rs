//! One finished request.

use crate::Outcome;
use std::time::Duration;

/// What is recorded of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) outcome: Outcome,
    /// Its body was dropped before its end, and that is why it counts as cancelled.
    pub(crate) abandoned: bool,
    pub(crate) attempts: u32,
    pub(crate) rate_wait: Duration,
    pub(crate) queue_wait: Duration,
    pub(crate) headers: Option<Duration>,
    pub(crate) body: Option<Duration>,
    pub(crate) total: Duration,
}
