//! What takes too long is given up, frees its connection, and is asked for again: over real sockets, at a server that counts.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use bytes::Bytes;
use futures_util::stream;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use repo_scanner_core::{GitHub, RepoName, ScanOptions, Scanner, Summary, flags};
use std::{cell::Cell, convert::Infallible, future::pending, time::Duration};
use strict_origin::{FaultKind, FaultPlan, Score, StrictOrigin};
use tower_egress::{Api, Egress, ReplayBody, TokioTimer};

type Http = Client<HttpConnector, ReplayBody<Full<Bytes>>>;

const COUNT: u64 = 60;

/// Scans where some first attempts take `slowness` longer than they should; returns the retries as well.
async fn scanned(kind: FaultKind, slowness: Duration, config: &str) -> (Summary, Score, u64) {
    let slow = FaultPlan::new(2).with(kind, 0.2).with_attempts(1);
    let origin = StrictOrigin::builder().faults(slow.with_slowness(slowness));
    let origin = origin.start().await.unwrap();
    let flags = flags().build();
    flags.apply_json(config).unwrap();
    let egress = Egress::builder()
        .api(
            Api::github()
                .without_quota()
                .with_host(origin.addr().to_string()),
        )
        .attempt_timeout(Duration::from_secs(1))
        .attempt_covers_body()
        .flags(flags)
        .build();
    let client: Http = Client::builder(TokioExecutor::new()).build_http();
    let github = GitHub::new(egress.layer(client), &origin.url().parse().unwrap());
    let scanner = Scanner::new(github, TokioTimer::new(), ScanOptions::default());
    let names = (0..COUNT).map(|n| RepoName::parse(&format!("owner/name-{n}")));
    let kept = Cell::new(0);
    let keep = async |_| {
        kept.set(kept.get() + 1);
        Ok::<_, Infallible>(())
    };
    let (summary, ended) = scanner.scan(stream::iter(names), keep, pending()).await;
    ended.unwrap();
    assert_eq!(kept.get(), COUNT);
    let status = egress.status();
    assert_eq!(
        (status.connections.active, status.connections.queued),
        (0, 0)
    );
    assert!(status.connections.peak <= 6, "{:?}", status.connections);
    let score = origin.shutdown().await;
    assert!(score.faults_injected() > 5, "{score}");
    (summary, score, status.retries.retries)
}

#[tokio::test]
async fn a_server_that_is_silent_is_asked_again() {
    // Longer than anybody waits.
    let hour = Duration::from_secs(3600);
    let (summary, score, retries) = scanned(FaultKind::SlowHeaders, hour, "{}").await;
    assert_eq!((summary.scanned, summary.failed), (COUNT, 0));
    assert_eq!(score.abandoned, score.faults_injected(), "{score}");
    // A busy machine may be slow as well.
    assert!(retries >= score.faults_injected(), "{retries}: {score}");
    assert_eq!(score.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_body_that_does_not_end_is_asked_for_again() {
    let hour = Duration::from_secs(3600);
    let (summary, score, _) = scanned(FaultKind::SlowBody, hour, "{}").await;
    assert_eq!((summary.scanned, summary.failed), (COUNT, 0));
    assert_eq!(score.bodies_aborted, score.faults_injected(), "{score}");
    assert_eq!(score.requests - COUNT, score.faults_injected(), "{score}");
}

#[tokio::test]
async fn without_timeouts_what_is_slow_is_waited_for() {
    let slow = Duration::from_millis(1_500);
    let off = r#"{"timeouts": false}"#;
    let (summary, score, retries) = scanned(FaultKind::SlowHeaders, slow, off).await;
    assert_eq!((summary.scanned, summary.failed), (COUNT, 0));
    assert_eq!((score.abandoned, score.requests, retries), (0, COUNT, 0));
}
