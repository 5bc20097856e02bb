//! No more requests are in flight than are permitted, as the server counts them.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use std::{num::NonZeroUsize, time::Duration};
use strict_origin::{FaultKind, FaultPlan, HeaderSlots, Score, StrictOrigin};
use support::{Folder, json, scan_without};

/// Scans sixty repositories at a server that takes its time and refuses whoever is one too many.
async fn scanned(permitted: usize, concurrency: usize, off: Option<&'static str>) -> (u64, Score) {
    let folder = Folder::new(&format!(
        "limit-{permitted}-{concurrency}-{}",
        off.is_some()
    ));
    let slow = FaultPlan::new(1).with(FaultKind::SlowHeaders, 1.0);
    let slow = slow.with_slowness(Duration::from_millis(10));
    let slots = HeaderSlots::Refuse(NonZeroUsize::new(permitted).unwrap());
    let origin = StrictOrigin::builder().header_slots(slots);
    let origin = origin.faults(slow.with_attempts(u32::MAX));
    let origin = origin.start().await.unwrap();
    let names: Vec<_> = (0..60).map(|n| format!("owner/name-{n}")).collect();
    let repos = folder.file("repos", &names.join("\n"));
    let concurrency = concurrency.to_string();
    let quota = "github=100000/1s";
    let arguments = ["--quota", quota, "--concurrency", &concurrency];
    let report = json(&scan_without(&folder, &origin, &repos, &arguments, off).await);
    let scanned = report["scanned"].as_u64().unwrap();
    (scanned, origin.shutdown().await)
}

#[tokio::test]
async fn no_more_are_in_flight_than_are_permitted() {
    for limit in [1, 2, 6] {
        let (scanned, score) = scanned(limit, limit, None).await;
        assert_eq!((scanned, score.requests), (60, 60), "{limit}");
        assert_eq!(score.complaints(), Vec::<String>::new(), "{limit}");
        // There is always more to do than may be done, so the limit is used, too.
        let most = u64::try_from(limit).unwrap();
        assert_eq!(score.peak_waiting_for_headers, most);
    }
}

/// So that it is the limit which keeps to it.
#[tokio::test]
async fn without_the_limit_the_server_complains() {
    let (_, score) = scanned(6, 6, Some("CONNECTION_LIMIT")).await;
    assert!(score.refused_for_slot > 0, "{score}");
    let (_, score) = scanned(6, 7, None).await;
    assert!(score.refused_for_slot > 0, "{score}");
}
