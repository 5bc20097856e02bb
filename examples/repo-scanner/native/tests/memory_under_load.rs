//! How much memory a scan takes does not depend on how long its list is.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use strict_origin::StrictOrigin;
use support::{Folder, json, scan};

/// What a scan of so many takes at most, in bytes.
async fn peak(count: usize) -> u64 {
    let folder = Folder::new(&format!("memory-{count}"));
    let origin = StrictOrigin::builder().start().await.unwrap();
    let names: Vec<_> = (0..count)
        .map(|n| format!("owner-{}/name-{n}", n % 977))
        .collect();
    let repos = folder.file("repos", &names.join("\n"));
    let quota = ["--quota", "github=20000/1s,burst=200"];
    let report = json(&scan(&folder, &origin, &repos, &quota).await);
    origin.shutdown().await;
    eprintln!("{count} took {} ms", report["elapsed_ms"]);
    assert_eq!(report["scanned"], count, "{report}");
    report["peak_rss_bytes"].as_u64().unwrap()
}

#[tokio::test]
async fn ten_thousand_take_what_twelve_hundred_take() {
    let (short, long) = (peak(1_200).await, peak(10_000).await);
    eprintln!("1,200: {} KiB; 10,000: {} KiB", short >> 10, long >> 10);
    assert!(long < 100 << 20, "{long} bytes");
    assert!(long < short + (8 << 20), "{short} bytes, and {long}");
}
