//! What is counted at once, and what the client gives up.
#![allow(
    clippy::disallowed_methods,
    reason = "a server is tested on real sockets in real time"
)]

mod support;

use http::{Method, StatusCode};
use strict_origin::StrictOrigin;
use support::{Client, eventually, run, start};

/// Far more than socket buffers hold.
const HUGE: &str = "/bytes/100000000";

fn both(origin: &StrictOrigin) -> [(&'static str, Client); 2] {
    [
        ("HTTP/1.1", Client::http1(origin)),
        ("HTTP/2", Client::http2(origin)),
    ]
}

#[test]
fn requests_that_wait_for_headers_are_counted_at_once() {
    run(async {
        let (origin, _) = start(StrictOrigin::builder()).await;
        for (version, client) in both(&origin) {
            origin.reset();
            // One that opens the connection which HTTP/2 shares.
            client.get("/anything").await;
            let requests = (0..8).map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.get("/delay/200").await.status })
            });
            for request in requests.collect::<Vec<_>>() {
                assert_eq!(request.await.unwrap(), StatusCode::OK);
            }
            let score = origin.score();
            assert_eq!(
                (
                    score.peak_waiting_for_headers,
                    score.waiting_for_headers_now
                ),
                (8, 0),
                "{version}"
            );
            let expected = if version == "HTTP/2" { 1 } else { 8 };
            assert!(
                score.peak_connections >= expected,
                "{version}: {}",
                score.peak_connections
            );
            assert_eq!(score.abandoned, 0);
            drop(client);
            eventually("connections close", || origin.score().connections_now == 0).await;
        }
    });
}

#[test]
fn one_connection_carries_all_http2_requests() {
    run(async {
        let (origin, _) = start(StrictOrigin::builder()).await;
        let client = Client::http2(&origin);
        for _ in 0..5 {
            client.get("/anything").await;
        }
        let score = origin.score();
        assert_eq!((score.connections_accepted, score.requests), (1, 5));
    });
}

#[test]
fn unread_bodies_are_open_and_dropped_ones_aborted() {
    run(async {
        let (origin, _) = start(StrictOrigin::builder()).await;
        for (version, client) in both(&origin) {
            origin.reset();
            let mut responses = Vec::new();
            for _ in 0..3 {
                let request = client.request(Method::GET, HUGE, "");
                responses.push(client.open(request).await.unwrap());
            }
            let score = origin.score();
            assert_eq!(
                (score.open_bodies_now, score.peak_open_bodies),
                (3, 3),
                "{version}"
            );
            assert_eq!(
                score.waiting_for_headers_now, 0,
                "{version}: heads do not wait for bodies"
            );
            drop(responses);
            eventually("bodies are aborted", || origin.score().bodies_aborted == 3).await;
            let score = origin.score();
            assert_eq!(
                (score.open_bodies_now, score.bodies_completed),
                (0, 0),
                "{version}"
            );
            assert_eq!(
                score.unique_paths_served, 0,
                "{version}: what was not written was not served"
            );
        }
    });
}

#[test]
fn read_bodies_are_completed() {
    run(async {
        let (origin, _) = start(StrictOrigin::builder()).await;
        for (version, client) in both(&origin) {
            origin.reset();
            assert_eq!(client.get("/bytes/300000").await.body.len(), 300_000);
            assert_eq!(client.get("/bytes/0").await.body.len(), 0);
            assert_eq!(
                client.get("/status/204").await.status,
                StatusCode::NO_CONTENT
            );
            let head = client
                .send(client.request(Method::HEAD, "/bytes/300000", ""))
                .await;
            assert_eq!(
                (head.header("content-length"), head.body.len()),
                (Some("300000"), 0)
            );
            eventually("the body is written", || {
                origin.score().bodies_completed == 1
            })
            .await;
            let score = origin.score();
            assert_eq!(
                (score.bodies_aborted, score.open_bodies_now),
                (0, 0),
                "{version}"
            );
            let paths: Vec<_> = origin.served_paths().into_iter().collect();
            assert_eq!(
                paths,
                ["/bytes/0", "/bytes/300000", "/status/204"],
                "{version}"
            );
        }
    });
}

#[test]
fn a_request_given_up_before_its_head_is_abandoned() {
    run(async {
        let (origin, _) = start(StrictOrigin::builder()).await;
        for (version, client) in both(&origin) {
            origin.reset();
            let request = tokio::spawn(async move { client.get("/delay/20000").await.status });
            eventually("the request waits", || {
                origin.score().waiting_for_headers_now == 1
            })
            .await;
            request.abort();
            eventually("the request is gone", || {
                origin.score().waiting_for_headers_now == 0
            })
            .await;
            assert_eq!(origin.score().abandoned, 1, "{version}");
        }
    });
}

#[test]
fn a_slow_body_takes_its_time() {
    run(async {
        let (origin, client) = start(StrictOrigin::builder()).await;
        let slow =
            tokio::spawn(
                async move { client.get("/slow-body/800?ms=80&pieces=8").await.body.len() },
            );
        eventually("the body is open", || origin.score().open_bodies_now == 1).await;
        assert_eq!(origin.score().waiting_for_headers_now, 0);
        assert_eq!(slow.await.unwrap(), 800);
    });
}
