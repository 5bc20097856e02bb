//! One scan, by a process of its own.

use crate::failure::Failure;
use serde::Deserialize;
use std::{path::Path, process::Stdio};
use strict_origin::{Api, Score};
use tokio::process::Command;

/// What a scan came to: what its process says, and what the server has counted.
#[derive(Clone, Debug)]
pub(super) struct Scanned {
    pub(super) off: Vec<&'static str>,
    pub(super) elapsed_ms: u64,
    pub(super) requests: u64,
    /// Requests above a limit.
    pub(super) refused: u64,
    /// Requests above the burst, or closer than the spacing.
    pub(super) close: u64,
    /// Requests that came earlier than the server had asked for.
    pub(super) early: u64,
    pub(super) failed: u64,
    pub(super) in_flight: u64,
    pub(super) retries: u64,
    pub(super) connections: u64,
    pub(super) peak_rss: Option<u64>,
    database: Option<AtWork>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct AtWork {
    saves: u64,
    ms: f64,
}

/// What `scan --json` prints.
#[derive(Deserialize)]
struct Printed {
    failed: u64,
    elapsed_ms: u64,
    peak_rss_bytes: Option<u64>,
    database: Option<AtWork>,
}

impl Scanned {
    /// Puts together what both sides say.
    pub(super) fn new(
        off: &[&'static str],
        printed: &[u8],
        score: &Score,
    ) -> Result<Self, Failure> {
        let printed: Printed = serde_json::from_slice(printed)
            .map_err(|error| Failure::failed("a scan printed something else", error))?;
        let github = score.api(Api::Github);
        Ok(Self {
            off: off.to_vec(),
            elapsed_ms: printed.elapsed_ms,
            requests: score.requests,
            refused: github.over_limit + github.secondary_limited,
            close: github.burst_violations + github.spacing_violations,
            early: github.early_retries + github.pause_violations,
            failed: printed.failed,
            in_flight: score.peak_waiting_for_headers,
            retries: github.retries,
            connections: score.connections_accepted,
            peak_rss: printed.peak_rss_bytes,
            database: printed.database,
        })
    }

    /// How often a rule was broken.
    pub(super) const fn broken(&self) -> u64 {
        self.refused + self.close + self.early
    }

    /// How long the database was at work.
    pub(super) fn database_us(&self) -> Option<u64> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a duration that was measured"
        )]
        self.database.map(|it| (it.ms * 1000.0) as u64)
    }

    /// How many transactions stored what came.
    pub(super) fn saves(&self) -> Option<u64> {
        self.database.map(|it| it.saves)
    }
}

/// This program, with flags off and without what lies around in the environment.
pub(super) fn this_program(off: &[&'static str]) -> Result<Command, Failure> {
    let path = std::env::current_exe();
    let path = path.map_err(|error| Failure::failed("cannot find this program", error))?;
    let mut command = Command::new(path);
    let ours = |name: &str| {
        name.starts_with("REPO_SCANNER_") || matches!(name, "GITHUB_TOKEN" | "ANTHROPIC_API_KEY")
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    for flag in off {
        let variable = crate::flags::variable(flag);
        command.env(variable, "off");
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// Scans, and returns what is printed.
pub(super) async fn scan(
    off: &[&'static str],
    url: &str,
    quota: &str,
    repos: &Path,
    db: &Path,
) -> Result<Vec<u8>, Failure> {
    let mut command = this_program(off)?;
    command
        .args(["scan", "--json", "--origin", url, "--quota", quota])
        .arg("--repos")
        .arg(repos)
        .arg("--db")
        .arg(db);
    let output = command.output().await;
    let output = output.map_err(|error| Failure::failed("cannot start this program", error))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or("it said nothing");
            Err(Failure::failed("a scan has failed", last))
        }
    }
}
