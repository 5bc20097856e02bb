//! What one piece of work asked of servers.
#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not know these for tests on wasm"
    )
)]

mod probe;

use self::probe::{Scripted, Step::*, millis, pass};
use egress_context::{Failure, RequestContext};
use egress_time::{Clock, ManualTimer};
use egress_timing::{Outcome, Phase, Recorder, ResponseBody, Spent, Tally, TimingLayer};
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use std::{future::Future, pin::pin, task::Context, task::Poll};
use tower::{Layer, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Answer = Result<Response<ResponseBody<Scripted, ManualTimer>>, &'static str>;

/// By host: `a` and `b` have a label.
fn by_host(_: &Method, uri: &Uri) -> Option<usize> {
    ["a", "b"].iter().position(|host| uri.host() == Some(host))
}

/// Sends a `GET`, which waits 100 ms for a rate limit, is sent twice, each time for 50 ms, and has a body of 30 ms.
async fn send(timer: &ManualTimer, recorder: &Recorder, tally: &Tally, uri: &str) -> Answer {
    let inner = service_fn(|request: Request<()>| {
        let timer = timer.clone();
        async move {
            let context =
                RequestContext::current(request.extensions()).expect("timing makes a context");
            pass(&timer, millis(100)).await;
            context.add_rate_wait(millis(100));
            for _ in 0..2 {
                context.begin_attempt();
                context.dispatched_at(timer.now());
                pass(&timer, millis(50)).await;
            }
            match request.uri().path() {
                "/fails" => {
                    context.fail(Failure::TimedOut);
                    Err("failed")
                }
                _ => Ok(Response::new(Scripted::new(
                    &timer,
                    [Wait(millis(30)), Data],
                ))),
            }
        }
    });
    let layer = TimingLayer::new(timer.clone(), recorder.clone()).with_label(by_host);
    let client = layer.layer(inner).with_tally(tally.clone());
    let request = Request::get(uri).body(());
    client.oneshot(request.expect("a request")).await
}

fn assert_answered(spent: Spent, requests: u64) {
    let times = u32::try_from(requests).expect("a few");
    assert_eq!(spent.requests(), requests);
    assert_eq!(spent.attempts(), 2 * requests);
    assert_eq!(spent.retries(), requests);
    assert_eq!(spent.phase(Phase::RateWait), millis(100) * times);
    assert_eq!(spent.phase(Phase::Headers), millis(50) * times);
}

#[test]
fn what_is_answered_counts_before_its_body_has_ended() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let tally = recorder.tally();
    timer.run(async {
        let response = send(&timer, &recorder, &tally, "http://a").await.unwrap();
        assert_answered(tally.overall(), 1);
        assert_eq!(tally.overall().outcome(Outcome::Ok), 0);
        assert_eq!(tally.overall().phase(Phase::Total), millis(200));
        assert_eq!(tally.overall().longest(), millis(200));
        response.collect().await.unwrap();
    });
    let spent = tally.overall();
    assert_answered(spent, 1);
    assert_eq!((spent.outcome(Outcome::Ok), spent.errors()), (1, 0));
    assert_eq!(spent.phase(Phase::Body), millis(30));
    assert_eq!(spent.phase(Phase::Total), millis(230));
    assert_eq!(spent.longest(), millis(230));
}

#[test]
fn what_has_no_answer_counts_when_it_ends() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let tally = recorder.tally();
    let answer = timer.run(send(&timer, &recorder, &tally, "http://a/fails"));
    assert_eq!(answer.err(), Some("failed"));
    let spent = tally.overall();
    assert_answered(spent, 1);
    assert_eq!((spent.outcome(Outcome::TimedOut), spent.errors()), (1, 1));
    assert_eq!(spent.phase(Phase::Body), millis(0));
    assert_eq!(spent.phase(Phase::Total), millis(200));
}

/// As M1 for the recorder: polled N times and dropped, for every N from the call to the end of the body.
#[test]
fn whenever_it_is_dropped_it_counts_once() {
    let mut ended_well = false;
    for polls in 0..20 {
        let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
        let tally = recorder.tally();
        {
            let mut request = pin!(async {
                let response = send(&timer, &recorder, &tally, "http://a").await;
                response.unwrap().collect().await.unwrap();
            });
            let mut context = Context::from_waker(std::task::Waker::noop());
            for _ in 0..polls {
                if let Poll::Ready(()) = request.as_mut().poll(&mut context) {
                    ended_well = true;
                    break;
                }
                timer.advance(millis(50));
            }
        }
        let spent = tally.overall();
        let outcomes: u64 = Outcome::ALL.iter().map(|end| spent.outcome(*end)).sum();
        // Dropped before the first poll, the service has not even been called.
        let expected = u64::from(polls > 0);
        assert_eq!(
            (spent.requests(), outcomes),
            (expected, expected),
            "{polls}"
        );
    }
    assert!(ended_well);
}

#[test]
fn each_label_has_its_own_and_clones_without_the_tally_do_not_count() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::new(["a", "b"]));
    let (tally, other) = (recorder.tally(), recorder.tally());
    timer.run(async {
        for host in ["http://a", "http://b", "http://b", "http://c"] {
            let response = send(&timer, &recorder, &tally, host).await.unwrap();
            response.collect().await.unwrap();
        }
        let response = send(&timer, &recorder, &other, "http://a").await.unwrap();
        response.collect().await.unwrap();
    });
    let labels: Vec<_> = tally.labels().collect();
    assert_eq!(labels.len(), 2);
    for ((name, spent), (expected, requests)) in labels.into_iter().zip([("a", 1), ("b", 2)]) {
        assert_eq!(name, expected);
        assert_answered(spent, requests);
    }
    assert_answered(tally.unlabelled(), 1);
    assert_answered(tally.overall(), 4);
    let all = recorder.snapshot(timer.now()).overall();
    assert_eq!(all.lifetime().requests(), 5);
}

#[test]
fn labels_of_another_recorder_are_not_taken_for_ones_own() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::new(["a", "b"]));
    let tally = Recorder::new(["x", "y"]).tally();
    timer.run(async {
        let response = send(&timer, &recorder, &tally, "http://a").await.unwrap();
        response.collect().await.unwrap();
    });
    assert!(tally.labels().all(|(_, spent)| spent == Spent::default()));
    assert_answered(tally.unlabelled(), 1);
}
