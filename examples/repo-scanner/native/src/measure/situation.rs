//! Servers that each show what something is good for.

use super::{
    Folder, Scanned,
    scanned::{self},
};
use crate::failure::Failure;
use repo_scanner_core::{CATALOGUE, repos};
use std::{fmt::Write, time::Duration};
use strict_origin::{FaultKind, FaultPlan, NamedRule, StrictOrigin};

/// A server, and what is scanned at it.
#[derive(Debug)]
pub(super) struct Situation {
    title: String,
    quota: String,
    faults: FaultPlan,
    list: String,
    /// Whether the database is kept for what comes after.
    kept: bool,
}

/// What the database is called.
pub(super) const DATABASE: &str = "scan.db";

impl Situation {
    /// A server that permits 600 requests in a second, ten at once and 5 ms apart, and answers at once.
    pub(super) fn strict(repositories: u32) -> Self {
        Self {
            title: format!(
                "{repositories} repositories; the server permits 600 requests in a second, 10 at once, 5 ms apart"
            ),
            // A machine that does something else for a moment is no client that breaks rules.
            quota: "github=600/1s,burst=10,spacing=5ms,jitter=50ms".to_owned(),
            faults: FaultPlan::none(),
            list: list(repositories),
            kept: false,
        }
    }

    /// A server that permits six requests in flight, and takes its time. A scan works on sixteen repositories at a time.
    pub(super) fn slow(repositories: u32) -> Self {
        // Without a limit of its own, the client is asked to wait a second again and again.
        let repositories = (repositories / 4).max(60);
        let slow = FaultPlan::new(1).with(FaultKind::SlowHeaders, 1.0);
        Self {
            title: format!(
                "{repositories} repositories; the server permits 6 requests in flight, and takes 20 ms for each"
            ),
            quota: format!("{WIDE},concurrent=6"),
            faults: slow
                .with_attempts(u32::MAX)
                .with_slowness(Duration::from_millis(20)),
            list: list(repositories),
            kept: false,
        }
    }

    /// A server of which one answer in twenty is a fault of some kind.
    pub(super) fn faulty(repositories: u32) -> Self {
        Self {
            title: format!("{repositories} repositories; one answer in twenty is a fault"),
            quota: WIDE.to_owned(),
            faults: FaultPlan::mixed(7, 0.05).with_wait(Duration::from_millis(50)),
            list: list(repositories),
            kept: false,
        }
    }

    /// A server of which one answer in five is an error with a body that nobody wants.
    pub(super) fn verbose(repositories: u32) -> Self {
        let faults = FaultPlan::new(1).with(FaultKind::LargeError, 0.2);
        Self {
            title: format!("{repositories} repositories; one answer in five is an error of 48 KiB"),
            quota: WIDE.to_owned(),
            faults: faults.with_error_size(48 << 10),
            list: list(repositories),
            kept: false,
        }
    }

    /// A long list at a server that is as fast as it can.
    pub(super) fn long(rows: u32) -> Self {
        Self {
            title: format!("{rows} generated repositories; nothing in the way"),
            quota: WIDE.to_owned(),
            faults: FaultPlan::none(),
            list: generated(rows),
            kept: true,
        }
    }

    pub(super) fn title(&self) -> String {
        self.title.clone()
    }

    /// Scans with all on, and with one off.
    pub(super) async fn both(
        &self,
        folder: &Folder,
        flag: &'static str,
    ) -> Result<[Scanned; 2], Failure> {
        let on = self.scan(folder, &[]).await?;
        Ok([on, self.scan(folder, &[flag]).await?])
    }

    /// Scans into a new database, at a new server.
    pub(super) async fn scan(
        &self,
        folder: &Folder,
        off: &[&'static str],
    ) -> Result<Scanned, Failure> {
        eprint!("{}: {} … ", self.title, off_text(off));
        let broken = |error: &dyn std::fmt::Display| {
            Failure::failed("the server inside cannot be set up", error)
        };
        let rule: NamedRule = self.quota.parse().map_err(|error| broken(&error))?;
        let origin = StrictOrigin::builder()
            .named_rule(rule)
            .faults(self.faults.clone());
        let origin = origin.start().await.map_err(|error| broken(&error))?;
        folder.delete_database(DATABASE);
        let (repos, db) = (folder.write("repos", &self.list)?, folder.path(DATABASE));
        let printed = scanned::scan(off, origin.url(), &self.quota, &repos, &db).await?;
        if !self.kept {
            folder.delete_database(DATABASE);
        }
        let scanned = Scanned::new(off, &printed, &origin.shutdown().await)?;
        eprintln!("{} ms", scanned.elapsed_ms);
        Ok(scanned)
    }
}

/// More than anybody here can send.
const WIDE: &str = "github=1000000/1s";

/// In words.
pub(super) fn off_text(off: &[&'static str]) -> String {
    match off {
        [] => "all on".to_owned(),
        [flag] => format!("without {flag}"),
        _ => "all off".to_owned(),
    }
}

/// The first of those that ship with the program, and generated ones beyond.
fn list(count: u32) -> String {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let shipped = repos(CATALOGUE.as_bytes()).filter_map(Result::ok);
    let shipped = shipped.map(|name| format!("{name}\n"));
    let beyond = (0..).map(|n| format!("generated/name-{n}\n"));
    shipped.chain(beyond).take(count).collect()
}

fn generated(count: u32) -> String {
    (0..count).fold(String::new(), |mut list, n| {
        // It cannot fail.
        let _ = writeln!(list, "owner-{}/name-{n}", n % 977);
        list
    })
}
