//! Scans that were ended before their list did.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::process::{Child, Command, Stdio};
use strict_origin::{Catalogue, StrictOrigin};
use support::{Folder, REPOSITORIES, blocking, json, scan};

const QUOTA: &str = "github=600/1s,burst=10,spacing=2ms";

fn start(folder: &Folder, origin: &StrictOrigin, repos: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_repo-scanner"))
        .args(["scan", "--origin", origin.url(), "--repos", repos, "--json"])
        .args(["--db", &folder.path("scan.db"), "--quota", QUOTA])
        .env_remove("GITHUB_TOKEN")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn stored(folder: &Folder) -> i64 {
    let there = "SELECT count(*) FROM sqlite_master WHERE name = 'scan_targets'";
    if !folder.0.join("scan.db").exists() || folder.rows(there) == 0 {
        return 0;
    }
    folder.rows("SELECT count(*) FROM repositories")
}

async fn listed() -> StrictOrigin {
    let origin = StrictOrigin::builder()
        .github("1000/1s".parse().unwrap())
        .catalogue(Catalogue::from_tsv(REPOSITORIES).unwrap());
    origin.start().await.unwrap()
}

/// Killed three times: everything is stored once, nothing is missing, and hardly anything is fetched twice.
#[tokio::test]
async fn a_scan_that_is_killed_goes_on_where_it_was() {
    let folder = Folder::new("resumed");
    let origin = listed().await;
    let repos = folder.file("repos.tsv", REPOSITORIES);
    for at_least in [250, 550, 850] {
        let mut child = start(&folder, &origin, &repos);
        while stored(&folder) < at_least {
            assert!(child.try_wait().unwrap().is_none(), "it has ended");
            tokio::task::yield_now().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let before = stored(&folder);
    let output = scan(&folder, &origin, &repos, &["--quota", QUOTA]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains(&format!(
            "going on where a scan of this list was interrupted: {before} of 1200"
        )),
        "{text}"
    );
    let report = json(&output);
    assert_eq!(report["already_done"], before);
    assert_eq!(report["scanned"], 1200 - before);
    assert_eq!(
        (&report["failed"], &report["unchanged"]),
        (&0.into(), &0.into())
    );
    assert_eq!(stored(&folder), 1200);
    assert_eq!(
        folder.rows("SELECT count(*) FROM metrics"),
        1200,
        "each is stored once"
    );
    assert_eq!(
        folder.rows("SELECT scanned FROM scans WHERE state = 'finished'"),
        1200
    );
    let score = origin.shutdown().await;
    assert_eq!(score.unique_paths_served, 1200);
    let again = score.requests - 1200;
    // What was under way, or on its way into the database, each time.
    assert!(again <= 3 * 64, "{again}");
    eprintln!("{again} were fetched again after three kills");
}

/// A scan of another list takes the place of one that was not finished.
#[tokio::test]
async fn another_list_begins_anew_and_the_same_one_is_finished() {
    let folder = Folder::new("another");
    let origin = listed().await;
    let repos = folder.file("repos.tsv", REPOSITORIES);
    let child = start(&folder, &origin, &repos);
    while stored(&folder) < 100 {
        tokio::task::yield_now().await;
    }
    let id = child.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    let output = blocking(move || child.wait_with_output().unwrap()).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(
        text.contains("the same command goes on from there"),
        "{text}"
    );
    assert_eq!(json(&output)["scanned"], stored(&folder));

    let other = folder.file("other", "tokio-rs/tokio\nno/such-one\n");
    let output = scan(&folder, &origin, &other, &[]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("a scan of another list was not finished"),
        "{text}"
    );
    let report = json(&output);
    assert_eq!(
        (
            &report["scanned"],
            &report["failed"],
            &report["already_done"]
        ),
        (&1.into(), &1.into(), &0.into())
    );
    assert_eq!(folder.rows("SELECT count(*) FROM scan_targets"), 0);

    // The first list again is another scan, of which nothing is done, and much is as it was.
    let output = scan(&folder, &origin, &repos, &["--quota", QUOTA]).await;
    let report = json(&output);
    assert_eq!(
        (&report["scanned"], &report["already_done"]),
        (&1200.into(), &0.into())
    );
    assert!(report["unchanged"].as_u64() >= Some(100), "{report}");
    let again = json(&scan(&folder, &origin, &repos, &["--quota", QUOTA]).await);
    assert_eq!(
        (&again["scanned"], &again["unchanged"]),
        (&1200.into(), &1200.into())
    );
    origin.shutdown().await;
}

#[tokio::test]
async fn two_at_once_do_not_scan_into_one_database() {
    let folder = Folder::new("both");
    let origin = listed().await;
    let repos = folder.file("repos.tsv", REPOSITORIES);
    let mut child = start(&folder, &origin, &repos);
    while stored(&folder) < 10 {
        tokio::task::yield_now().await;
    }
    let asked = origin.score().requests;
    let output = scan(&folder, &origin, &repos, &[]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("scan.db") && text.contains("another repo-scanner"),
        "{text}"
    );
    assert!(origin.score().requests >= asked);
    let status = blocking(move || child.wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(origin.shutdown().await.requests, 1200);
}
