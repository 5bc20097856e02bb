//! The whole request is bounded, wherever it spends its time.
#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not know these for tests on wasm"
    )
)]

mod probe;

use self::probe::{Scripted, Step, Tracked, answer, held, seconds, timed_out};
use bytes::Bytes;
use egress_context::{Failure, RequestContext};
use egress_time::{Clock, Instant, ManualTimer, SleepUntil};
use egress_timeout::{Bound, BoxError, DeadlineLayer, Phase, RequestTimeout, TimedOut};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use std::{cell::Cell, future::Future, rc::Rc, time::Duration};
use tower::{Layer, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

async fn wait(timer: &ManualTimer, duration: Duration) {
    SleepUntil::new(timer.clone(), timer.now() + duration).await;
}

/// Runs a request with a deadline of 10 s through `stack`, which plays the layers inside and must be too slow.
fn expire<F>(timer: &ManualTimer, mut stack: impl FnMut(RequestContext) -> F) -> TimedOut
where
    F: Future<Output = Result<Response<Scripted>, BoxError>>,
{
    let start = timer.now();
    let mut seen = None;
    let inner = service_fn(|request: Request<()>| {
        let context =
            RequestContext::current(request.extensions()).expect("a deadline needs a context");
        assert_eq!(
            context.deadline(),
            Some(start + seconds(10)),
            "those inside know the deadline"
        );
        seen = Some(context.clone());
        stack(context)
    });
    let service = DeadlineLayer::new(timer.clone())
        .with_total(seconds(10))
        .layer(inner);
    let result = timer.run(async { service.oneshot(Request::new(())).await?.collect().await });
    let error = timed_out(&result.expect_err("it takes longer than 10 s"));
    assert_eq!(error.bound(), Bound::Deadline);
    assert_eq!((error.after(), error.limit()), (seconds(10), seconds(10)));
    assert_eq!(timer.now() - start, seconds(10));
    assert_eq!(timer.sleepers(), 0);
    assert_eq!(
        seen.and_then(|context| context.failure()),
        Some(Failure::DeadlineExceeded)
    );
    error
}

/// D2, D3
#[test]
fn it_spans_the_queue() {
    let timer = ManualTimer::new();
    let error = expire(&timer, |context| {
        context.begin_attempt();
        answer(
            timer.clone(),
            seconds(60),
            Scripted::new(&timer, &Tracked::default(), []),
            Tracked::default(),
        )
    });
    assert_eq!(error.phase(), Phase::Queue);
    assert_eq!(
        error.to_string(),
        "the deadline of 10s was over after 10s of waiting to be sent"
    );
}

/// D2, D3
#[test]
fn it_spans_the_attempt() {
    let timer = ManualTimer::new();
    let error = expire(&timer, |context| {
        context.begin_attempt();
        let timer = timer.clone();
        async move {
            wait(&timer, seconds(3)).await;
            context.dispatched_at(timer.now());
            answer(
                timer.clone(),
                seconds(60),
                Scripted::new(&timer, &Tracked::default(), []),
                Tracked::default(),
            )
            .await
        }
    });
    assert_eq!(error.phase(), Phase::Headers);
}

/// D2, D3
#[test]
fn it_spans_the_sleep_before_another_attempt() {
    let timer = ManualTimer::new();
    let error = expire(&timer, |context| {
        let timer = timer.clone();
        async move {
            context.begin_attempt();
            context.dispatched_at(timer.now());
            wait(&timer, seconds(6)).await;
            context.fail(Failure::TimedOut);
            wait(&timer, seconds(60)).await;
            unreachable!("it was given up")
        }
    });
    assert_eq!(error.phase(), Phase::Retry);
}

/// D2, D3
#[test]
fn it_spans_the_sleep_after_a_response_that_was_rejected() {
    let timer = ManualTimer::new();
    let error = expire(&timer, |context| {
        let timer = timer.clone();
        async move {
            context.begin_attempt();
            context.dispatched_at(timer.now());
            wait(&timer, seconds(6)).await;
            context.attempt_over();
            wait(&timer, seconds(60)).await;
            unreachable!("it was given up")
        }
    });
    assert_eq!(error.phase(), Phase::Retry);
}

/// D2, D3
#[test]
fn it_spans_several_attempts() {
    let timer = ManualTimer::new();
    let error = expire(&timer, |context| {
        let timer = timer.clone();
        async move {
            loop {
                context.begin_attempt();
                context.dispatched_at(timer.now());
                wait(&timer, seconds(3)).await;
                context.fail(Failure::TimedOut);
            }
        }
    });
    assert_eq!(error.phase(), Phase::Headers);
}

/// D2, D3
#[test]
fn it_spans_the_body() {
    let timer = ManualTimer::new();
    let tracked = Tracked::default();
    let error = expire(&timer, |context| {
        context.begin_attempt();
        context.dispatched_at(timer.now());
        let script = (0..100).flat_map(|_| [Step::Wait(seconds(3)), Step::Data]);
        answer(
            timer.clone(),
            seconds(2),
            Scripted::new(&timer, &tracked, script),
            Tracked::default(),
        )
    });
    assert_eq!(error.phase(), Phase::Body);
    assert_eq!(held(&tracked), 0);
}

/// D3: in a context that an outer layer made, what was sent before is not this request.
#[test]
fn what_was_sent_before_is_not_its_own() {
    let timer = ManualTimer::new();
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    context.dispatched_at(timer.now());
    timer.advance(seconds(1));
    let inner = service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Empty<Bytes>>, BoxError>>()
    });
    let service = DeadlineLayer::new(timer.clone())
        .with_total(seconds(10))
        .layer(inner);
    let error = timed_out(&timer.run(service.oneshot(request)).unwrap_err());
    assert_eq!(error.phase(), Phase::Queue);
}

fn fast(_: Request<()>) -> impl Future<Output = Result<Response<Empty<Bytes>>, BoxError>> {
    std::future::ready(Ok(Response::new(Empty::new())))
}

#[test]
fn without_one_nothing_is_made() {
    let timer = ManualTimer::new();
    let inner = service_fn(|request: Request<()>| {
        assert!(RequestContext::current(request.extensions()).is_none());
        fast(request)
    });
    let service = DeadlineLayer::new(timer.clone()).layer(inner);
    timer.run(service.oneshot(Request::new(()))).unwrap();
    assert!(timer.requested().is_empty());
}

/// Returns the deadline that those inside see, in seconds from now.
fn seen(
    timer: &ManualTimer,
    total: Option<Duration>,
    outer: Option<Duration>,
    own: Option<Duration>,
) -> Option<Duration> {
    let start = timer.now();
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    if let Some(outer) = outer {
        context.limit_deadline(start + outer);
    }
    if let Some(own) = own {
        request.extensions_mut().insert(RequestTimeout(own));
    }
    let deadline = Cell::new(None);
    let inner = service_fn(|request: Request<()>| {
        deadline.set(
            RequestContext::current(request.extensions()).and_then(|context| context.deadline()),
        );
        fast(request)
    });
    let mut layer = DeadlineLayer::new(timer.clone());
    if let Some(total) = total {
        layer = layer.with_total(total);
    }
    timer
        .run(layer.layer(inner).oneshot(request))
        .expect("a response");
    deadline.get().map(|at: Instant| at - start)
}

/// D2
#[test]
fn a_requests_own_total_replaces_the_layers_and_an_outer_one_that_is_earlier_stays() {
    let timer = ManualTimer::new();
    let s = |n| Some(seconds(n));
    let cases = [
        (None, None, None, None),
        (s(10), None, None, s(10)),
        (None, None, s(3), s(3)),
        (s(10), None, s(3), s(3)),
        (s(10), None, s(60), s(60)),
        (s(10), None, Some(Duration::MAX), None),
        (s(10), s(4), None, s(4)),
        (s(10), s(4), s(60), s(4)),
        (s(3), s(4), None, s(3)),
        (None, s(4), None, s(4)),
    ];
    for (total, outer, own, expected) in cases {
        assert_eq!(
            seen(&timer, total, outer, own),
            expected,
            "total {total:?}, outer {outer:?}, own {own:?}"
        );
    }
}

/// D2: an outer deadline is kept here even by a layer that has none of its own.
#[test]
fn an_outer_deadline_is_enforced() {
    let timer = ManualTimer::new();
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    context.limit_deadline(timer.now() + seconds(4));
    let inner = service_fn(|_: Request<()>| {
        answer(
            timer.clone(),
            seconds(60),
            Empty::<Bytes>::new(),
            Tracked::default(),
        )
    });
    let service = DeadlineLayer::new(timer.clone())
        .with_total(seconds(10))
        .layer(inner);
    let error = timed_out(&timer.run(service.oneshot(request)).unwrap_err());
    assert_eq!((error.after(), error.limit()), (seconds(4), seconds(4)));
}

/// D2: what cannot be answered in time is not sent.
#[test]
fn what_comes_too_late_is_not_sent() {
    let timer = ManualTimer::new();
    let sent = Rc::new(Cell::new(false));
    let inner = service_fn(|request: Request<()>| {
        let sent = Rc::clone(&sent);
        async move {
            sent.set(true);
            fast(request).await
        }
    });
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    context.limit_deadline(timer.now());
    let service = DeadlineLayer::new(timer.clone())
        .with_total(seconds(10))
        .layer(inner);
    let error = timed_out(&timer.run(service.oneshot(request)).unwrap_err());
    assert_eq!(
        (error.phase(), error.after()),
        (Phase::Queue, Duration::ZERO)
    );
    assert_eq!(context.failure(), Some(Failure::DeadlineExceeded));
    assert!(!sent.get());
}
