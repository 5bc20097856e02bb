//! How much memory a scan takes does not depend on how long its list is, nor an answer on how many rows it has.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use strict_origin::StrictOrigin;
use support::{
    Folder, blocking, json, scan,
    served::{Served, ask},
};

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

/// What a longer list may take more: SQLite's own cache of pages, which is 2 MB, fills, and so does the log that it writes ahead. With
/// 100,000, which `measure` scans, it is no more.
const ALLOWED: u64 = 8 << 20;

#[tokio::test]
async fn ten_thousand_take_what_twelve_hundred_take() {
    let (short, long) = (peak(1_200).await, peak(10_000).await);
    eprintln!("1,200: {} KiB; 10,000: {} KiB", short >> 10, long >> 10);
    assert!(long < 100 << 20, "{long} bytes");
    assert!(long < short + ALLOWED, "{short} bytes, and {long}");
}

/// Eight who ask for all of 30,000 rows at once, while a scan is under way: 12 MB of JSON for each of them, of which a page is held.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn eight_answers_of_thirty_thousand_rows_are_never_held_whole() {
    let folder = Folder::new("rows");
    let origin = StrictOrigin::builder().start().await.unwrap();
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let served = blocking(move || {
        let quota = "github=200/1s,burst=10";
        Served::start(&["--db", &db, "--origin", &url, "--quota", quota], &[])
    });
    let mut served = served.await;
    let rows = "
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30000)
        INSERT INTO repositories (name, full_name, id, description, topics, stars, forks, open_issues, scanned_at)
        SELECT 'owner/name-' || n, 'owner/name-' || n, n, printf('%0250d', n), '[]', n, n, n, 0 FROM n;
    ";
    folder.database().execute_batch(rows).unwrap();
    let (before, after, lengths) = blocking(move || {
        let names: Vec<_> = (0..100_000).map(|n| format!("other/name-{n}")).collect();
        let list = serde_json::json!({ "repos": names }).to_string();
        assert_eq!(served.ask("POST", "/api/scan", "", &list).0, 202);
        served.scan_until(|scan| scan["scanned"].as_u64() > Some(20));
        let before = served.peak_rss().unwrap();
        let askers: Vec<_> = (0..8)
            .map(|_| {
                let address = served.address.clone();
                std::thread::spawn(move || ask(&address, "GET", "/api/repos", "", "").1.len())
            })
            .collect();
        let lengths: Vec<usize> = askers.into_iter().map(|it| it.join().unwrap()).collect();
        let after = served.peak_rss().unwrap();
        served.signal("-TERM");
        assert_eq!(served.end(), Some(0), "{}", served.said);
        (before, after, lengths)
    })
    .await;
    origin.shutdown().await;
    assert!(
        lengths.iter().all(|length| *length > 12_000_000),
        "{lengths:?}"
    );
    eprintln!("{} KiB, and {} KiB then", before >> 10, after >> 10);
    assert!(after < 100 << 20, "{after} bytes");
    // A page of 200 rows for each, and what its connection holds.
    assert!(after < before + 2 * ALLOWED, "{before} bytes, and {after}");
}
