//! What the Worker is told by its configuration.

use crate::{
    members::{Members, Place},
    work::ALARM,
};
use http::Uri;
use js_sys::{JSON, Reflect};
use repo_scanner_core::{Operations, Slice};
use serde::de::DeserializeSeed;
use std::{fmt, num::NonZeroUsize, time::Duration};
use tower_egress::{InvalidQuota, Quota, flags};
use worker::Env;

/// The most connections that the platform lets an invocation have.
const MOST_CONNECTIONS: usize = 6;

/// All of it.
pub(crate) struct Settings {
    pub(crate) github: Upstream,
    pub(crate) anthropic: Upstream,
    /// What writing endpoints ask for.
    pub(crate) token: Option<String>,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) analyse: u32,
    pub(crate) flags: flags::Config,
    pub(crate) slice: Slice,
    pub(crate) operations: Operations,
    /// How long the first outcome of a batch waits for the others.
    pub(crate) batch_wait: Duration,
}

/// An API that is called.
pub(crate) struct Upstream {
    pub(crate) base: Uri,
    pub(crate) quota: Quota,
    pub(crate) token: Option<String>,
}

/// A setting cannot be used.
#[derive(Debug)]
pub(crate) struct Unusable(String);

impl Unusable {
    pub(crate) fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `SETTINGS`, as `wrangler.toml` has it.
#[derive(Debug, Default)]
struct Vars {
    origin: Option<String>,
    concurrency: Option<NonZeroUsize>,
    analyse: u32,
    quota: Quotas,
    flags: flags::Config,
    slice: SliceVars,
}

#[derive(Debug, Default)]
struct Quotas {
    github: QuotaVars,
    anthropic: QuotaVars,
}

#[derive(Debug, Default)]
struct QuotaVars {
    is_given: bool,
    limit: Option<u32>,
    period_ms: Option<u64>,
    burst: Option<u32>,
    spacing_ms: Option<u64>,
}

/// Those of the paid plan: 15 minutes for an alarm, 10,000 fetches and 1,000 statements for an invocation.
#[derive(Debug)]
struct SliceVars {
    seconds: u64,
    repositories: Option<u64>,
    fetches: u32,
    statements: u32,
}

impl Default for SliceVars {
    fn default() -> Self {
        Self {
            seconds: 600,
            repositories: None,
            fetches: 10_000,
            statements: 1_000,
        }
    }
}

impl Settings {
    /// Reads it, and says what is wrong with it, or missing.
    pub(crate) fn read(env: &Env) -> Result<Self, Unusable> {
        let vars = Vars::read(env)?;
        let secret = |name: &str| {
            let secret = env.secret(name).ok().map(|secret| secret.to_string());
            secret.filter(|secret| !secret.is_empty())
        };
        let github = vars.quota.github.quota("github", Quota::GITHUB)?;
        let anthropic = vars.quota.anthropic.quota("anthropic", Quota::ANTHROPIC)?;
        let upstream = |real: &'static str, quota, key: &str, is_used: bool| match &vars.origin {
            // Another server is not told what is GitHub's.
            Some(origin) => {
                let base = origin.parse::<Uri>().ok();
                let base = base.filter(|base| base.scheme().is_some());
                let base = base.ok_or_else(|| {
                    Unusable(format!("SETTINGS: origin {origin:?} is no address"))
                })?;
                Ok(Upstream {
                    base,
                    quota,
                    token: None,
                })
            }
            None => {
                let token = secret(key);
                if token.is_none() && is_used {
                    let how = format!("npx wrangler secret put {key}");
                    return Err(Unusable(format!("{key} is not set: {how}")));
                }
                Ok(Upstream {
                    base: Uri::from_static(real),
                    quota,
                    token,
                })
            }
        };
        let six = NonZeroUsize::new(MOST_CONNECTIONS).unwrap_or(NonZeroUsize::MIN);
        let (slice, operations) = vars.slice.read()?;
        Ok(Self {
            github: upstream("https://api.github.com", github, "GITHUB_TOKEN", true)?,
            anthropic: upstream(
                "https://api.anthropic.com",
                anthropic,
                "ANTHROPIC_API_KEY",
                vars.analyse > 0,
            )?,
            token: secret("REPO_SCANNER_TOKEN"),
            concurrency: vars.concurrency.unwrap_or(six).min(six),
            analyse: vars.analyse,
            flags: vars.flags,
            slice,
            operations,
            // At GitHub's pace that is a transaction for each two or three repositories.
            batch_wait: Duration::from_secs(5),
        })
    }
}

impl Vars {
    fn read(env: &Env) -> Result<Self, Unusable> {
        let value = Reflect::get(env, &"SETTINGS".into()).unwrap_or_default();
        // A table of wrangler.toml is an object; what is typed into a form is a text.
        let text = value.as_string().or_else(|| {
            let text = JSON::stringify(&value).ok()?;
            text.as_string()
        });
        let Some(text) = text else {
            return Ok(Self::default());
        };
        Self::of(&text).map_err(|error| Unusable(format!("SETTINGS: {error}")))
    }

    fn of(text: &str) -> serde_json::Result<Self> {
        let mut vars = Self::default();
        let Quotas { github, anthropic } = &mut vars.quota;
        let slice = &mut vars.slice;
        let mut slice = [
            Place::Large(&mut slice.seconds),
            Place::MaybeLarge(&mut slice.repositories),
            Place::Small(&mut slice.fetches),
            Place::Small(&mut slice.statements),
        ];
        let (of_github, mut github) = github.places();
        let (of_anthropic, mut anthropic) = anthropic.places();
        let quota = |places| Members {
            names: &["limit", "periodMs", "burst", "spacingMs"],
            places,
        };
        let mut quotas = [
            Place::MaybeObject(of_github, quota(&mut github)),
            Place::MaybeObject(of_anthropic, quota(&mut anthropic)),
        ];
        let mut places = [
            Place::Text(&mut vars.origin),
            Place::NotZero(&mut vars.concurrency),
            Place::Small(&mut vars.analyse),
            Place::Object(Members {
                names: &["github", "anthropic"],
                places: &mut quotas,
            }),
            Place::Flags(&mut vars.flags),
            Place::Object(Members {
                names: &["seconds", "repositories", "fetches", "statements"],
                places: &mut slice,
            }),
        ];
        let mut members = Members {
            names: &[
                "origin",
                "concurrency",
                "analyse",
                "quota",
                "flags",
                "slice",
            ],
            places: &mut places,
        };
        let mut json = serde_json::Deserializer::from_slice(text.as_bytes());
        members.deserialize(&mut json)?;
        json.end()?;
        Ok(vars)
    }
}

impl SliceVars {
    /// With less nothing would ever get done.
    const LEAST: Operations = Operations {
        fetches: 20,
        statements: 30,
    };

    fn read(&self) -> Result<(Slice, Operations), Unusable> {
        let least = Self::LEAST;
        if self.fetches < least.fetches || self.statements < least.statements {
            let Operations {
                fetches,
                statements,
            } = least;
            return Err(Unusable(format!(
                "SETTINGS: slice: it takes at least {fetches} fetches and {statements} statements"
            )));
        }
        if self.seconds == 0 || self.repositories == Some(0) {
            return Err(Unusable(
                "SETTINGS: slice: nothing can be done in it".into(),
            ));
        }
        if self.seconds > ALARM.as_secs() {
            let most = ALARM.as_secs();
            return Err(Unusable(format!(
                "SETTINGS: slice: it takes at most {most} seconds"
            )));
        }
        let mut slice = Slice::default();
        slice.repositories = self.repositories;
        slice.time = Some(Duration::from_secs(self.seconds));
        let operations = Operations {
            fetches: self.fetches,
            statements: self.statements,
        };
        Ok((slice, operations))
    }
}

impl QuotaVars {
    const fn places(&mut self) -> (&mut bool, [Place<'_>; 4]) {
        let places = [
            Place::MaybeSmall(&mut self.limit),
            Place::MaybeLarge(&mut self.period_ms),
            Place::MaybeSmall(&mut self.burst),
            Place::MaybeLarge(&mut self.spacing_ms),
        ];
        (&mut self.is_given, places)
    }

    fn quota(&self, api: &str, default: Quota) -> Result<Quota, Unusable> {
        if !self.is_given {
            return Ok(default);
        }
        let unusable =
            |error: &dyn fmt::Display| Unusable(format!("SETTINGS: quota.{api}: {error}"));
        let Some(limit) = self.limit else {
            return Err(unusable(&"missing field `limit`"));
        };
        let Some(period) = self.period_ms else {
            return Err(unusable(&"missing field `periodMs`"));
        };
        let quota = || -> Result<Quota, InvalidQuota> {
            let quota = Quota::new(limit, Duration::from_millis(period))?;
            let quota = match self.burst {
                Some(burst) => quota.with_burst(burst)?,
                None => quota,
            };
            quota.with_spacing(Duration::from_millis(self.spacing_ms.unwrap_or_default()))
        };
        quota().map_err(|error| unusable(&error))
    }
}
