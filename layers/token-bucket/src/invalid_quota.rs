//! Why a quota makes no sense.

use std::time::Duration;

/// Says why a quota, or a cost under it, makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidQuota {
    /// Nothing would ever depart.
    #[error("a limit of zero lets nothing through")]
    ZeroLimit,
    /// There is no window.
    #[error("a period of zero is no window")]
    ZeroPeriod,
    /// The period is longer than 366 days.
    #[error("a period of {period:?} is longer than 366 days")]
    #[non_exhaustive]
    PeriodTooLong {
        /// The period.
        period: Duration,
    },
    /// The period has less than a nanosecond for each call.
    #[error("{limit} calls in {period:?} are more than one in a nanosecond")]
    #[non_exhaustive]
    PeriodTooShort {
        /// The limit.
        limit: u32,
        /// The period.
        period: Duration,
    },
    /// Nothing would ever depart.
    #[error("a burst of zero lets nothing through")]
    ZeroBurst,
    /// More at once than in a whole period.
    #[error("a burst of {burst} is above the limit of {limit}")]
    #[non_exhaustive]
    BurstAboveLimit {
        /// The burst.
        burst: u32,
        /// The limit.
        limit: u32,
    },
    /// The spacing is longer than 366 days.
    #[error("a spacing of {spacing:?} is longer than 366 days")]
    #[non_exhaustive]
    SpacingTooLong {
        /// The spacing.
        spacing: Duration,
    },
    /// A call that costs nothing needs no bucket.
    #[error("a cost of zero needs no bucket")]
    ZeroCost,
    /// The call could never depart.
    #[error("a cost of {cost} is above the burst of {burst}")]
    #[non_exhaustive]
    CostAboveBurst {
        /// The cost.
        cost: u32,
        /// The burst.
        burst: u32,
    },
}
