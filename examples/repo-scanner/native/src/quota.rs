//! What a server permits: from the command line, for the stack, and in words.

use crate::failure::Failure;
use std::{fmt, num::NonZeroUsize, time::Duration};
use strict_origin::{Api, NamedRule, Rule, RuleError};
use tower_egress::{InvalidQuota, Quota};

/// What was asked for, and what is kept to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    asked: Quota,
    /// The same with head-room.
    pub(crate) quota: Quota,
    /// How many requests may be in flight at the server, if it says so.
    concurrent: Option<NonZeroUsize>,
}

impl Pace {
    /// GitHub's, which is well inside its limits as it is.
    pub(crate) const GITHUB: Self = Self {
        asked: Quota::GITHUB,
        quota: Quota::GITHUB,
        concurrent: None,
    };

    /// Anthropic's, as well.
    pub(crate) const ANTHROPIC: Self = Self {
        asked: Quota::ANTHROPIC,
        quota: Quota::ANTHROPIC,
        concurrent: None,
    };

    /// Makes the window a little longer than the server's: a request that departs just in time may arrive early, when the one
    /// that it must keep its distance from was delayed on its way.
    pub(crate) fn new(named: &NamedRule) -> Result<Self, Failure> {
        let per = named.rule.per();
        let refused = |error| Failure::usage(format!("--quota {}: {error}", named.api));
        Ok(Self {
            asked: quota(&named.rule, per).map_err(refused)?,
            quota: quota(&named.rule, per + head_room(per)).map_err(refused)?,
            concurrent: named.rule.concurrent().and_then(in_flight),
        })
    }

    /// Returns how many requests to have in flight, of the number that somebody wants.
    pub(crate) fn concurrency(&self, wanted: NonZeroUsize) -> NonZeroUsize {
        self.concurrent.map_or(wanted, |most| most.min(wanted))
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = &self.asked;
        write!(f, "{} requests in {:?}", asked.limit(), asked.period())?;
        if asked.burst() < asked.limit() {
            write!(f, ", {} at once", asked.burst())?;
        }
        if !asked.spacing().is_zero() {
            write!(f, ", {:?} apart", asked.spacing())?;
        }
        if let Some(concurrent) = self.concurrent {
            write!(f, ", {concurrent} in flight")?;
        }
        if self.quota.period() > asked.period() {
            let period = self.quota.period();
            write!(f, " (sent as if in {period:?}, for head-room)")?;
        }
        Ok(())
    }
}

/// A hundredth, and what a busy machine is late by; but in the shortest windows no more than a twentieth.
fn head_room(period: Duration) -> Duration {
    let late = Duration::from_millis(25);
    late.min(period / 20).max(period / 100)
}

fn quota(rule: &Rule, period: Duration) -> Result<Quota, InvalidQuota> {
    Quota::new(rule.limit(), period)?
        .with_burst(rule.burst())?
        .with_spacing(rule.spacing())
}

/// No number of requests is too large to be a bound on them.
fn in_flight(count: u32) -> Option<NonZeroUsize> {
    NonZeroUsize::new(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Returns what in a rule says how the server inside counts, which no other server is told of.
pub(crate) fn only_inside(named: &NamedRule) -> Option<&'static str> {
    let jitter = named.rule.jitter() != Rule::DEFAULT_JITTER;
    let slack = !named.rule.slack().is_zero();
    match (jitter, slack) {
        (true, true) => Some("jitter= and slack="),
        (true, false) => Some("jitter="),
        (false, true) => Some("slack="),
        (false, false) => None,
    }
}

/// Parses one from the command line, and says what is wrong in the words of somebody who typed it.
pub(crate) fn parse(text: &str) -> Result<NamedRule, String> {
    if let Some(key) = given_twice(text) {
        return Err(format!("{key}= is given more than once"));
    }
    text.parse().map_err(|error| match error {
        RuleError::Zero("period") => "the period must be at least 1us".to_owned(),
        RuleError::Zero(what) => format!("the {what} must be at least 1"),
        RuleError::NoNumber(number) if is_whole(&number) => {
            format!("{} is too large; at most {}", number.trim(), u32::MAX)
        }
        RuleError::NoTime(time) if is_whole(time.trim_end_matches(['u', 'm', 's', 'h'])) => {
            let time = time.trim();
            if is_whole(time) {
                format!("{time} has no unit; expected us, ms, s, m or h after it")
            } else {
                format!("{time} is too long; the period must be at most 24h")
            }
        }
        error => error.to_string(),
    })
}

fn given_twice(text: &str) -> Option<&str> {
    let parts = text.split(',').skip(1);
    let mut keys = parts.filter_map(|part| Some(part.split_once('=')?.0.trim()));
    let mut seen = Vec::new();
    keys.find(|key| {
        let twice = seen.contains(key);
        seen.push(*key);
        twice
    })
}

fn is_whole(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Makes sure that none is given twice, of which one would go unheard.
pub(crate) fn once_each(rules: &[NamedRule]) -> Result<(), Failure> {
    for api in Api::ALL {
        if rules.iter().filter(|named| named.api == api).count() > 1 {
            return Err(Failure::usage(format!(
                "--quota {api}= is given more than once"
            )));
        }
    }
    Ok(())
}

/// Returns the rules that a scan can use: GitHub's, and Anthropic's.
pub(crate) fn of_scan(
    rules: Vec<NamedRule>,
) -> Result<(Option<NamedRule>, Option<NamedRule>), Failure> {
    once_each(&rules)?;
    let (mut github, mut anthropic) = (None, None);
    for named in rules {
        match named.api {
            Api::Github => github = Some(named),
            Api::Anthropic => anthropic = Some(named),
            other => {
                let expected = "github=QUOTA or anthropic=QUOTA";
                return Err(asks_nothing_of(other, expected));
            }
        }
    }
    Ok((github, anthropic))
}

pub(crate) fn asks_nothing_of(api: impl fmt::Display, expected: &str) -> Failure {
    let why = "a scan asks nothing of that API";
    Failure::usage(format!("--quota {api}=: {why}; expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_quota_is_said_in_the_words_of_who_typed_it() {
        for (text, why) in [
            ("github=10/0s", "the period must be at least 1us"),
            ("github=0/1s", "the limit must be at least 1"),
            (
                "github=99999999999999/1s",
                "99999999999999 is too large; at most 4294967295",
            ),
            (
                "github=1/99999999999999999999h",
                "99999999999999999999h is too long; the period must be at most 24h",
            ),
            (
                "github=1/1",
                "1 has no unit; expected us, ms, s, m or h after it",
            ),
            ("github=-1/1s", "`-1` is no whole number"),
            (
                "github=9/1s,burst=1,spacing=1ms, burst =2",
                "burst= is given more than once",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn head_room_is_told_apart_from_what_was_asked_for() {
        let named = parse("github=600/1s,burst=10,spacing=5ms").unwrap();
        assert_eq!(
            Pace::new(&named).unwrap().to_string(),
            "600 requests in 1s, 10 at once, 5ms apart (sent as if in 1.025s, for head-room)"
        );
        let named = parse("github=6/1s,concurrent=3").unwrap();
        assert_eq!(
            Pace::new(&named).unwrap().to_string(),
            "6 requests in 1s, 3 in flight (sent as if in 1.025s, for head-room)"
        );
        let github = "30 requests in 60s, 10 at once, 100ms apart";
        assert_eq!(Pace::GITHUB.to_string(), github);
    }

    #[test]
    fn a_bound_on_what_is_in_flight_lowers_what_is_wanted() {
        let six = NonZeroUsize::new(6).unwrap();
        for (text, kept) in [
            ("9/1s,concurrent=2", 2),
            ("9/1s,concurrent=7", 6),
            ("9/1s", 6),
        ] {
            let pace = Pace::new(&parse(&format!("github={text}")).unwrap()).unwrap();
            assert_eq!(pace.concurrency(six).get(), kept, "{text}");
        }
    }
}
