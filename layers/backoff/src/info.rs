//! What a response says about its retries.

use std::time::Duration;

/// How a request was tried, in the extensions of its response.
///
/// It is there when the request was sent more than once, and when its response might have been worth another
/// attempt that was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryInfo {
    /// How many attempts there were, the first included.
    pub attempts: u32,
    /// Why there was no other; `None` for a response that does not call for one.
    pub gave_up: Option<GaveUp>,
    /// How long the server asks to be left alone, counted from its response.
    pub retry_after: Option<Duration>,
}

/// Why a response or error that called for another attempt is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GaveUp {
    /// The server may have acted on the request, and repeating it might act twice.
    NotIdempotent,
    /// The body was streamed, and is gone.
    NotReplayable,
    /// There were as many retries as the policy allows.
    Exhausted,
    /// The server asks for a longer wait than the policy allows.
    WaitTooLong {
        /// What the server asks for.
        wait: Duration,
        /// What the policy allows.
        limit: Duration,
    },
    /// The wait would not be over before the request's deadline.
    DeadlineTooSoon {
        /// How long the wait would be.
        wait: Duration,
        /// How much time is left.
        left: Duration,
    },
    /// The client's retry budget is used up.
    BudgetEmpty,
    /// The server says that another attempt is pointless: `x-should-retry: false`, or a spent month's quota.
    Final,
}
