//! What one API permits.

mod error;
mod text;

use std::{num::NonZeroU32, time::Duration};

pub use self::{error::RuleError, text::NamedRule};
use crate::Api;

/// The longest window that a rule can have.
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Says what one API permits its client.
///
/// *Enforced*, because the origin can measure it exactly: `limit` requests in every window of
/// `per`, and `concurrent` requests at once. *Scored*, because the network between client and
/// origin blurs it: `burst` and `spacing`.
///
/// The text form is `LIMIT/PERIOD` and any of `burst=N`, `spacing=TIME`, `jitter=TIME`,
/// `slack=TIME` and `concurrent=N` after it, separated by commas. A time is a whole number with
/// `us`, `ms`, `s`, `m` or `h`.
///
/// ```
/// use strict_origin::Rule;
///
/// let rule: Rule = "600/1s,burst=10,spacing=5ms".parse()?;
/// assert_eq!(rule.limit(), 600);
/// # Ok::<(), strict_origin::RuleError>(())
/// ```
///
/// # Defaults
///
/// - `burst`: the limit, which is to say that bursts are not scored
/// - `spacing`: 0, not scored
/// - `jitter`: 10 ms
/// - `slack`: 0
/// - `concurrent`: no bound
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    limit: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
    spacing: Duration,
    jitter: Duration,
    slack: Duration,
    concurrent: Option<NonZeroU32>,
}

impl Rule {
    /// The allowance for jitter of a rule that states none.
    pub const DEFAULT_JITTER: Duration = Duration::from_millis(10);

    /// Permits `limit` requests in every half-open window of `per`.
    ///
    /// # Errors
    ///
    /// A limit of zero, a window of zero and a window above one day are no rules.
    pub fn new(limit: u32, per: Duration) -> Result<Self, RuleError> {
        let limit = NonZeroU32::new(limit).ok_or(RuleError::Zero("limit"))?;
        if per.is_zero() {
            return Err(RuleError::Zero("period"));
        }
        if per > LONGEST_WINDOW {
            return Err(RuleError::TooLong);
        }
        Ok(Self {
            limit,
            per,
            burst: limit,
            spacing: Duration::ZERO,
            jitter: Self::DEFAULT_JITTER,
            slack: Duration::ZERO,
            concurrent: None,
        })
    }

    /// Scores requests above a burst of `burst`, refilled evenly at `limit` per window.
    ///
    /// # Errors
    ///
    /// A burst is at least one and at most the limit.
    pub fn with_burst(mut self, burst: u32) -> Result<Self, RuleError> {
        self.burst = NonZeroU32::new(burst).ok_or(RuleError::Zero("burst"))?;
        if self.burst > self.limit {
            return Err(RuleError::BurstAboveLimit(burst, self.limit.get()));
        }
        Ok(self)
    }

    /// Scores requests that follow each other closer than `spacing`.
    ///
    /// # Errors
    ///
    /// A spacing is at most the window.
    pub fn with_spacing(mut self, spacing: Duration) -> Result<Self, RuleError> {
        if spacing > self.per {
            return Err(RuleError::AboveWindow("spacing"));
        }
        self.spacing = spacing;
        Ok(self)
    }

    /// Forgives what is *scored* when a request comes up to `jitter` ahead of its schedule.
    ///
    /// A client keeps its schedule when requests depart; the origin sees them arrive, one delayed
    /// more than the next. The allowance is for the schedule as a whole, not for each pair: a
    /// client that is always too fast is found out after a few requests even if `jitter` is larger
    /// than `spacing`.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Shortens the *enforced* window by `slack`.
    ///
    /// Without it a client whose departures keep the limit exactly can be refused, because the
    /// network brought two of them closer together. [`peak_window`](crate::ApiScore::peak_window)
    /// still counts over the full window.
    ///
    /// # Errors
    ///
    /// A slack is shorter than the window.
    pub fn with_slack(mut self, slack: Duration) -> Result<Self, RuleError> {
        if slack >= self.per {
            return Err(RuleError::AboveWindow("slack"));
        }
        self.slack = slack;
        Ok(self)
    }

    /// Refuses a request when more than `concurrent` of this API wait for their response heads,
    /// itself included.
    ///
    /// # Errors
    ///
    /// The bound is at least one.
    pub fn with_concurrent(mut self, concurrent: u32) -> Result<Self, RuleError> {
        self.concurrent = Some(NonZeroU32::new(concurrent).ok_or(RuleError::Zero("concurrent"))?);
        Ok(self)
    }

    /// Returns the rule that the library's preset of an API has: GitHub 30 in 60 s, 100 ms apart,
    /// burst 10; GitHub Search 10, 1 s, 3; Anthropic 5, 2 s, 2; external 60, 50 ms, 20.
    pub fn preset(api: Api) -> Self {
        let (limit, spacing, burst) = match api {
            Api::Github => (30, 100, 10),
            Api::GithubSearch => (10, 1_000, 3),
            Api::Anthropic => (5, 2_000, 2),
            Api::External => (60, 50, 20),
        };
        Self {
            limit: NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN),
            per: Duration::from_secs(60),
            burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
            spacing: Duration::from_millis(spacing),
            jitter: Self::DEFAULT_JITTER,
            slack: Duration::ZERO,
            concurrent: None,
        }
    }

    /// Returns how many requests a window permits.
    pub fn limit(&self) -> u32 {
        self.limit.get()
    }

    /// Returns the length of the window.
    pub fn per(&self) -> Duration {
        self.per
    }

    /// Returns the burst, which is the limit if bursts are not scored.
    pub fn burst(&self) -> u32 {
        self.burst.get()
    }

    /// Returns the smallest spacing, zero if spacing is not scored.
    pub fn spacing(&self) -> Duration {
        self.spacing
    }

    /// Returns the allowance for jitter in what is scored.
    pub fn jitter(&self) -> Duration {
        self.jitter
    }

    /// Returns by how much the enforced window is shorter than [`Rule::per`].
    pub fn slack(&self) -> Duration {
        self.slack
    }

    /// Returns how many requests may wait for their response heads at once.
    pub fn concurrent(&self) -> Option<u32> {
        self.concurrent.map(NonZeroU32::get)
    }

    /// Returns the length of the window that is enforced.
    pub(crate) fn enforced(&self) -> Duration {
        self.per.saturating_sub(self.slack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_as_documented() {
        let rule: Rule = "30/1m".parse().unwrap();
        assert_eq!(rule.burst(), 30);
        assert_eq!(rule.spacing(), Duration::ZERO);
        assert_eq!(rule.jitter(), Duration::from_millis(10));
        assert_eq!(rule.slack(), Duration::ZERO);
        assert_eq!(rule.concurrent(), None);
    }

    #[test]
    fn presets_are_as_documented() {
        let texts = [
            "30/1m,burst=10,spacing=100ms",
            "10/1m,burst=3,spacing=1s",
            "5/1m,burst=2,spacing=2s",
            "60/1m,burst=20,spacing=50ms",
        ];
        for (api, text) in Api::ALL.into_iter().zip(texts) {
            assert_eq!(Rule::preset(api), text.parse().unwrap());
            assert_eq!(Rule::preset(api).to_string(), text);
        }
    }
}
