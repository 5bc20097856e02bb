//! The text form of a rule.

use std::{fmt, str::FromStr, time::Duration};

use crate::{Api, Rule, RuleError};

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.limit(), TimeText(self.per()))?;
        if self.burst() != self.limit() {
            write!(f, ",burst={}", self.burst())?;
        }
        if !self.spacing().is_zero() {
            write!(f, ",spacing={}", TimeText(self.spacing()))?;
        }
        if self.jitter() != Self::DEFAULT_JITTER {
            write!(f, ",jitter={}", TimeText(self.jitter()))?;
        }
        if !self.slack().is_zero() {
            write!(f, ",slack={}", TimeText(self.slack()))?;
        }
        match self.concurrent() {
            Some(concurrent) => write!(f, ",concurrent={concurrent}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut parts = text.split(',');
        let (limit, per) = parts
            .next()
            .and_then(|head| head.split_once('/'))
            .ok_or_else(|| RuleError::NoQuota(text.to_owned()))?;
        let mut rule = Self::new(number(limit)?, time(per)?)?;
        for part in parts {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| RuleError::UnknownPart(part.to_owned()))?;
            rule = match key.trim() {
                "burst" => rule.with_burst(number(value)?)?,
                "spacing" => rule.with_spacing(time(value)?)?,
                "jitter" => rule.with_jitter(time(value)?),
                "slack" => rule.with_slack(time(value)?)?,
                "concurrent" => rule.with_concurrent(number(value)?)?,
                _ => return Err(RuleError::UnknownPart(part.to_owned())),
            };
        }
        Ok(rule)
    }
}

/// A rule with the API that it is for, in text `github=600/1s,burst=10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRule {
    /// The API that the rule is for.
    pub api: Api,
    /// What it permits.
    pub rule: Rule,
}

impl FromStr for NamedRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (api, rule) = text
            .split_once('=')
            .ok_or_else(|| RuleError::NoApi(text.to_owned()))?;
        Ok(Self {
            api: api.trim().parse()?,
            rule: rule.parse()?,
        })
    }
}

/// Writes a time in the largest unit that states it exactly.
struct TimeText(Duration);

impl fmt::Display for TimeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let (unit, name) = [
            (3_600_000_000, "h"),
            (60_000_000, "m"),
            (1_000_000, "s"),
            (1_000, "ms"),
        ]
        .into_iter()
        .find(|(unit, _)| micros >= *unit && micros.is_multiple_of(*unit))
        .unwrap_or((1, "us"));
        write!(f, "{}{name}", micros / unit)
    }
}

fn number(text: &str) -> Result<u32, RuleError> {
    text.trim()
        .parse()
        .map_err(|_| RuleError::NoNumber(text.to_owned()))
}

fn time(text: &str) -> Result<Duration, RuleError> {
    let text = text.trim();
    let parse = || {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (count, unit) = text.split_at(digits);
        let micros: u64 = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return None,
        };
        let count: u64 = count.parse().ok()?;
        count.checked_mul(micros).map(Duration::from_micros)
    };
    parse().ok_or_else(|| RuleError::NoTime(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_everything() {
        let rule: Rule = "600/1s,burst=10,spacing=5ms,jitter=2ms,slack=1ms,concurrent=100"
            .parse()
            .unwrap();
        assert_eq!(rule.limit(), 600);
        assert_eq!(rule.per(), Duration::from_secs(1));
        assert_eq!(rule.burst(), 10);
        assert_eq!(rule.spacing(), Duration::from_millis(5));
        assert_eq!(rule.jitter(), Duration::from_millis(2));
        assert_eq!(rule.slack(), Duration::from_millis(1));
        assert_eq!(rule.concurrent(), Some(100));
        assert_eq!(rule.enforced(), Duration::from_millis(999));
    }

    #[test]
    fn text_round_trips() {
        for text in [
            "600/1s,burst=10,spacing=5ms",
            "7/1500us",
            "1/2h,jitter=0us,slack=3s,concurrent=9",
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_quota_that_makes_no_sense_cannot_be_built() {
        let wrong = [
            "",
            "600",
            "0/1s",
            "1/0s",
            "1/25h",
            "1/1",
            "1/s",
            "1/1d",
            "-1/1s",
            "1/1s,",
            "1/1s,burst",
            "5/1s,burst=0",
            "5/1s,burst=6",
            "5/1s,spacing=2s",
            "5/1s,slack=1s",
            "5/1s,concurrent=0",
            "5/1s,colour=3",
            "99999999999/1s",
            "1/99999999999999999999h",
            "1/18446744073709551615h",
        ];
        for text in wrong {
            let error = text.parse::<Rule>().expect_err(text).to_string();
            assert!(!error.contains('\n'), "one clear line: {error}");
        }
    }

    #[test]
    fn a_named_rule_starts_with_its_api() {
        let named: NamedRule = "github-search=10/1s,burst=3".parse().unwrap();
        assert_eq!(named.api, Api::GithubSearch);
        assert_eq!(named.rule.limit(), 10);
        assert!("10/1s".parse::<NamedRule>().is_err());
        assert!("gitlab=10/1s".parse::<NamedRule>().is_err());
    }
}
