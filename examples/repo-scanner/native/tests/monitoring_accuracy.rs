//! What the program tells of itself is what others have counted: the server that it calls, and the database.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use strict_origin::{Api, FaultKind, FaultPlan, StrictOrigin};
use support::{Folder, blocking, served::Served};

/// What is at `/metrics`: each line's name and labels, and its value.
fn metrics(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.rsplit_once(' '));
    pairs
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn figures_are_what_the_server_and_the_database_have_counted() {
    const COUNT: u64 = 400;
    let folder = Folder::new("accuracy");
    let faults = FaultPlan::new(5)
        .with(FaultKind::BadGateway, 0.2)
        .with_attempts(1);
    let origin = StrictOrigin::builder().faults(faults).start();
    let origin = origin.await.unwrap();
    let (url, db) = (origin.url().to_owned(), folder.path("scan.db"));
    let asked = blocking(move || {
        let quota = "github=2000/1s";
        let served = Served::start(&["--db", &db, "--origin", &url, "--quota", quota], &[]);
        let names = (0..COUNT).map(|n| format!("owner/name-{n}"));
        let list = serde_json::json!({ "repos": names.collect::<Vec<_>>() }).to_string();
        assert_eq!(served.ask("POST", "/api/scan", "", &list).0, 202);
        served.scan_until(|scan| scan["state"] == "finished");
        let status = served.get("/api/status");
        (status, served.ask("GET", "/metrics", "", "").1)
    });
    let (status, text) = asked.await;
    let score = origin.shutdown().await;
    let count = |value: &Value| {
        value
            .as_u64()
            .unwrap_or_else(|| panic!("{value}: {status}"))
    };

    // Requests, as the server has counted them.
    let (github, faults) = (score.api(Api::Github), score.faults_injected());
    assert!(faults > 40, "{score}");
    let all = &status["performance"]["all"];
    assert_eq!(count(&all["outcomes"]["ok"]), COUNT);
    assert_eq!(count(&all["attempts"]), score.requests);
    assert_eq!(count(&status["retries"]["retries"]), faults);
    assert_eq!(github.retries, faults);
    let limit = &status["rateLimits"]["github"];
    assert_eq!(count(&limit["departed"]), score.requests);
    assert_eq!((count(&limit["throttled"]), github.over_limit), (0, 0));
    let connections = &status["connections"];
    assert_eq!(
        (count(&connections["active"]), count(&connections["queued"])),
        (0, 0)
    );
    assert!(count(&connections["peak"]) >= score.peak_waiting_for_headers);
    assert!(count(&connections["peak"]) <= 6);

    // What came of them, as it is in the database.
    assert_eq!(count(&status["business"]["repositories"]), COUNT);
    assert_eq!(count(&status["scan"]["scanned"]), COUNT);
    assert_eq!(folder.rows("SELECT count(*) FROM repositories"), 400);
    let saves = &status["monitor"]["operations"]["db: save"]["lifetime"];
    assert_eq!(count(&saves["ok"]), count(&saves["count"]));
    assert!((1..=COUNT).contains(&count(&saves["count"])));
    let (mean, total) = (&saves["meanMs"], &saves["totalMs"]);
    let mean = mean.as_f64().unwrap() * saves["count"].as_f64().unwrap();
    assert!((mean - total.as_f64().unwrap()).abs() < 1.0, "{saves}");

    // The same for Prometheus.
    let metrics = metrics(&text);
    let sum = |prefix: &str, label: &str| -> f64 {
        let names = metrics.iter().filter(|(name, _)| {
            name.strip_prefix(prefix)
                .is_some_and(|labels| labels.starts_with('{') && labels.contains(label))
        });
        names.map(|(_, value)| value).sum()
    };
    let counted = |value: &Value| value.as_f64().unwrap();
    let requests = sum("tower_egress_requests_total", r#"api="github""#);
    assert!(
        (requests - counted(&all["outcomes"]["ok"])).abs() < 0.5,
        "{text}"
    );
    let attempts = sum("tower_egress_attempts_total", r#"api="github""#);
    assert!((attempts - counted(&all["attempts"])).abs() < 0.5, "{text}");
    let runs = sum(
        "tower_egress_operation_runs_total",
        r#"operation="db: save""#,
    );
    assert!((runs - counted(&saves["count"])).abs() < 0.5, "{text}");
}
