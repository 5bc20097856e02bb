//! How an attempt failed, and who may make another.

use crate::context::Inner;
use std::sync::{Arc, atomic::Ordering};

/// How the present attempt failed, as far as a layer of ours brought the failure about.
///
/// A failure of the transport sets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// A layer refused the request before anything was sent: a queue was full, a wait too long.
    Refused,
    /// The attempt was given up because its time was over.
    TimedOut,
    /// The whole request was given up because its deadline has passed.
    DeadlineExceeded,
    /// A layer refused the request before anything was sent, because it would have been sent too late.
    DeadlineTooSoon,
}

impl Failure {
    /// Tells whether nothing was sent.
    pub const fn is_unsent(self) -> bool {
        matches!(self, Self::Refused | Self::DeadlineTooSoon)
    }

    pub(crate) const fn to_bits(failure: Option<Self>) -> u8 {
        match failure {
            None => 0,
            Some(Self::Refused) => 1,
            Some(Self::TimedOut) => 2,
            Some(Self::DeadlineExceeded) => 3,
            Some(Self::DeadlineTooSoon) => 4,
        }
    }

    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            1 => Some(Self::Refused),
            2 => Some(Self::TimedOut),
            3 => Some(Self::DeadlineExceeded),
            4 => Some(Self::DeadlineTooSoon),
            _ => None,
        }
    }
}

/// Marks that one layer owns the retries of a request; dropping it gives them up.
///
/// See [`RequestContext::own_retries`](crate::RequestContext::own_retries).
#[derive(Debug)]
#[must_use = "the retries are owned only as long as this lives"]
pub struct RetryOwner(pub(crate) Arc<Inner>);

impl Drop for RetryOwner {
    fn drop(&mut self) {
        self.0.retries_owned.store(false, Ordering::Release);
    }
}
