//! repo-scanner: scans GitHub repositories through the whole stack of tower-egress, into SQLite.
//!
//! Without arguments it starts a strict test server inside itself, scans the repositories that it ships with, and serves a
//! dashboard.

#[macro_use]
mod stderr;

mod asked;
mod cli;
mod client;
mod config;
mod database;
mod demo;
mod failure;
mod flags;
mod interrupt;
mod list;
mod lock;
mod measure;
mod memory;
mod origin;
mod output;
mod program;
mod quota;
mod report;
mod scan;
mod serve;
mod target;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Usage errors end here, with exit code 2.
    let command = match cli::Cli::parse().into_command() {
        Ok(command) => command,
        Err(failure) => return complain(&failure),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(async {
                match command {
                    cli::Command::Scan(options) => scan::run(*options).await,
                    cli::Command::Serve(options) => serve::run(*options).await,
                    cli::Command::Origin(options) => origin::run(options).await,
                    cli::Command::Measure(options) => measure::run(options).await,
                    cli::Command::Demo(options) => demo::run(*options).await,
                }
            });
            // A name that is being looked up would hold the end up.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(failure::Failure::failed("cannot start the runtime", error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => complain(&failure),
    }
}

fn complain(failure: &failure::Failure) -> ExitCode {
    eprintln!("repo-scanner: {failure}");
    failure.exit_code()
}
