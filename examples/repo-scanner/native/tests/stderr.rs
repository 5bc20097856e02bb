//! Whoever reads standard error may be gone, and the disk of a log may be full.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::{
    fs::OpenOptions,
    process::{Command, Stdio},
};
use support::{Folder, REPOSITORIES};

/// It panicked, and with it ended a scan, or a server.
#[test]
fn a_log_that_takes_no_line_ends_nothing() {
    let folder = Folder::new("stderr");
    let two: Vec<&str> = REPOSITORIES.lines().take(3).collect();
    let repos = folder.file("repos", &two.join("\n"));
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let scan = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
        .args(["scan", "--repos", &repos, "--db", &folder.path("scan.db")])
        .env_remove("GITHUB_TOKEN")
        .stdout(Stdio::piped())
        .stderr(full)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&scan.stdout);
    assert_eq!(scan.status.code(), Some(0), "{told}");
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 2);
}
