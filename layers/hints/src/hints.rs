//! The answer: [`Hints`] and what it is made of.

use std::time::Duration;

use crate::ServerQuota;

/// How long a client stays away from GitHub after a refusal that names no time: "at least one
/// minute".
///
/// GitHub asks for exponentially longer waits when refusals repeat. One response knows nothing of
/// the one before, so the doubling is the caller's.
pub const SECONDARY_LIMIT_WAIT: Duration = Duration::from_secs(60);

/// Holds everything that one response says about coming back.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hints {
    /// How long the server asks to be left alone, measured from the receipt of the response; `None`
    /// if it asks nothing.
    ///
    /// It is not capped: a hostile or confused server can ask for [`Duration::MAX`].
    pub wait: Option<Wait>,
    /// What is left of a quota, if the server says. Of several the most restrictive.
    pub quota: Option<ServerQuota>,
    /// `x-should-retry`: the server's own word on whether this request may be sent again.
    pub should_retry: Option<bool>,
    /// Whether the reply came out of a cache (`Age` above zero), so that its limits are old. `wait`
    /// and `quota` are then `None`.
    pub cached: bool,
    /// What kind of refusal this is; `None` if it is not one that waiting has to do with.
    pub limit: Option<Limit>,
}

/// Says how long to wait, and which part of the response says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wait {
    /// From the receipt of the response. Zero means "now": the server explicitly allows an
    /// immediate retry.
    pub after: Duration,
    /// Where it comes from.
    pub source: Source,
}

/// Names the part of a response that a [`Wait`] comes from.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `retry-after-ms`.
    RetryAfterMs,
    /// `Retry-After`, seconds or date.
    RetryAfter,
    /// The reset of a quota. Never zero.
    Reset,
    /// No header: GitHub's rule for a refusal that names no time, [`SECONDARY_LIMIT_WAIT`].
    SecondaryLimit,
}

/// Tells one kind of refusal from another.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// A quota that the server counts down in its headers is used up.
    Primary,
    /// GitHub's secondary limit: too many at once, too fast, too costly. Nothing in the headers
    /// foretells it.
    Secondary,
    /// 429, or 403 with a `Retry-After`, without a word on which quota it was.
    RateLimit,
    /// 503, 529, or an error body that says so: the server is busy with everybody, not with this
    /// client.
    Overloaded,
    /// Money or the month's allowance is spent. No retry helps, whatever else the response says.
    SpendCap,
}

/// Selects whose habits decide what the headers leave open.
///
/// Each dialect reads all header families. They differ in the bodies they understand and in what a
/// bare status means.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Headers, and the error codes by which OpenAI-like and Anthropic-like bodies say that no
    /// money is left.
    #[default]
    Generic,
    /// Also GitHub's messages for its primary and secondary limits, GraphQL's `RATE_LIMITED` in a
    /// successful reply, and at least [`SECONDARY_LIMIT_WAIT`] when no time is named. A 403 is a
    /// limit only when headers or body say so: without either it is a missing permission.
    GitHub,
    /// Also Anthropic's `overloaded_error` on any server error, and its messages about spend
    /// limits.
    Anthropic,
}
