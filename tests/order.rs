//! The order of the stack: what it gives, and what each wrong order breaks.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use egress_time::{Clock, ManualTimer};
use http::Request;
use http_body_util::Full;
use std::{num::NonZeroUsize, time::Duration};
use support::{Answer, Server};
use tower::{ServiceBuilder, ServiceExt};
use tower_egress::{BoxError, Bucket, FetchExt, Quota, ServiceBuilderExt};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const SECOND: Duration = Duration::from_secs(1);

fn bucket(limit: u32, period: Duration) -> Bucket {
    Bucket::new(Quota::new(limit, period).unwrap().with_burst(1).unwrap())
}

/// How many arrived in the fullest window of this length.
fn fullest(server: &Server, window: Duration) -> usize {
    let arrivals = server.arrivals();
    let within = |start| {
        arrivals
            .iter()
            .filter(move |(at, _)| *at >= start && *at - start < window)
    };
    arrivals
        .iter()
        .map(|(at, _)| within(*at).count())
        .max()
        .unwrap_or(0)
}

fn throttled(server: &Server, times: usize) {
    for _ in 0..times {
        server.answer(Answer::status(503).header("retry-after-ms", "1"));
    }
}

#[test]
fn every_attempt_pays_a_token_when_the_bucket_is_inside_the_retries() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    throttled(&server, 3);
    let client = ServiceBuilder::new()
        .backoff(timer.clone())
        .token_bucket(bucket(1, SECOND), timer.clone())
        .service(server.clone());
    timer.run(client.get("http://h/").text()).unwrap();
    assert_eq!(server.arrivals().len(), 4);
    assert_eq!(fullest(&server, SECOND), 1);
}

#[test]
fn wrong_retries_inside_the_bucket_break_the_limit() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    throttled(&server, 3);
    let client = ServiceBuilder::new()
        .token_bucket(bucket(1, SECOND), timer.clone())
        .backoff(timer.clone())
        .service(server.clone());
    timer.run(client.get("http://h/").text()).unwrap();
    assert_eq!(fullest(&server, SECOND), 4, "four attempts, one token");
}

/// A request that waits for its token for a second, and one without a limit that comes just after it.
fn time_of_the_second(timer: &ManualTimer, client: &impl FetchExt) -> Duration {
    let start = timer.now();
    let get = |path: &str| client.get(format!("http://h/{path}")).text();
    timer.run(get("spends-the-token")).unwrap();
    timer.run(async {
        let free = async {
            get("free").await.unwrap();
            timer.now() - start
        };
        let (waiting, elapsed) = futures_util::join!(get("waits-for-a-token"), free);
        waiting.unwrap();
        elapsed
    })
}

/// Only requests that are not `/free` pay.
fn route(
    bucket: Bucket,
) -> impl Fn(
    &tower_egress::layers::token_bucket::RequestHead<'_>,
) -> Option<tower_egress::layers::token_bucket::BucketSet>
+ Clone {
    move |request| (request.uri.path() != "/free").then(|| bucket.clone().into())
}

#[test]
fn who_waits_for_a_token_holds_no_connection() {
    let timer = ManualTimer::new();
    let client = ServiceBuilder::new()
        .token_bucket(route(bucket(1, SECOND)), timer.clone())
        .in_flight_limit(ONE, timer.clone())
        .service(Server::new(&timer));
    let elapsed = time_of_the_second(&timer, &client);
    assert!(elapsed < SECOND / 2, "{elapsed:?}");
}

#[test]
fn wrong_a_connection_limit_outside_the_bucket_lets_one_api_block_another() {
    let timer = ManualTimer::new();
    let client = ServiceBuilder::new()
        .in_flight_limit(ONE, timer.clone())
        .token_bucket(route(bucket(1, SECOND)), timer.clone())
        .service(Server::new(&timer));
    let elapsed = time_of_the_second(&timer, &client);
    assert!(elapsed >= SECOND, "{elapsed:?}");
}

/// Two at once through one connection that takes 10 s each, with an attempt timeout of 15 s.
fn two_at_once(timer: &ManualTimer, server: &Server, client: &impl FetchExt) -> usize {
    for _ in 0..2 {
        server.answer(Answer {
            after: 10 * SECOND,
            frames: Vec::new(),
            ..Answer::default()
        });
    }
    let get = || client.get("http://h/").text();
    let (a, b) = timer.run(async { futures_util::join!(get(), get()) });
    [a, b].iter().filter(|result| result.is_ok()).count()
}

/// D1
#[test]
fn an_attempt_timeout_inside_the_queue_does_not_count_the_queue() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let client = ServiceBuilder::new()
        .in_flight_limit(ONE, timer.clone())
        .attempt_timeout(15 * SECOND, timer.clone())
        .service(server.clone());
    assert_eq!(two_at_once(&timer, &server, &client), 2);
}

#[test]
fn wrong_an_attempt_timeout_outside_the_queue_calls_a_healthy_server_slow() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    // Backoff polls for readiness inside its future, as every layer outside the limit does in the right order.
    let client = ServiceBuilder::new()
        .attempt_timeout(15 * SECOND, timer.clone())
        .token_bucket(bucket(1000, SECOND), timer.clone())
        .in_flight_limit(ONE, timer.clone())
        .service(server.clone());
    assert_eq!(two_at_once(&timer, &server, &client), 1);
}

/// D2: outside the retries it is crossed once; inside, the request's context keeps the first attempt's deadline.
#[test]
fn a_deadline_holds_for_all_attempts_together() {
    let elapsed = |deadline_outside: bool| {
        let timer = ManualTimer::new();
        let server = Server::new(&timer);
        for _ in 0..4 {
            server.answer(Answer {
                after: 3 * SECOND,
                ..Answer::status(503)
            });
        }
        let start = timer.now();
        let total = 4 * SECOND;
        let outcome = if deadline_outside {
            let client = ServiceBuilder::new()
                .request_deadline(total, timer.clone())
                .backoff(timer.clone())
                .service(server.clone());
            timer.run(client.get("http://h/").text())
        } else {
            let client = ServiceBuilder::new()
                .backoff(timer.clone())
                .request_deadline(total, timer.clone())
                .service(server.clone());
            timer.run(client.get("http://h/").text())
        };
        assert!(outcome.is_err() && server.arrivals().len() <= 2);
        timer.now() - start
    };
    assert!(elapsed(true) <= 4 * SECOND);
    assert!(elapsed(false) <= 4 * SECOND);
}

/// K3
#[test]
fn a_waiter_rescues_itself_only_if_the_cleanup_is_outside_the_limit() {
    let rescued = |cleanup_outside: bool| {
        let timer = ManualTimer::new();
        let server = Server::new(&timer);
        let get = || {
            Request::get("http://h/")
                .body(Full::<bytes::Bytes>::default())
                .unwrap()
        };
        // The first response is kept and never read; the second request needs its connection.
        let outcome: Result<_, BoxError> = if cleanup_outside {
            let client = ServiceBuilder::new()
                .body_cleanup(timer.clone())
                .in_flight_limit(ONE, timer.clone())
                .service(server);
            let _kept = timer.run(client.clone().oneshot(get())).unwrap();
            timer.run(client.oneshot(get())).map(drop)
        } else {
            let client = ServiceBuilder::new()
                .in_flight_limit(ONE, timer.clone())
                .body_cleanup(timer.clone())
                .service(server);
            let _kept = timer.run(client.clone().oneshot(get())).unwrap();
            timer.run(client.oneshot(get())).map(drop)
        };
        outcome.is_ok()
    };
    assert!(rescued(true));
    assert!(!rescued(false), "it sat out the queue timeout");
}
