//! Descriptions, which may take hours, and scans that are asked for meanwhile.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use support::{Folder, REPOSITORIES, blocking, served::Served};

/// It was answered that the scan begins, and nobody worked on it until everything was described.
#[tokio::test]
async fn a_scan_that_is_asked_for_does_not_wait_for_descriptions() {
    let folder = Folder::new("describe");
    blocking(move || {
        let db = folder.path("scan.db");
        let slowly = ["--analyse", "5", "--quota", "anthropic=1/10m"];
        let arguments: Vec<&str> = ["--db", &db].into_iter().chain(slowly).collect();
        let mut server = Served::start(&arguments, &[]);
        let names = REPOSITORIES.lines().skip(1).take(4);
        let names: Vec<&str> = names.filter_map(|line| line.split('\t').next()).collect();
        for list in [&names[..3], &names[3..]] {
            let list = serde_json::json!({"repos": list}).to_string();
            assert_eq!(server.ask("POST", "/api/scan", "", &list).0, 202);
            server.scan_until(|scan| scan["state"] == "finished");
            // The first description is there; the next one has to wait for ten minutes.
            server.hear("the scan is done");
        }
        server.signal("-TERM");
        assert_eq!(server.end(), Some(0), "{}", server.said);
    })
    .await;
}
