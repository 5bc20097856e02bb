//! The whole list at full speed. In a file of its own, since tests beside it would take the processor from the clock that
//! paces the requests, and the server counts in milliseconds.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use strict_origin::{Catalogue, StrictOrigin};
use support::{Folder, REPOSITORIES, json, scan};

#[tokio::test]
async fn twelve_hundred_repositories_break_no_rule_and_none_is_lost() {
    let folder = Folder::new("all");
    let quota = "github=600/1s,burst=10,spacing=5ms";
    // The server sees arrivals, and the machine may hold either program up for a moment. Somebody who is always too fast
    // is found out all the same, and how many there are in a second is not a matter of that.
    let rule = format!("{quota},jitter=50ms");
    let origin = StrictOrigin::builder()
        .named_rule(rule.parse().unwrap())
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
    let score = origin.shutdown().await;
    assert_eq!(score.complaints(), Vec::<String>::new());
    assert_eq!(score.unique_paths_served, 1200);
    assert!(score.peak_waiting_for_headers <= 6);
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 1200);
}
