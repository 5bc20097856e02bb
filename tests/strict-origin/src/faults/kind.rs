//! The kinds of faults.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Api;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// Names one way in which the origin misbehaves.
        ///
        /// A fault does not consume quota, unless the request is *served* all the same, which is
        /// said where it is so. "Tells" means that the score holds the client to the wait that the
        /// response asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Returns the text form, such as `bad-gateway`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// 403 with GitHub's secondary limit message and `Retry-After`, which tells everyone. GitHub
    /// only.
    SecondaryLimit = "secondary-limit",
    /// 403 with GitHub's secondary limit message and no hint at all. GitHub's documentation asks
    /// for at least a minute; as the response does not, nothing is told. GitHub only, and not part
    /// of [`FaultPlan::mixed`](crate::FaultPlan::mixed).
    SecondaryLimitSilent = "secondary-limit-silent",
    /// 429 with `Retry-After` in seconds, which tells everyone.
    RetryAfterSeconds = "retry-after-seconds",
    /// 429 with `Retry-After` as an IMF-fixdate, which tells everyone.
    RetryAfterImfDate = "retry-after-imf-date",
    /// 429 with `Retry-After` as an RFC 850 date, which tells everyone.
    RetryAfterRfc850Date = "retry-after-rfc850-date",
    /// 429 with `Retry-After` as an asctime date, which tells everyone.
    RetryAfterAsctimeDate = "retry-after-asctime-date",
    /// 429 with `retry-after-ms`, which tells everyone. Anthropic and external.
    RetryAfterMs = "retry-after-ms",
    /// 429 with `x-ratelimit-remaining: 0` and `x-ratelimit-reset` in seconds since 1970, which
    /// tells everyone. GitHub and external.
    EpochReset = "epoch-reset",
    /// 429 with `x-ratelimit-remaining: 0` and `x-ratelimit-reset` in seconds from now, which tells
    /// everyone. External only.
    DeltaReset = "delta-reset",
    /// 429 with `anthropic-ratelimit-requests-remaining: 0` and a reset in RFC 3339, which tells
    /// everyone. Anthropic only.
    Rfc3339Reset = "rfc3339-reset",
    /// 429 with `RateLimit: "default";r=0;t=…`, which tells everyone. External only.
    IetfRateLimit = "ietf-rate-limit",
    /// 429 without a hint and with `enforced_spend_limit_reached`: final until the month ends.
    /// Anthropic only, and not part of
    /// [`FaultPlan::mixed`](crate::FaultPlan::mixed).
    SpendLimit = "spend-limit",
    /// 500.
    InternalError = "internal-error",
    /// 502.
    BadGateway = "bad-gateway",
    /// 503.
    Unavailable = "unavailable",
    /// 503 with `Retry-After` in seconds, which tells this request only.
    UnavailableRetryAfter = "unavailable-retry-after",
    /// 529 `overloaded_error`. Anthropic only.
    Overloaded = "overloaded",
    /// 500 with a large body, 1 MiB by default, as bait for a client that does not read what it
    /// rejects.
    LargeError = "large-error",
    /// Served, but the head comes late.
    SlowHeaders = "slow-headers",
    /// Served, but the body dribbles.
    SlowBody = "slow-body",
    /// No response: HTTP/1.1 closes the connection in order, HTTP/2 resets the stream.
    CloseBeforeHeaders = "close-before-headers",
    /// No response: HTTP/1.1 resets the connection (TCP RST), HTTP/2 resets the stream.
    ResetBeforeHeaders = "reset-before-headers",
    /// Served, but half of the body that `content-length` promises is missing: HTTP/1.1 closes the
    /// connection in order, HTTP/2 resets the stream. A body of less than two bytes is left as it
    /// is.
    TruncatedBody = "truncated-body",
    /// Served, but after half of the body HTTP/1.1 resets the connection (TCP RST) and HTTP/2 the
    /// stream. A body of less than two bytes is left as it is.
    ResetInsideBody = "reset-inside-body",
    /// Served, but claims to come from a cache (`Age: 60`) and that nothing remains for an hour.
    StaleHint = "stale-hint",
    /// Served, but claims ten times the limit and that all of it remains.
    InflatedRemaining = "inflated-remaining",
    /// 503 with `Retry-After: -1`.
    NegativeRetryAfter = "negative-retry-after",
    /// 503 with `Retry-After: soon`.
    GarbageRetryAfter = "garbage-retry-after",
    /// 503 with a `Retry-After` of forty digits. Not part of
    /// [`FaultPlan::mixed`](crate::FaultPlan::mixed), as a client may well believe it.
    HugeRetryAfter = "huge-retry-after",
    /// 503 with `Retry-After: 0`.
    ZeroRetryAfter = "zero-retry-after",
    /// 503 with a `Retry-After` date an hour ago.
    PastRetryAfter = "past-retry-after",
    /// 429 from a server whose clock is an hour ahead, in `Date` and in the hint alike, which tells
    /// everyone: only the difference is true.
    ClockAhead = "clock-ahead",
    /// 429 from a server whose clock is an hour behind, in `Date` and in the hint alike, which
    /// tells everyone: only the difference is true.
    ClockBehind = "clock-behind",
}

/// What becomes of a request that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It gets a response of the fault's own.
    Respond,
    /// It gets none.
    HangUp {
        /// By a TCP reset.
        reset: bool,
    },
    /// It is served, with a twist.
    Serve,
}

impl FaultKind {
    /// Returns whether the server of an API could do this: the origin injects no other faults.
    pub const fn fits(self, api: Api) -> bool {
        match self {
            Self::SecondaryLimit | Self::SecondaryLimitSilent => api.is_github(),
            Self::RetryAfterMs => matches!(api, Api::Anthropic | Api::External),
            Self::EpochReset => !matches!(api, Api::Anthropic),
            Self::DeltaReset | Self::IetfRateLimit => matches!(api, Api::External),
            Self::Rfc3339Reset | Self::SpendLimit | Self::Overloaded => {
                matches!(api, Api::Anthropic)
            }
            _ => true,
        }
    }

    /// Returns whether [`FaultPlan::mixed`](crate::FaultPlan::mixed) has this kind: all that a
    /// client can get over in seconds.
    pub const fn is_mixed_in(self) -> bool {
        !matches!(
            self,
            Self::SecondaryLimitSilent | Self::SpendLimit | Self::HugeRetryAfter
        )
    }

    pub(crate) const fn shape(self) -> Shape {
        match self {
            Self::CloseBeforeHeaders => Shape::HangUp { reset: false },
            Self::ResetBeforeHeaders => Shape::HangUp { reset: true },
            Self::SlowHeaders
            | Self::SlowBody
            | Self::TruncatedBody
            | Self::ResetInsideBody
            | Self::StaleHint
            | Self::InflatedRemaining => Shape::Serve,
            _ => Shape::Respond,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        Self::ALL
            .iter()
            .find(|kind| kind.name() == text)
            .copied()
            .ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

/// Says that a text names no kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of fault")]
pub struct UnknownFault(String);
