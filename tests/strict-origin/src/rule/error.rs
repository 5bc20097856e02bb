//! Why something is no rule.

use crate::UnknownApi;

/// Says why something is no [`Rule`](crate::Rule).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A number that has to be positive is zero.
    #[error("the {0} of a quota is at least one")]
    Zero(&'static str),
    /// The burst is above the limit.
    #[error("a burst of {0} is above the limit of {1}")]
    BurstAboveLimit(u32, u32),
    /// A time is longer than the window it belongs to.
    #[error("the {0} of a quota is shorter than its period")]
    AboveWindow(&'static str),
    /// The window is longer than a day.
    #[error("the period of a quota is at most 24h")]
    TooLong,
    /// The text does not start with a quota.
    #[error("`{0}` is no quota: expected LIMIT/PERIOD such as 600/1s")]
    NoQuota(String),
    /// The text does not start with an API.
    #[error("`{0}` names no API: expected API=LIMIT/PERIOD such as github=600/1s")]
    NoApi(String),
    /// A number does not parse.
    #[error("`{0}` is no whole number")]
    NoNumber(String),
    /// A time does not parse.
    #[error("`{0}` is no time: expected a whole number with us, ms, s, m or h")]
    NoTime(String),
    /// A part has no known key.
    #[error(
        "`{0}` is no part of a quota: expected burst=N, spacing=TIME, jitter=TIME, slack=TIME or concurrent=N"
    )]
    UnknownPart(String),
    /// The API's name is unknown.
    #[error(transparent)]
    UnknownApi(#[from] UnknownApi),
}
