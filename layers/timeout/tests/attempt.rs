//! One attempt is bounded from its dispatch.
#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not know these for tests on wasm"
    )
)]

mod probe;

use self::probe::{Scripted, Step, Tracked, answer, seconds, timed_out};
use bytes::Bytes;
use egress_context::{Failure, RequestContext};
use egress_time::{Clock, ManualTimer, SleepUntil};
use egress_timeout::{AttemptTimeout, Bound, Phase, TimeoutLayer};
use http::Request;
use http_body_util::{BodyExt, Empty};
use std::{rc::Rc, time::Duration};
use tower::{Layer, Service, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Sends a request to a server that answers after `answers`, with an attempt timeout of 5 s.
fn attempt(
    timer: &ManualTimer,
    answers: Duration,
    request: Request<()>,
) -> Result<Duration, egress_timeout::BoxError> {
    let start = timer.now();
    let server = service_fn(|_: Request<()>| {
        answer(
            timer.clone(),
            answers,
            Empty::<Bytes>::new(),
            Tracked::default(),
        )
    });
    let layer = TimeoutLayer::new(timer.clone()).with_timeout(seconds(5));
    timer.run(layer.layer(server).oneshot(request))?;
    assert_eq!(
        timer.sleepers(),
        0,
        "an attempt that is over leaves no timer"
    );
    Ok(timer.now() - start)
}

/// D1
#[test]
fn it_expires_without_headers() {
    let timer = ManualTimer::new();
    let error = timed_out(&attempt(&timer, seconds(60), Request::new(())).unwrap_err());
    assert_eq!(error.bound(), Bound::Attempt);
    assert_eq!(error.phase(), Phase::Headers);
    assert_eq!((error.after(), error.limit()), (seconds(5), seconds(5)));
    assert_eq!(
        error.to_string(),
        "the attempt timeout of 5s was over after 5s of waiting for the response"
    );
    assert_eq!(timer.sleepers(), 0);
}

/// D1: a queue is waited for before the call, by whoever polls readiness, and is no part of the attempt.
#[test]
fn a_queue_is_no_part_of_it() {
    let timer = ManualTimer::new();
    let server = service_fn(|_: Request<()>| {
        answer(
            timer.clone(),
            seconds(4),
            Empty::<Bytes>::new(),
            Tracked::default(),
        )
    });
    let service = TimeoutLayer::new(timer.clone())
        .with_timeout(seconds(5))
        .layer(server);
    let queued = service_fn(|request: Request<()>| {
        let (mut service, timer) = (service.clone(), timer.clone());
        async move {
            let turn = timer.now() + seconds(60);
            SleepUntil::new(timer, turn).await;
            service.ready().await?.call(request).await
        }
    });
    let start = timer.now();
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    timer.run(queued.oneshot(request)).unwrap();
    assert_eq!(
        timer.now() - start,
        seconds(64),
        "60 s in the queue and 4 s on the wire"
    );
    assert_eq!(
        context.dispatched(),
        Some(start + seconds(60)),
        "and it says when it was sent"
    );
}

#[test]
fn a_response_at_the_very_moment_is_not_lost() {
    let timer = ManualTimer::new();
    assert_eq!(
        attempt(&timer, seconds(5), Request::new(())).unwrap(),
        seconds(5)
    );
}

/// D1
#[test]
fn a_request_can_have_its_own() {
    let timer = ManualTimer::new();
    let with = |own| {
        let mut request = Request::new(());
        request.extensions_mut().insert(AttemptTimeout(own));
        request
    };
    assert_eq!(
        attempt(&timer, seconds(60), with(seconds(90))).unwrap(),
        seconds(60)
    );
    assert_eq!(
        attempt(&timer, seconds(600), with(Duration::MAX)).unwrap(),
        seconds(600)
    );
    let error = attempt(&timer, seconds(4), with(seconds(3))).unwrap_err();
    assert_eq!(timed_out(&error).limit(), seconds(3));
}

#[test]
fn the_context_learns_that_it_was_a_timeout() {
    let timer = ManualTimer::new();
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    let start = timer.now();
    assert!(attempt(&timer, seconds(60), request).is_err());
    assert_eq!(context.failure(), Some(Failure::TimedOut));
    assert_eq!(context.dispatched(), Some(start));
}

#[test]
fn an_error_of_the_transport_stays_what_it_is() {
    let timer = ManualTimer::new();
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    let server = service_fn(|_: Request<()>| async {
        Err::<http::Response<Empty<Bytes>>, _>(std::fmt::Error)
    });
    let error = timer
        .run(
            TimeoutLayer::new(timer.clone())
                .layer(server)
                .oneshot(request),
        )
        .unwrap_err();
    assert!(error.is::<std::fmt::Error>());
    assert_eq!(context.failure(), None);
}

#[test]
fn a_response_that_is_there_arms_no_timer() {
    let timer = ManualTimer::new();
    attempt(&timer, Duration::ZERO, Request::new(())).unwrap();
    assert!(timer.requested().is_empty());
}

#[test]
fn clocks_that_fire_early_or_step_back_expire_nothing() {
    let timer = ManualTimer::new();
    let server = service_fn(|_: Request<()>| {
        answer(
            timer.clone(),
            seconds(60),
            Empty::<Bytes>::new(),
            Tracked::default(),
        )
    });
    let layer = TimeoutLayer::new(timer.clone()).with_timeout(seconds(5));
    let mut response = tokio_test::task::spawn(layer.layer(server).oneshot(Request::new(())));
    assert!(response.poll().is_pending());
    let start = timer.now();
    timer.fire_early();
    assert!(response.is_woken() && response.poll().is_pending());
    timer.set(start - seconds(600));
    timer.fire_early();
    assert!(response.poll().is_pending());
    timer.set(start + seconds(5));
    assert!(response.is_woken() && response.poll().is_ready());
    drop(response);
    assert_eq!(timer.sleepers(), 0);
}

fn slow_body(
    timer: &ManualTimer,
    layer: TimeoutLayer<ManualTimer>,
) -> Result<Bytes, egress_timeout::BoxError> {
    let server = service_fn(|_: Request<()>| {
        let script = [
            Step::Data,
            Step::Wait(seconds(4)),
            Step::Data,
            Step::Wait(seconds(4)),
            Step::Data,
        ];
        let body = Scripted::new(timer, &Tracked::default(), script);
        answer(timer.clone(), seconds(1), body, Tracked::default())
    });
    let layer = layer.with_timeout(seconds(5)).with_body_idle(seconds(5));
    let body = timer.run(async {
        layer
            .layer(server)
            .oneshot(Request::new(()))
            .await?
            .collect()
            .await
    })?;
    Ok(body.to_bytes())
}

/// D1: the default covers the headers alone.
#[test]
fn the_body_may_take_longer() {
    let timer = ManualTimer::new();
    assert_eq!(
        slow_body(&timer, TimeoutLayer::new(timer.clone())).unwrap(),
        "datadatadata"
    );
    assert_eq!(timer.sleepers(), 0);
}

/// D1: to the body's end, if asked.
#[test]
fn it_covers_the_body_if_asked() {
    let timer = ManualTimer::new();
    let error = slow_body(&timer, TimeoutLayer::new(timer.clone()).until_body_end()).unwrap_err();
    let error = timed_out(&error);
    assert_eq!(
        (error.bound(), error.phase()),
        (Bound::Attempt, Phase::Body)
    );
    assert_eq!((error.after(), error.limit()), (seconds(5), seconds(5)));
    assert_eq!(timer.sleepers(), 0);
}

/// D1, for every moment at which an attempt can be dropped.
#[test]
fn a_dropped_attempt_leaves_no_timer() {
    for polls in 0..4 {
        let timer = ManualTimer::new();
        let tracked = Tracked::default();
        let server = service_fn(|_: Request<()>| {
            answer(
                timer.clone(),
                seconds(60),
                Empty::<Bytes>::new(),
                Rc::clone(&tracked),
            )
        });
        let mut response = tokio_test::task::spawn(
            TimeoutLayer::new(timer.clone())
                .layer(server)
                .oneshot(Request::new(())),
        );
        for _ in 0..polls {
            assert!(response.poll().is_pending());
            timer.advance(seconds(1));
        }
        drop(response);
        assert_eq!(timer.sleepers(), 0);
        assert_eq!(probe::held(&tracked), 0);
    }
}
