//! What callers and their monitors are told: how often something was sent, how long it took, why it ended.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use egress_time::{Clock, ManualTimer, SleepUntil};
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use std::{io, num::NonZeroUsize, pin::pin, time::Duration};
use support::{Answer, Server};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_egress::{
    Api, Bucket, Budget, Egress, ErrorKind, FetchExt, Quota, RetryError, ServiceBuilderExt,
    layers::timing::{Phase, Recorder},
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: Duration = Duration::from_secs(1);

fn request() -> Request<Full<Bytes>> {
    let request = Request::get("http://example.com/");
    request.body(Full::default()).unwrap()
}

/// The longest total that was recorded.
fn total(recorder: &Recorder, timer: &ManualTimer) -> Duration {
    let snapshot = recorder.snapshot(timer.now());
    let minute = snapshot.unlabelled().minute();
    minute.phase(Phase::Total).p99().unwrap()
}

/// B5, B7: what the bucket refuses, because it would be sent too late, was not sent and costs nothing.
#[test]
fn an_attempt_that_would_come_too_late_is_none() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer::status(503));
    let (recorder, budget) = (Recorder::unlabelled(), Budget::default());
    let client = ServiceBuilder::new()
        .timing(recorder.clone(), timer.clone())
        .request_deadline(10 * SECOND, timer.clone())
        .layer(
            tower_egress::layers::backoff::BackoffLayer::new(timer.clone())
                .with_budget(budget.clone()),
        )
        .token_bucket(
            Bucket::new(Quota::new(1, 60 * SECOND).unwrap()),
            timer.clone(),
        )
        .service(server.clone());
    let error = timer.run(client.oneshot(request())).err().unwrap();
    assert_eq!(server.arrivals().len(), 1);
    assert_eq!(ErrorKind::of(&*error), ErrorKind::DeadlineExceeded);
    assert_eq!(error.downcast_ref::<RetryError>().unwrap().attempts, 1);
    assert_eq!(budget.available(), budget.capacity());
    let snapshot = recorder.snapshot(timer.now());
    let lifetime = snapshot.unlabelled().lifetime();
    assert_eq!((lifetime.attempts(), lifetime.retries()), (1, 0));
}

/// D3: a deadline that finds a retry in a queue knows that the request was sent before.
#[test]
fn a_retry_that_waits_in_a_queue_is_no_request_that_was_never_sent() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer::status(503).header("retry-after", "2"));
    server.answer(Answer {
        frames: vec![(100 * SECOND, "late")],
        ..Answer::default()
    });
    let limited = ServiceBuilder::new()
        .in_flight_limit(NonZeroUsize::MIN, timer.clone())
        .service(server.clone());
    let client = ServiceBuilder::new()
        .request_deadline(10 * SECOND, timer.clone())
        .backoff(timer.clone())
        .service(limited.clone());
    let other = async {
        SleepUntil::new(timer.clone(), timer.now() + SECOND).await;
        let response = limited.oneshot(request()).await.unwrap();
        response.into_body().collect().await.unwrap();
    };
    let (fetch, other) = (pin!(client.get("http://example.com/").text()), pin!(other));
    let first = timer.run(futures_util::future::select(fetch, other));
    let futures_util::future::Either::Left((result, _)) = first else {
        panic!("the deadline comes first");
    };
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!((error.attempts(), server.arrivals().len()), (1, 2));
}

/// M1: the total has the time in which an error's body was read ahead.
#[test]
fn the_total_ends_when_the_caller_has_the_response() {
    let timer = ManualTimer::new();
    let recorder = Recorder::unlabelled();
    let clock = timer.clone();
    let server = service_fn(move |_: Request<()>| {
        let clock = clock.clone();
        async move {
            SleepUntil::new(clock.clone(), clock.now() + SECOND).await;
            let until = clock.now() + Duration::from_millis(900);
            let nothing = stream::once(Box::pin(SleepUntil::new(clock, until)))
                .filter_map(async |()| None::<io::Result<Frame<Bytes>>>);
            let mut response = Response::new(StreamBody::new(Box::pin(nothing)));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            Ok::<_, BoxError>(response)
        }
    });
    let mut client = ServiceBuilder::new()
        .timing(recorder.clone(), timer.clone())
        .body_cleanup(timer.clone())
        .in_flight_limit(NonZeroUsize::MIN, timer.clone())
        .service(server);
    let start = timer.now();
    let response = async { client.ready().await.unwrap().call(Request::new(())).await };
    drop(timer.run(response).unwrap());
    assert_eq!(timer.now() - start, Duration::from_millis(1900));
    assert!(total(&recorder, &timer) >= Duration::from_millis(1880));
}

/// M1: a layer may send two requests in the context of one.
#[test]
fn the_end_of_another_body_in_the_same_context_is_not_the_end() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    for seconds in [1, 5] {
        server.answer(Answer {
            frames: vec![(seconds * SECOND, "late")],
            ..Answer::default()
        });
    }
    let recorder = Recorder::unlabelled();
    let limited = ServiceBuilder::new()
        .in_flight_limit(NonZeroUsize::new(2).unwrap(), timer.clone())
        .service(server);
    let both = service_fn(move |request: Request<()>| {
        let limited = limited.clone();
        async move {
            let mut second = Request::new(());
            *second.extensions_mut() = request.extensions().clone();
            let first = limited.clone().oneshot(request).await?;
            let second = limited.oneshot(second).await?;
            first.into_body().collect().await?;
            Ok::<_, BoxError>(second)
        }
    });
    let client = ServiceBuilder::new()
        .timing(recorder.clone(), timer.clone())
        .service(both);
    let start = timer.now();
    timer.run(async {
        let response = client.oneshot(Request::new(())).await.unwrap();
        response.into_body().collect().await.unwrap();
    });
    assert!(total(&recorder, &timer) >= (timer.now() - start) * 98 / 100);
}

/// D1: a server that sends a little now and then never stalls.
#[test]
fn an_attempt_timeout_can_cover_the_body_and_a_stall_timeout_can_be_off() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let drip = || Answer {
        frames: vec![(20 * SECOND, "a"); 4],
        ..Answer::default()
    };
    let builder = || Egress::builder_on(timer.clone()).otherwise(Api::new("any"));
    let fetch = |egress: Egress<ManualTimer>| {
        let client = egress.layer(server.clone());
        timer.run(async { client.get("http://example.com/").text().await })
    };
    server.answer(drip());
    assert_eq!(fetch(builder().build()).unwrap(), "aaaa");
    server.answer(drip());
    let error = fetch(builder().attempt_covers_body().build()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);

    let stall = || Answer {
        frames: vec![(1000 * SECOND, "a")],
        ..Answer::default()
    };
    server.answer(stall());
    let error = fetch(builder().build()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    server.answer(stall());
    assert_eq!(
        fetch(builder().body_stall_timeout(None).build()).unwrap(),
        "a"
    );
}

/// M1, D3: a timeout may stand outside of the retries, which count attempts that it does not know of when it begins.
#[test]
fn a_timeout_outside_of_the_retries_is_recorded_as_one() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    server.answer(Answer {
        frames: vec![(1000 * SECOND, "late")],
        ..Answer::default()
    });
    let recorder = Recorder::unlabelled();
    let timeout = tower_egress::layers::timeout::TimeoutLayer::new(timer.clone());
    let client = ServiceBuilder::new()
        .timing(recorder.clone(), timer.clone())
        .layer(timeout.with_body_idle(5 * SECOND))
        .backoff(timer.clone())
        .service(server);
    timer.run(async {
        let response = client.oneshot(request()).await.unwrap();
        response.into_body().collect().await.unwrap_err();
    });
    let snapshot = recorder.snapshot(timer.now());
    let lifetime = snapshot.unlabelled().lifetime();
    let timed_out = tower_egress::layers::timing::Outcome::TimedOut;
    assert_eq!((lifetime.outcome(timed_out), lifetime.attempts()), (1, 1));
}
