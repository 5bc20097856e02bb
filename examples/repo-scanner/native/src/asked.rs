//! What was asked for of the servers that are called.

use crate::{failure::Failure, quota};
use http::Uri;
use std::num::NonZeroUsize;
use strict_origin::NamedRule;

/// Where to scan, and how hard.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) origin: Option<Uri>,
    /// What GitHub permits.
    pub(crate) github: Option<NamedRule>,
    /// What Anthropic permits.
    pub(crate) anthropic: Option<NamedRule>,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) faults: f64,
    /// For GitHub and nobody else.
    pub(crate) token: Option<String>,
    /// How many repositories to have described after a scan.
    pub(crate) analyse: u32,
    /// For Anthropic and nobody else.
    pub(crate) anthropic_key: Option<String>,
}

/// So many requests in flight, unless somebody says otherwise.
pub(crate) const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(6).expect("6 is not zero");

impl Asked {
    /// Makes sure that it makes sense together.
    pub(crate) fn check(self) -> Result<Self, Failure> {
        if let Some(token) = &self.token {
            check_secret("GITHUB_TOKEN", token)?;
            if self.faults > 0.0 {
                let why = "is for the test server inside, and GITHUB_TOKEN asks for the real API";
                return Err(Failure::usage(format!("--faults {why}")));
            }
        }
        if self.analyse > 0 && self.token.is_some() {
            match &self.anthropic_key {
                Some(key) => check_secret("ANTHROPIC_API_KEY", key)?,
                None => {
                    let why = "it asks Anthropic's real API, which takes ANTHROPIC_API_KEY";
                    return Err(Failure::usage(format!("--analyse: {why}")));
                }
            }
        }
        if self.anthropic.is_some() && self.analyse == 0 {
            return Err(quota::asks_nothing_of("anthropic", "github=QUOTA"));
        }
        Ok(self)
    }

    /// What it is without arguments: no network, not even if a token lies around.
    pub(crate) fn nothing() -> Self {
        Self {
            origin: None,
            github: None,
            anthropic: None,
            concurrency: CONCURRENCY,
            faults: 0.0,
            token: None,
            analyse: 0,
            anthropic_key: None,
        }
    }
}

/// Makes sure that a secret can be sent. What is wrong with it is said without repeating it.
pub(crate) fn check_secret(name: &str, secret: &str) -> Result<(), Failure> {
    if secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let why = "it has a line break, a space or another character that no token has";
    Err(Failure::usage(format!("{name}: {why}")))
}
