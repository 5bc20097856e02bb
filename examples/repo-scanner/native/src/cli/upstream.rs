//! What `scan` and `serve` take of the servers that they call.

use super::parse::{OriginText, concurrency, share};
use crate::{
    asked::{Asked, CONCURRENCY},
    failure::Failure,
    quota,
};
use clap::Args;
use std::num::NonZeroUsize;
use strict_origin::NamedRule;

#[derive(Debug, Args)]
pub(super) struct UpstreamArgs {
    /// Where GitHub's API is: the real one, or a test server.
    ///
    /// Without it: the real API if GITHUB_TOKEN is set, else a strict test server inside this program.
    // Not parsed by clap, which repeats what it does not understand: it may hold a password.
    #[arg(long, value_name = "URL")]
    pub(super) origin: Option<String>,

    /// What an API permits, for example github=600/1s,burst=10,spacing=5ms; with --analyse also anthropic=QUOTA
    ///
    /// Requests per time, with us, ms, s, m or h; then any of these:
    ///
    ///   burst=N        so many at once
    ///   spacing=TIME   this far apart
    ///   concurrent=N   so many in flight
    ///   jitter=TIME    how early the test server inside lets a request come; for no other server
    ///   slack=TIME     how much shorter it makes its time; for no other server
    ///
    /// Without it: github=600/1s,burst=10,spacing=5ms at the test server inside,
    /// github=30/1m,burst=10,spacing=100ms at any other.
    #[arg(long, verbatim_doc_comment, value_name = "API=QUOTA", value_parser = quota::parse)]
    pub(super) quota: Vec<NamedRule>,

    /// How many requests may be in flight; fewer if concurrent= of --quota says so [default: 6]
    #[arg(long, value_name = "N", value_parser = concurrency)]
    pub(super) concurrency: Option<NonZeroUsize>,

    /// The share of requests that the test server inside answers with a fault, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "origin")]
    faults: Option<f64>,

    /// After a scan, let Anthropic's API describe so many repositories, those with the most stars first [default: 0]
    ///
    /// The real API takes ANTHROPIC_API_KEY. With a test server it is that server which is asked, and no key is sent.
    #[arg(long, value_name = "N")]
    pub(super) analyse: Option<u32>,

    /// The token to call the real API with
    #[arg(long, env = "GITHUB_TOKEN", hide_env_values = true, hide = true)]
    token: Option<String>,

    /// The key to call Anthropic's real API with
    #[arg(long, env = "ANTHROPIC_API_KEY", hide_env_values = true, hide = true)]
    anthropic_key: Option<String>,
}

impl UpstreamArgs {
    pub(super) fn into_asked(self) -> Result<Asked, Failure> {
        let origin = self.origin.map(OriginText).map(|text| text.parse());
        let origin = origin.transpose()?;
        // A token is for its API and nobody else, whatever lies around in the environment.
        let there =
            |secret: Option<String>| secret.filter(|secret| !secret.is_empty() && origin.is_none());
        let (token, anthropic_key) = (there(self.token), there(self.anthropic_key));
        if token.is_some() && self.faults.is_some() {
            let why = "is for the test server inside, and GITHUB_TOKEN asks for the real API";
            return Err(Failure::usage(format!("--faults {why}")));
        }
        let (github, anthropic) = quota::of_scan(self.quota)?;
        let asked = Asked {
            origin,
            github,
            anthropic,
            concurrency: self.concurrency.unwrap_or(CONCURRENCY),
            faults: self.faults.unwrap_or(0.0),
            token,
            analyse: self.analyse.unwrap_or(0),
            anthropic_key,
        };
        asked.check()
    }
}
