//! Dropping a request at any point undoes all of it.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use egress_time::{Clock, ManualTimer};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use support::{Answer, Server};
use tower_egress::{Api, Egress, FetchExt, Quota};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn egress(timer: &ManualTimer) -> Egress<ManualTimer> {
    let quota = Quota::new(20, Duration::from_secs(1)).unwrap();
    let quota = quota.with_burst(2).unwrap();
    Egress::builder_on(timer.clone())
        .concurrency(1)
        .otherwise(Api::external().with_quota(quota))
        .deadline(Duration::from_secs(60))
        .build()
}

/// What must be as before when nothing goes on any more.
fn assert_idle(egress: &Egress<ManualTimer>, server: &Server, timer: &ManualTimer, when: &str) {
    let status = egress.status();
    assert_eq!(server.open(), 0, "{when}: something is open at the server");
    assert_eq!(status.connections.active, 0, "{when}: a permit is gone");
    assert_eq!(
        status.connections.queued, 0,
        "{when}: somebody waits for a permit"
    );
    assert_eq!(
        status.rate_limits["external"].queue_length, 0,
        "{when}: a slot is kept"
    );
    assert_eq!(status.bodies.live, 0, "{when}: a body lives");
    assert_eq!(timer.sleepers(), 0, "{when}: a timer is left");
}

/// Polls a request of `polls` times, moving the clock whenever it is stuck, and drops it. True if it was done before.
fn poll_and_drop(timer: &ManualTimer, client: &impl FetchExt, polls: usize) -> bool {
    let mut request = pin!(client.get("http://example.com/a").text());
    for _ in 0..polls {
        if let Poll::Ready(result) = request
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            assert_eq!(result.unwrap(), "\"hello, world\"");
            return true;
        }
        timer.advance_to_next();
    }
    false
}

/// T4, C4, B8, K1: every await of a request that waits for a slot, is throttled once, retried, and then read.
#[test]
fn a_request_that_is_dropped_after_any_number_of_polls_leaves_nothing() {
    for polls in 0.. {
        let timer = ManualTimer::new();
        let egress = egress(&timer);
        let server = Server::new(&timer);
        server
            .answer(Answer::status(503))
            .answer(Answer::status(429).header("retry-after", "1"));
        let client = egress.layer(server.clone());
        let done = poll_and_drop(&timer, &client, polls);
        assert_idle(
            &egress,
            &server,
            &timer,
            &format!("dropped after {polls} polls"),
        );
        let outcomes = &egress.status().performance["all"].outcomes;
        assert_eq!(
            outcomes.values().sum::<u64>(),
            u64::from(polls > 0),
            "M1: recorded once, after {polls} polls"
        );
        // The next one is served as if nothing had been.
        let text = timer
            .run(client.get("http://example.com/b").text())
            .unwrap();
        assert_eq!(text, "\"hello, world\"", "after {polls} polls");
        if done {
            assert!(polls > 8, "it went through all its awaits, not {polls}");
            assert_eq!(outcomes["ok"], 1);
            return;
        }
    }
}

/// C4, T4: the same while others hold the connection and the slots.
#[test]
fn a_queued_request_that_is_dropped_holds_nobody_up() {
    for polls in 0..6 {
        let timer = ManualTimer::new();
        let egress = egress(&timer);
        let server = Server::new(&timer);
        let client = egress.layer(server.clone());
        let start = timer.now();
        let get = |path: &str| client.get(format!("http://example.com/{path}")).text();
        timer.run(async {
            let mut first = pin!(get("first"));
            let mut dropped = Box::pin(get("dropped"));
            let mut last = pin!(get("last"));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(first.as_mut().poll(&mut cx).is_pending());
            for _ in 0..polls {
                assert!(dropped.as_mut().poll(&mut cx).is_pending());
            }
            assert!(last.as_mut().poll(&mut cx).is_pending());
            drop(dropped);
            let (first, last) = futures_util::join!(first, last);
            assert_eq!(first.unwrap(), last.unwrap());
        });
        let paths: Vec<_> = server
            .arrivals()
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        assert_eq!(paths, ["GET /first", "GET /last"], "after {polls} polls");
        let elapsed = timer.now() - start;
        assert!(
            elapsed <= Duration::from_millis(100),
            "{elapsed:?} after {polls} polls"
        );
        assert_idle(
            &egress,
            &server,
            &timer,
            &format!("dropped after {polls} polls"),
        );
    }
}

/// K1: a response whose body is dropped after any number of frames.
#[test]
fn a_body_that_is_dropped_after_any_number_of_polls_leaves_nothing() {
    use http_body::Body;
    for polls in 0..4 {
        let timer = ManualTimer::new();
        let egress = egress(&timer);
        let server = Server::new(&timer);
        let client = egress.layer(server.clone());
        let response = timer.run(client.get("http://example.com/").send()).unwrap();
        assert_eq!(
            egress.status().connections.active,
            1,
            "the body holds the permit"
        );
        let mut body = Box::pin(response.into_body());
        for _ in 0..polls {
            let _ = body
                .as_mut()
                .poll_frame(&mut Context::from_waker(Waker::noop()));
            timer.advance_to_next();
        }
        drop(body);
        assert_idle(
            &egress,
            &server,
            &timer,
            &format!("dropped after {polls} polls"),
        );
    }
}
