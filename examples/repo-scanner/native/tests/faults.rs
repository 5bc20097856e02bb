//! The whole list at a server of which one answer in ten is a fault. In a file of its own: see load.rs.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::time::Duration;
use strict_origin::{Api, Catalogue, FaultPlan, StrictOrigin};
use support::{Folder, REPOSITORIES, json, scan};

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
