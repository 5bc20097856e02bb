//! The whole list at full speed. In a file of its own, since tests beside it would take the processor from the clock that
//! paces the requests, and the server counts in milliseconds.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what is looked at is the machine's own clock"
)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use strict_origin::{Catalogue, Rule, StrictOrigin};
use support::{Folder, REPOSITORIES, json, scan};

/// How often the machine may hold the programs up for longer than arrivals are forgiven; what is seen then says nothing.
const TRIES: usize = 4;

#[tokio::test]
async fn a_thousand_repositories_break_no_rule_and_none_is_lost() {
    for left in (0..TRIES).rev() {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = thread::spawn({
            let stop = Arc::clone(&stop);
            move || longest_hold_up(&stop)
        });
        let complaints = whole_list().await;
        stop.store(true, Relaxed);
        let held_up = watch.join().unwrap();
        let is_spacing = |complaint: &String| complaint.ends_with("closer than the spacing");
        let says_nothing = held_up > Rule::DEFAULT_JITTER && complaints.iter().all(is_spacing);
        if left > 0 && !complaints.is_empty() && says_nothing {
            eprintln!("the machine stood still for {held_up:?}, once more: {complaints:?}");
            continue;
        }
        assert_eq!(complaints, Vec::<String>::new(), "held up {held_up:?}");
        return;
    }
}

/// Returns for how long a thread that only sleeps was not run at most.
fn longest_hold_up(stop: &AtomicBool) -> Duration {
    const SLEEP: Duration = Duration::from_millis(1);
    let mut longest = Duration::ZERO;
    while !stop.load(Relaxed) {
        let before = Instant::now();
        thread::sleep(SLEEP);
        longest = longest.max(before.elapsed().saturating_sub(SLEEP));
    }
    longest
}

/// Scans the list; returns what the server has to complain of.
async fn whole_list() -> Vec<String> {
    let folder = Folder::new("all");
    let quota = "github=600/1s,burst=10,spacing=5ms";
    let origin = StrictOrigin::builder()
        .named_rule(quota.parse().unwrap())
        .catalogue(Catalogue::from_tsv(REPOSITORIES).unwrap())
        .start()
        .await
        .unwrap();
    let repos = folder.file("repos.tsv", REPOSITORIES);
    let output = scan(&folder, &origin, &repos, &["--quota", quota]).await;
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["scanned"], 1200);
    assert_eq!(report["failed"], 0);
    let in_flight = report["peak_in_flight"].as_u64().unwrap();
    assert!(in_flight <= 6, "{in_flight}");
    let memory = report["peak_rss_bytes"].as_u64().unwrap();
    assert!(memory < 100 << 20, "{memory} bytes");
    // How many wait for the rate limit, by how long they do (Little): all that a scan works on at a time but those under way.
    let seconds = report["elapsed_ms"].as_f64().unwrap() / 1000.0;
    let waited = report["phases"]["rateWait"]["p50Ms"].as_f64().unwrap() / 1000.0;
    let queue = report["requests"].as_f64().unwrap() / seconds * waited;
    assert!((1.0..=17.0).contains(&queue), "{queue}: {report}");
    let score = origin.shutdown().await;
    assert_eq!(score.unique_paths_served, 1200);
    assert!(score.peak_waiting_for_headers <= 6);
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 1200);
    score.complaints()
}
