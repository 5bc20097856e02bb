//! All that the program is for, from the first start to the second scan, at a server that permits three requests in flight.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use serde_json::Value;
use std::{cell::Cell, collections::BTreeSet, time::Duration};
use strict_origin::{Api, FaultKind, FaultPlan, StrictOrigin};
use support::{Folder, blocking, served::Served};

const COUNT: usize = 240;

fn list(count: usize) -> String {
    let names: Vec<_> = (0..count).map(|n| format!("owner/name-{n}")).collect();
    serde_json::json!({ "repos": names }).to_string()
}

/// Follows the links from page to page.
fn pages(served: &Served, first: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(path) = next {
        let page = served.get(&path);
        let page = page.as_array().unwrap();
        let last = page.last().and_then(|last| last["name"].as_str());
        next = last
            .filter(|_| page.len() == 70)
            .map(|last| format!("{first}&cursor={last}"));
        all.extend(page.iter().cloned());
    }
    all
}

#[tokio::test]
async fn full_workflow_with_connection_limits() {
    let folder = Folder::new("workflow");
    let slow = FaultPlan::new(1).with(FaultKind::SlowHeaders, 1.0);
    let slow = slow.with_slowness(Duration::from_millis(5));
    let origin = StrictOrigin::builder()
        .github("100000/1s,concurrent=3".parse().unwrap())
        .anthropic("100000/1s,concurrent=3".parse().unwrap())
        .faults(slow.with_attempts(u32::MAX));
    let origin = origin.start().await.unwrap();
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let config = folder.file("config.json", "{}");
    let config_of_flags = folder.path("config.json");
    let queued = blocking(move || {
        let arguments = [
            "--db",
            &db,
            "--origin",
            &url,
            "--concurrency",
            "3",
            "--analyse",
            "5",
            "--quota",
            "github=100000/1s",
            "--quota",
            "anthropic=100000/1s",
            "--config",
            &config,
        ];
        let mut served = Served::start(&arguments, &[]);
        // The first scan is joined by whoever wants the same, and by nobody else.
        assert_eq!(served.ask("POST", "/api/scan", "", &list(COUNT)).0, 202);
        assert_eq!(served.ask("POST", "/api/scan", "", &list(COUNT)).0, 202);
        assert_eq!(served.ask("POST", "/api/scan", "", &list(7)).0, 409);
        // More is to do than may be in flight, so somebody waits, and everybody can see that.
        let (queued, switched) = (Cell::new(0), Cell::new(false));
        served.scan_until(|scan| {
            let connections = &served.get("/api/status")["connections"];
            assert!(connections["active"].as_u64() <= Some(3), "{connections}");
            queued.set(connections["peakQueued"].as_u64().unwrap());
            if !switched.replace(true) {
                // In the middle, what has nothing to do with connections is switched.
                std::fs::write(
                    &config_of_flags,
                    r#"{"flags": {"batching": false, "streaming": false, "monitoring": 50}}"#,
                )
                .unwrap();
                served.signal("-HUP");
            }
            scan["state"] == "finished"
        });
        served.hear("the scan is done: 240 repositories scanned, 0 failed");
        served.hear("5 repositories described");

        // What it has found: whole, and page by page, and one with its history.
        let whole = served.get("/api/repos");
        let paged = pages(&served, "/api/repos?limit=70");
        assert_eq!(whole.as_array().unwrap(), &paged);
        let names = paged.iter().map(|it| it["name"].as_str().unwrap());
        assert_eq!(names.collect::<BTreeSet<_>>().len(), COUNT);
        let one = served.get("/api/repos/owner/name-7");
        assert_eq!(one["history"].as_array().unwrap().len(), 1);
        let described = paged.iter().filter(|it| it["analysis"].is_string());
        assert_eq!(described.count(), 5);

        // The second scan finds that nothing has changed.
        assert_eq!(served.ask("POST", "/api/scan", "", &list(COUNT)).0, 202);
        let done = |scan: &Value| scan["id"] == 2 && scan["state"] == "finished";
        let scan = served.scan_until(done);
        assert_eq!(scan["unchanged"], COUNT, "{scan}");
        // The third is ended, and what it had is kept.
        assert_eq!(served.ask("POST", "/api/scan", "", &list(100_000)).0, 202);
        served.scan_until(|scan| scan["id"] == 3 && scan["unchanged"].as_u64() > Some(100));
        assert_eq!(served.ask("DELETE", "/api/scan", "", "").0, 202);
        served.scan_until(|scan| scan["state"] == "interrupted");
        assert!(served.get("/api/repos").as_array().unwrap().len() >= COUNT);
        served.signal("-TERM");
        assert_eq!(served.end(), Some(0), "{}", served.said);
        queued.get()
    })
    .await;
    // Sixteen are worked on at a time, of which three are in flight.
    assert!((10..=13).contains(&queued), "{queued}");
    let score = origin.shutdown().await;
    assert_eq!(score.complaints(), Vec::<String>::new(), "{score}");
    assert!(score.peak_waiting_for_headers <= 3, "{score}");
    let not_modified = score.api(Api::Github).not_modified;
    assert!(not_modified > 240, "{score}");
}
