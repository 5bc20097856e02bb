//! Bodies that nobody wants hold no connection.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use strict_origin::{FaultKind, FaultPlan, Score, StrictOrigin};
use support::{Folder, json, scan_without};

const COUNT: usize = 120;

/// Scans at a server of which two answers in five are errors of so many bytes.
async fn scanned(bytes: u64, concurrency: &str, off: Option<&'static str>) -> Score {
    let folder = Folder::new(&format!("bodies-{bytes}-{concurrency}-{}", off.is_some()));
    let errors = FaultPlan::new(3).with(FaultKind::LargeError, 0.4);
    let origin = StrictOrigin::builder().faults(errors.with_error_size(bytes));
    let origin = origin.start().await.unwrap();
    let names: Vec<_> = (0..COUNT).map(|n| format!("owner/name-{n}")).collect();
    let repos = folder.file("repos", &names.join("\n"));
    let arguments = ["--quota", "github=100000/1s", "--concurrency", concurrency];
    let report = json(&scan_without(&folder, &origin, &repos, &arguments, off).await);
    assert_eq!(report["scanned"], COUNT, "{report}");
    let memory = report["peak_rss_bytes"].as_u64().unwrap_or_default();
    assert!(memory < 100 << 20, "{memory} bytes");
    let score = origin.shutdown().await;
    assert!(score.faults_injected() >= 40, "{score}");
    assert_eq!(score.open_bodies_now, 0, "{score}");
    assert!(score.peak_open_bodies <= 6, "{score}");
    score
}

/// Those of errors are read in the background, as far as that is cheap, and their connections serve others.
#[tokio::test]
async fn a_connection_serves_on_behind_an_error() {
    let with = scanned(48 << 10, "6", None).await;
    let without = scanned(48 << 10, "6", Some("CLEANUP")).await;
    assert_eq!(with.bodies_aborted, 0, "{with}");
    let [with, without] = [with, without].map(|score| score.connections_accepted);
    assert!(
        3 * with < 2 * without,
        "{with} connections, {without} without"
    );
}

/// What is too long to be read is given up, and holds up nobody, not even where there is one connection for all.
#[tokio::test]
async fn a_body_that_never_seems_to_end_holds_nobody_up() {
    let score = scanned(8 << 20, "1", None).await;
    assert_eq!(score.bodies_aborted, score.faults_injected(), "{score}");
    assert_eq!(score.peak_waiting_for_headers, 1, "{score}");
}
