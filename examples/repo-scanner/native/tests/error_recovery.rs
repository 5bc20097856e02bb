//! The whole list at a server of which one answer in ten is a fault, and a server that is gone and comes back. In a file of its own: see
//! a_thousand_repositories.rs.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::time::Duration;
use strict_origin::{Api, Catalogue, FaultPlan, StrictOrigin};
use support::{Folder, REPOSITORIES, blocking, json, scan, served::Served};

#[tokio::test]
async fn with_faults_none_of_twelve_hundred_is_lost() {
    let folder = Folder::new("all-with-faults");
    let origin = StrictOrigin::builder()
        .github("2000/1s".parse().unwrap())
        .catalogue(Catalogue::from_tsv(REPOSITORIES).unwrap())
        .faults(FaultPlan::mixed(7, 0.1).with_wait(Duration::from_millis(50)))
        .start()
        .await
        .unwrap();
    let repos = folder.file("repos.tsv", REPOSITORIES);
    let quota = "github=1900/1s,burst=50";
    let output = scan(&folder, &origin, &repos, &["--quota", quota]).await;
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("scanned") + count("failed"), 1200, "{report}");
    assert!(count("retries") > 50, "{report}");
    // What failed for good was answered so by the server: every reason is one of its faults.
    assert!(count("failed") < 60, "{report}");
    let memory = count("peak_rss_bytes");
    assert!(memory < 100 << 20, "{memory} bytes");
    let score = origin.shutdown().await;
    assert!(score.faults_injected() > 100, "{score}");
    let github = score.api(Api::Github);
    assert_eq!((github.over_limit, github.early_retries), (0, 0), "{score}");
    let kept =
        folder.rows("SELECT (SELECT count(*) FROM repositories) + (SELECT count(*) FROM failures)");
    assert_eq!(kept, 1200);
    assert_eq!(folder.rows("SELECT count(*) FROM scan_targets"), 0);
}

/// Nobody has to do anything: the scan waits, says why, and goes on where it was.
#[cfg(unix)]
#[tokio::test]
async fn a_server_that_comes_back_finds_the_scan_going_on() {
    let folder = Folder::new("comes-back");
    let rule = || "100/1s".parse().unwrap();
    let origin = StrictOrigin::builder().github(rule()).start();
    let origin = origin.await.unwrap();
    let (url, port, db) = (
        origin.url().to_owned(),
        origin.addr().port(),
        folder.path("scan.db"),
    );
    let served = blocking(move || {
        let quota = "github=90/1s,burst=5";
        let arguments = ["--db", &db, "--origin", &url, "--quota", quota];
        let served = Served::start(&arguments, &[]);
        let names: Vec<_> = (0..300).map(|n| format!("owner/name-{n}")).collect();
        let list = serde_json::json!({ "repos": names }).to_string();
        assert_eq!(served.ask("POST", "/api/scan", "", &list).0, 202);
        served.scan_until(|scan| scan["scanned"].as_u64() >= Some(40));
        served
    });
    let mut served = served.await;
    let before = origin.shutdown().await.requests;
    let (served, why) = blocking(move || {
        served.hear("the scan waits for the server");
        let scan = served.scan_until(|scan| scan["state"] == "paused");
        (served, scan["why"].as_str().unwrap_or_default().to_owned())
    })
    .await;
    assert!(
        why.contains("no use of the server 24 times in a row"),
        "{why}"
    );

    let origin = StrictOrigin::builder().github(rule()).port(port).start();
    let origin = origin.await.unwrap();
    let scan = blocking(move || served.scan_until(|scan| scan["state"] == "finished")).await;
    let count = |name: &str| scan[name].as_u64().unwrap();
    // Each attempt to go on while the server was gone cost one repository, and all the others are there.
    assert_eq!(count("scanned") + count("failed"), 300, "{scan}");
    assert!((1..8).contains(&count("failed")), "{scan}");
    let there = folder.rows("SELECT count(*) FROM repositories");
    assert_eq!(u64::try_from(there), Ok(count("scanned")));
    let score = origin.shutdown().await;
    assert!(before + score.requests >= count("scanned"), "{score}");
    assert_eq!(score.api(Api::Github).over_limit, 0, "{score}");
}
