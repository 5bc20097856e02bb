//! The command line.

mod parse;
mod scan;
mod serve;
mod upstream;

pub(crate) use self::parse::share;

use self::{scan::ScanArgs, serve::ServeArgs};
use crate::{
    asked::Asked, demo::DemoCommand, failure::Failure, measure::MeasureArgs, origin::OriginArgs,
    scan::ScanCommand, serve::ServeCommand,
};
use clap::{Parser, Subcommand};

/// Scans GitHub repositories into SQLite, as fast as the rate limits allow and never faster.
///
/// Without a command it starts a strict test server inside itself, scans the 1,200 repositories that it ships with,
/// prints what came of it, and serves a dashboard at http://127.0.0.1:8787 until Ctrl-C. What it finds is in repo-scanner-demo.db.
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
    /// Serve.
    Serve(Box<ServeCommand>),
    /// Run the test server.
    Origin(OriginArgs),
    /// Measure what each optimisation is good for.
    Measure(MeasureArgs),
    /// Show what there is.
    Demo(Box<DemoCommand>),
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Scan a list of repositories and exit
    Scan(Box<ScanArgs>),
    /// Serve the dashboard and the API, and scan when asked to, until Ctrl-C
    Serve(Box<ServeArgs>),
    /// Run the strict test server alone, until Ctrl-C
    Origin(OriginArgs),
    /// Measure what each optimisation is good for, with it and without it
    ///
    /// Does the same work with each and without, and prints what that came to as tables in Markdown. Each scan is a process of its own, at a
    /// strict test server inside this one, which counts. Nothing leaves the machine, and nothing is left behind. It takes some six minutes,
    /// two with --rows 10000.
    Measure(MeasureArgs),
}

impl Cli {
    /// Says what to do.
    pub(crate) fn into_command(self) -> Result<Command, Failure> {
        Ok(match self.command {
            Some(Subcommands::Scan(scan)) => Command::Scan(Box::new(scan.into_command()?)),
            Some(Subcommands::Serve(serve)) => Command::Serve(Box::new(serve.into_command()?)),
            Some(Subcommands::Origin(origin)) => Command::Origin(origin),
            Some(Subcommands::Measure(measure)) => Command::Measure(measure),
            None => Command::Demo(Box::new(DemoCommand::new(Asked::nothing()))),
        })
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
}
