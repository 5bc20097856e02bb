//! Lists that somebody sends, as long as may be.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use support::{Folder, blocking, served::Served};

/// Eight million bytes of zeros in brackets became 200 million.
#[tokio::test]
async fn whatever_is_sent_takes_a_few_times_its_length() {
    let folder = Folder::new("bodies");
    blocking(move || {
        let db = folder.path("scan.db");
        let server = Served::start(&["--db", &db], &[]);
        let list = |item: &str| vec![item; (8_000_000) / (item.len() + 1)].join(",");
        let deep = "[".repeat(7_000_000);
        let wrong = [
            (format!(r#"{{"repos":[{}]}}"#, list("0")), "repos[0]"),
            (format!(r#"{{"repos":[{}]}}"#, list(r#""""#)), "repos[0]"),
            (format!(r#"{{"repos":["a/b",{}]}}"#, list("{}")), "repos[1]"),
            (format!(r#"{{"other":[{}]}}"#, list("0")), "other"),
            (format!(r#"{{"repos":{{"a":[{}]}}}}"#, list("0")), "repos"),
            (format!("[{}]", list("0")), "body"),
            (format!(r#"{{"repos":[{}"#, list("0")), "body"),
            (format!(r#"{{"repos":{deep}"#), "body"),
        ];
        for (body, field) in wrong {
            let (status, problem) = server.ask("POST", "/api/scan", "", &body);
            let problem: serde_json::Value = serde_json::from_str(&problem).unwrap();
            let start = &body[..24];
            assert_eq!(
                (status, problem["field"].as_str()),
                (400, Some(field)),
                "{start}"
            );
        }
        let well = format!(r#"{{"repos":[{}]}}"#, list(r#""owner/some-name""#));
        assert_eq!(server.ask("POST", "/api/scan", "", &well).0, 202);
        let peak = server.peak() >> 20;
        assert!(peak < 90, "{peak} MiB");
    })
    .await;
}
