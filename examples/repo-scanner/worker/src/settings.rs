//! What the Worker is told by its configuration.

use crate::work::ALARM;
use http::Uri;
use js_sys::{JSON, Reflect};
use repo_scanner_core::{Operations, Slice};
use serde::Deserialize;
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
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Vars {
    origin: Option<String>,
    concurrency: Option<NonZeroUsize>,
    analyse: u32,
    quota: Quotas,
    flags: flags::Config,
    slice: SliceVars,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Quotas {
    github: Option<QuotaVars>,
    anthropic: Option<QuotaVars>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct QuotaVars {
    limit: u32,
    period_ms: u64,
    burst: Option<u32>,
    #[serde(default)]
    spacing_ms: u64,
}

/// Those of the paid plan: 15 minutes for an alarm, 10,000 fetches and 1,000 statements for an invocation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
        let github = Quotas::read("github", vars.quota.github.as_ref(), Quota::GITHUB)?;
        let of_anthropic = vars.quota.anthropic.as_ref();
        let anthropic = Quotas::read("anthropic", of_anthropic, Quota::ANTHROPIC)?;
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
        serde_json::from_slice(text.as_bytes())
            .map_err(|error| Unusable(format!("SETTINGS: {error}")))
    }
}

impl Quotas {
    fn read(api: &str, vars: Option<&QuotaVars>, default: Quota) -> Result<Quota, Unusable> {
        let Some(vars) = vars else {
            return Ok(default);
        };
        vars.quota()
            .map_err(|error| Unusable(format!("SETTINGS: quota.{api}: {error}")))
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
    fn quota(&self) -> Result<Quota, InvalidQuota> {
        let quota = Quota::new(self.limit, Duration::from_millis(self.period_ms))?;
        let quota = match self.burst {
            Some(burst) => quota.with_burst(burst)?,
            None => quota,
        };
        quota.with_spacing(Duration::from_millis(self.spacing_ms))
    }
}
