//! The command line.

use crate::{failure::Failure, quota, scan::ScanCommand};
use clap::{Args, Parser, Subcommand};
use http::Uri;
use std::{num::NonZeroUsize, path::PathBuf};
use strict_origin::NamedRule;

/// Scans GitHub repositories into SQLite, as fast as the rate limits allow and never faster.
///
/// Without a command it starts a strict test server inside itself, scans the 1,200 repositories that it ships with,
/// and prints what came of it.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Scan.
    Scan(Box<ScanCommand>),
    /// Run the test server.
    Origin(OriginArgs),
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Scan a list of repositories and exit
    Scan(ScanArgs),
    /// Run the strict test server alone, until Ctrl-C
    Origin(OriginArgs),
}

#[derive(Debug, Args)]
struct ScanArgs {
    /// Where GitHub's API is: the real one, or a test server.
    ///
    /// Without it: the real API if GITHUB_TOKEN is set, else a strict test server inside this program.
    // Not parsed by clap, which repeats what it does not understand: it may hold a password.
    #[arg(long, value_name = "URL")]
    origin: Option<String>,

    /// A list of repositories, one owner/name a line; further tab-separated columns are ignored [default: the list inside this program]
    #[arg(long, value_name = "FILE")]
    repos: Option<PathBuf>,

    /// The SQLite database to write to; it is made if it does not exist
    #[arg(long, value_name = "FILE", default_value = "repo-scanner.db")]
    db: PathBuf,

    /// What the API permits, for example github=600/1s,burst=10,spacing=5ms
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
    #[arg(long, verbatim_doc_comment, value_name = "github=QUOTA", value_parser = quota::parse)]
    quota: Vec<NamedRule>,

    /// How many requests may be in flight; fewer if concurrent= of --quota says so
    #[arg(long, value_name = "N", default_value = "6", value_parser = concurrency)]
    concurrency: NonZeroUsize,

    /// The share of requests that the test server inside answers with a fault, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "origin")]
    faults: Option<f64>,

    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,

    /// The token to call the real API with
    #[arg(long, env = "GITHUB_TOKEN", hide_env_values = true, hide = true)]
    token: Option<String>,
}

/// How to run the test server.
#[derive(Debug, Args)]
pub(crate) struct OriginArgs {
    /// The port on 127.0.0.1; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value = "8788")]
    pub(crate) port: u16,

    /// What an API permits, for example github=600/1s,burst=10,spacing=5ms; may be given once for each API
    ///
    /// Requests per time, with us, ms, s, m or h; then any of these:
    ///
    ///   burst=N        so many at once; more are told at the end
    ///   spacing=TIME   this far apart; what is closer is told at the end
    ///   concurrent=N   so many in flight; more are refused
    ///   jitter=TIME    how early a request may come and not be told [default: 10ms]
    ///   slack=TIME     how much shorter the time is made, in which more are refused [default: 0]
    ///
    /// Without it nothing is limited.
    #[arg(long, verbatim_doc_comment, value_name = "API=QUOTA", value_parser = quota::parse)]
    pub(crate) quota: Vec<NamedRule>,

    /// The share of requests that are answered with a fault, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) faults: f64,

    /// Decides which requests meet which fault
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub(crate) seed: u64,
}

impl Cli {
    /// Says what to do.
    pub(crate) fn into_command(self) -> Result<Command, Failure> {
        let demo = || Self::parse_from(["repo-scanner", "scan"]).command;
        Ok(match self.command {
            Some(Subcommands::Scan(scan)) => Command::Scan(Box::new(scan.try_into()?)),
            Some(Subcommands::Origin(origin)) => Command::Origin(origin),
            None => match demo() {
                Some(Subcommands::Scan(mut scan)) => {
                    // No arguments, no network: not even if a token lies around.
                    scan.token = None;
                    Command::Scan(Box::new(scan.try_into()?))
                }
                _ => unreachable!("`scan` is a command"),
            },
        })
    }
}

impl TryFrom<ScanArgs> for ScanCommand {
    type Error = Failure;

    fn try_from(args: ScanArgs) -> Result<Self, Failure> {
        let origin = args.origin.as_deref().map(origin).transpose()?;
        // The token is for GitHub and nobody else, whatever lies around in the environment.
        let token = args
            .token
            .filter(|token| !token.is_empty() && origin.is_none());
        if let Some(token) = &token {
            check_token(token)?;
            if args.faults.is_some() {
                let why = "is for the test server inside, and GITHUB_TOKEN asks for the real API";
                return Err(Failure::usage(format!("--faults {why}")));
            }
        }
        Ok(Self {
            origin,
            repos: args.repos,
            db: args.db,
            quota: quota::of_scan(args.quota)?,
            concurrency: args.concurrency,
            faults: args.faults.unwrap_or(0.0),
            json: args.json,
            token,
        })
    }
}

/// Makes sure that a token can be sent. What is wrong with it is said without repeating it.
fn check_token(token: &str) -> Result<(), Failure> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let why = "it has a line break, a space or another character that no token has";
    Err(Failure::usage(format!("GITHUB_TOKEN: {why}")))
}

/// Parses an address. What is wrong with it is said without repeating it.
fn origin(text: &str) -> Result<Uri, Failure> {
    let refused = |why: &str| {
        let expected = "expected http://host or https://host";
        Failure::usage(format!("--origin: {why}; {expected}"))
    };
    let uri: Uri = text.parse().map_err(|_| refused("that is not a URL"))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    // A port that is none is no port to `Uri`.
    let host = uri.host().unwrap_or_default();
    let port = authority.strip_prefix(host).unwrap_or_default();
    let has_bad_port = !port.is_empty() && uri.port_u16().is_none_or(|port| port == 0);
    match uri.scheme_str() {
        Some("http" | "https") if authority.contains('@') => {
            Err(refused("a user and a password are not sent"))
        }
        Some("http" | "https") if uri.query().is_some() => Err(refused("it has a query")),
        // `Uri` leaves it out.
        Some("http" | "https") if text.contains('#') => Err(refused("it has a fragment")),
        Some("http" | "https") if has_bad_port => {
            Err(refused("its port is not a number from 1 to 65535"))
        }
        Some("http" | "https") => Ok(uri),
        _ => Err(refused("it has no scheme that is known")),
    }
}

fn concurrency(text: &str) -> Result<NonZeroUsize, String> {
    use std::num::IntErrorKind::{PosOverflow, Zero};
    text.parse::<NonZeroUsize>().map_err(|error| {
        match error.kind() {
            Zero => "must be at least 1",
            PosOverflow => "is too large",
            _ => "expected a whole number",
        }
        .to_owned()
    })
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("expected a number from 0 to 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bad_quota_is_named() {
        for bad in [
            "github=0/1s",
            "github",
            "gitlab=1/1s",
            "github=1/1s,burst=2",
        ] {
            let error = Cli::try_parse_from(["repo-scanner", "scan", "--quota", bad]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(bad), "{error}");
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_a_host() {
        for bad in [
            "127.0.0.1:80",
            "ftp://a",
            "http://",
            "/x",
            "http://a?b",
            "http://a@b",
            "http://a#b",
            "http://a/#",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:0",
            "http://127.0.0.1:",
            "http://a:b",
            "http://[::1]:99999",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
        for good in [
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "http://[::1]:1/",
            "https://[::1]",
            "https://a:65535/b",
        ] {
            assert!(origin(good).is_ok(), "{good}");
        }
    }
}
