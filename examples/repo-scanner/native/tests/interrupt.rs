//! Ctrl-C, once and twice.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};
use strict_origin::StrictOrigin;
use support::{Folder, json};

/// A scan of two thousand repositories at fifty a second.
fn start(folder: &Folder, origin: &StrictOrigin) -> Child {
    let names: Vec<_> = (0..2000).map(|n| format!("owner/name-{n}")).collect();
    let repos = folder.file("repos", &names.join("\n"));
    Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
        .args(["scan", "--origin", origin.url(), "--repos", &repos])
        .args(["--db", &folder.path("scan.db"), "--json"])
        .args(["--quota", "github=50/1s,burst=5"])
        .env_remove("GITHUB_TOKEN")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ctrl_c(child: &Child) {
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(killed.success());
}

async fn answered(origin: &StrictOrigin, requests: u64) {
    while origin.score().requests < requests {
        tokio::task::yield_now().await;
    }
}

/// Ctrl-C ends a scan with what there is.
#[tokio::test]
async fn an_interrupted_scan_tells_and_keeps_what_it_has() {
    let folder = Folder::new("interrupted");
    let origin = StrictOrigin::builder()
        .github("100/1s".parse().unwrap())
        .start()
        .await
        .unwrap();
    let child = start(&folder, &origin);
    answered(&origin, 20).await;
    ctrl_c(&child);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = output.await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("interrupted after"), "{text}");
    let report = json(&output);
    assert_eq!(report["interrupted"], true);
    let kept = folder.rows("SELECT count(*) FROM repositories");
    assert_eq!(report["scanned"], kept);
    assert!((5..1000).contains(&kept), "{kept}");
    origin.shutdown().await;
}

/// A second Ctrl-C waits for nothing, not even for the database; what had been committed is there.
#[tokio::test]
async fn a_scan_that_is_interrupted_twice_ends_at_once() {
    let folder = Folder::new("twice");
    let origin = StrictOrigin::builder().start().await.unwrap();
    let mut child = start(&folder, &origin);
    answered(&origin, 20).await;
    // Nothing can be written from here on: the scan waits for its turn, which is given up after 5 s.
    let other = folder.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let committed = folder.rows("SELECT count(*) FROM repositories");
    answered(&origin, origin.score().requests + 5).await;
    ctrl_c(&child);
    let ended = tokio::task::spawn_blocking(move || {
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains("again ends at once") {
            assert!(stderr.read_line(&mut text).unwrap() > 0, "{text}");
        }
        ctrl_c(&child);
        stderr.read_to_string(&mut text).unwrap();
        (child.wait_with_output().unwrap(), text)
    });
    let (output, text) = ended.await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("interrupted twice"), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(committed > 0);
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), committed);
    origin.shutdown().await;
}

/// The test server ends in order at Ctrl-C, also when nobody reads any more what it saw.
#[test]
fn a_server_whose_reader_has_gone_says_so_in_one_line() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
        .args(["origin", "--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut url).unwrap();
    drop(stdout);
    ctrl_c(&child);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("repo-scanner: cannot print"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}
