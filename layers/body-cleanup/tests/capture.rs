//! K2: the body of an error is read before the response is handed on.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use bytes::Bytes;
use egress_body_cleanup::{BodyCleanupLayer, Capture, Drain, Truncated};
use egress_body_end::CapturedBody;
use egress_context::RequestContext;
use egress_time::{Clock, ManualTimer};
use http::{Method, Request, StatusCode};
use http_body::{Body, SizeHint};
use std::time::Duration;
use support::{
    ConnectionReset, LocalExecutor, Once, Probe, SECOND, Script, Step, Step::*, read_all, request,
    respond, total,
};
use tower::{Layer, Service};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type ScriptLayer = support::ScriptLayer<egress_body_cleanup::NoExecutor>;
type Response = http::Response<support::ScriptBody<egress_body_cleanup::NoExecutor>>;

struct Captured {
    timer: ManualTimer,
    layer: ScriptLayer,
    probe: Probe,
    response: Response,
    waited: Duration,
}

/// Answers with an error whose body has these steps.
fn error_with(steps: impl IntoIterator<Item = Step>) -> Captured {
    error_from(|layer| layer, |timer| Script::new(timer, steps))
}

fn error_from(
    settings: impl FnOnce(ScriptLayer) -> ScriptLayer,
    body: impl FnOnce(&ManualTimer) -> Script,
) -> Captured {
    let timer = ManualTimer::new();
    let layer = settings(BodyCleanupLayer::new(timer.clone()));
    let body = body(&timer);
    let probe = body.probe();
    let start = timer.now();
    let response = respond(&timer, &layer, StatusCode::FORBIDDEN, body);
    Captured {
        waited: timer.now() - start,
        timer,
        layer,
        probe,
        response,
    }
}

fn copy(response: &Response) -> Option<(Bytes, bool)> {
    let captured = response.extensions().get::<CapturedBody>()?;
    Some((captured.bytes().clone(), captured.is_complete()))
}

fn is_truncated_after(
    error: Option<Box<dyn std::error::Error + Send + Sync>>,
    bytes: usize,
) -> bool {
    error.is_some_and(|error| {
        error
            .downcast_ref::<Truncated>()
            .is_some_and(|truncated| truncated.kept == bytes)
    })
}

/// K2
#[test]
fn an_errors_body_is_there_twice_and_its_connection_is_free() {
    let captured = error_with([Data("rate "), Wait, Data("limit"), Trailers]);
    assert!(
        captured.probe.is_freed(),
        "before the caller sees the response"
    );
    assert_eq!(captured.response.status(), StatusCode::FORBIDDEN);
    assert_eq!(copy(&captured.response), Some(("rate limit".into(), true)));
    let mut body = Box::pin(captured.response.into_body());
    assert_eq!(body.size_hint().exact(), Some(10));
    assert!(!body.is_end_stream());
    let (text, trailers, error) = read_all(&captured.timer, &mut body);
    assert_eq!((text.as_str(), trailers), ("rate limit", true));
    assert!(error.is_none());
    assert!(body.is_end_stream());
    let counts = captured.layer.stats().counts();
    assert_eq!((counts.captured, counts.ended, total(counts)), (1, 1, 1));
}

/// K2
#[test]
fn the_connection_is_free_when_the_response_is_there_and_not_when_its_future_is_dropped() {
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone())
        .with_capture(Capture::new().with_max_bytes(2))
        .with_drain(Drain::NEVER);
    let body = Script::new(&timer, [Data("long"), Stuck]);
    let probe = body.probe();
    let mut service = layer.layer(Once::new(StatusCode::FORBIDDEN, body));
    let mut future = Box::pin(service.call(Request::new(())));
    let response = timer.run(future.as_mut()).unwrap();
    assert!(probe.is_freed());
    assert_eq!(copy(&response), Some(("lo".into(), false)));
    drop(future);
}

/// K2
#[test]
fn errors_are_captured_and_nothing_else_unless_told_so() {
    let timer = ManualTimer::new();
    let captures = |layer: &ScriptLayer, status| {
        let body = Script::new(&timer, [Data("body")]);
        copy(&respond(&timer, layer, status, body)).is_some()
    };
    let layer = BodyCleanupLayer::new(timer.clone());
    assert!(captures(&layer, StatusCode::BAD_REQUEST));
    assert!(captures(&layer, StatusCode::NOT_FOUND));
    assert!(captures(&layer, StatusCode::SERVICE_UNAVAILABLE));
    assert!(!captures(&layer, StatusCode::OK));
    assert!(!captures(&layer, StatusCode::FOUND));
    assert!(!captures(&layer, StatusCode::from_u16(600).unwrap()));
    let throttled = Capture::new().with_statuses(|status| status == StatusCode::TOO_MANY_REQUESTS);
    let layer = BodyCleanupLayer::new(timer.clone()).with_capture(throttled);
    assert!(captures(&layer, StatusCode::TOO_MANY_REQUESTS));
    assert!(!captures(&layer, StatusCode::BAD_REQUEST));
    let layer = BodyCleanupLayer::new(timer.clone()).with_capture(Capture::NEVER);
    assert!(!captures(&layer, StatusCode::INTERNAL_SERVER_ERROR));
}

/// K2
#[test]
fn where_there_is_nothing_to_read_nothing_is_captured() {
    let timer = ManualTimer::new();
    let all = Capture::new().with_statuses(|_| true);
    let layer = BodyCleanupLayer::new(timer.clone()).with_capture(all);
    let captures = |method, status, body| {
        let request_ = Request::builder().method(method).body(()).unwrap();
        copy(&request(&timer, &layer, request_, status, body)).is_some()
    };
    let stuck = || Script::new(&timer, [Stuck]);
    assert!(!captures(Method::HEAD, StatusCode::NOT_FOUND, stuck()));
    assert!(!captures(Method::GET, StatusCode::NO_CONTENT, stuck()));
    assert!(!captures(Method::GET, StatusCode::NOT_MODIFIED, stuck()));
    let empty = Script::new(&timer, []);
    assert!(!captures(Method::GET, StatusCode::NOT_FOUND, empty));
    let silent = Script::new(&timer, []).hinting(SizeHint::new());
    assert!(!captures(Method::GET, StatusCode::NOT_FOUND, silent));
    let size_zero = stuck().hinting(SizeHint::with_exact(0));
    assert!(!captures(Method::GET, StatusCode::NOT_FOUND, size_zero));
    assert!(
        captures(Method::GET, StatusCode::NOT_FOUND, stuck()),
        "the others were no accident"
    );
}

/// K2
#[test]
fn a_body_is_kept_up_to_the_limit_and_no_byte_more() {
    let five = |layer: ScriptLayer| layer.with_capture(Capture::new().with_max_bytes(5));
    let cases: [(&[Step], &str, bool); 7] = [
        (&[Data("1234")], "1234", true),
        (&[Data("12345")], "12345", true),
        (
            &[Data("12"), Data(""), Data("345"), Trailers],
            "12345",
            true,
        ),
        (&[Data("123456")], "12345", false),
        (&[Data("12345"), Data("6")], "12345", false),
        (&[Data("123"), Data("456"), Data("7")], "12345", false),
        (&[Data("12345"), Stuck], "12345", false),
    ];
    for (steps, kept, complete) in cases {
        for knows in [false, true] {
            let captured = error_from(five, |timer| {
                let body = Script::new(timer, steps.iter().copied());
                if knows {
                    body
                } else {
                    body.unaware_of_its_end()
                }
            });
            assert_eq!(
                copy(&captured.response),
                Some((kept.into(), complete)),
                "{steps:?}"
            );
            assert!(captured.probe.is_freed());
            let mut body = Box::pin(captured.response.into_body());
            assert_eq!(body.size_hint().exact().is_some(), complete);
            let (text, _, error) = read_all(&captured.timer, &mut body);
            assert_eq!(text, kept);
            match complete {
                true => assert!(error.is_none()),
                false => assert!(
                    is_truncated_after(error, 5),
                    "it must not pass for complete"
                ),
            }
            let counts = captured.layer.stats().counts();
            assert_eq!((counts.captured, counts.live, total(counts)), (1, 0, 1));
        }
    }
}

/// K2
#[test]
fn of_a_limit_of_nothing_only_the_error_is_left() {
    let none = |layer: ScriptLayer| layer.with_capture(Capture::new().with_max_bytes(0));
    let captured = error_from(none, |timer| Script::new(timer, [Data("body")]));
    assert_eq!(copy(&captured.response), Some((Bytes::new(), false)));
    let mut body = Box::pin(captured.response.into_body());
    assert!(!body.is_end_stream());
    let (text, _, error) = read_all(&captured.timer, &mut body);
    assert_eq!(text, "");
    assert!(is_truncated_after(error, 0));
    assert!(body.is_end_stream());
}

/// K2
#[test]
fn a_slow_body_is_waited_for_no_longer_than_its_time() {
    let in_time = error_with([
        Data("slow"),
        Sleep(SECOND - Duration::from_millis(1)),
        Data("er"),
    ]);
    assert_eq!(copy(&in_time.response), Some(("slower".into(), true)));
    let late = error_with([
        Data("slow"),
        Sleep(SECOND + Duration::from_millis(1)),
        Data("er"),
    ]);
    assert_eq!(late.waited, SECOND);
    assert!(late.probe.is_freed());
    assert_eq!(copy(&late.response), Some(("slow".into(), false)));
    let (text, _, error) = read_all(&late.timer, &mut Box::pin(late.response.into_body()));
    assert_eq!(text, "slow");
    assert!(is_truncated_after(error, 4));
    assert_eq!(late.timer.sleepers(), 0);
}

/// K2
#[test]
fn the_deadline_of_the_request_shortens_the_wait_and_never_lengthens_it() {
    for (deadline, waited) in [(SECOND / 4, SECOND / 4), (30 * SECOND, SECOND)] {
        let timer = ManualTimer::new();
        let layer = BodyCleanupLayer::new(timer.clone());
        let mut with_deadline = Request::new(());
        let context = RequestContext::join(with_deadline.extensions_mut());
        let start = timer.now();
        context.limit_deadline(start + deadline);
        let body = Script::new(&timer, [Data("some"), Stuck]);
        let response = request(&timer, &layer, with_deadline, StatusCode::BAD_GATEWAY, body);
        assert_eq!(timer.now() - start, waited);
        assert_eq!(copy(&response), Some(("some".into(), false)));
    }
}

/// K2
#[test]
fn an_error_inside_the_body_follows_what_was_read_before_it() {
    let captured = error_with([Data("half"), Error, Data("never seen")]);
    assert!(captured.probe.is_freed());
    assert_eq!(copy(&captured.response), Some(("half".into(), false)));
    let mut body = Box::pin(captured.response.into_body());
    let (text, _, error) = read_all(&captured.timer, &mut body);
    assert_eq!(text, "half");
    assert!(error.is_some_and(|error| error.is::<ConnectionReset>()));
    let (nothing, _, error) = read_all(&captured.timer, &mut body);
    assert!(
        nothing.is_empty() && error.is_none(),
        "the error is told once"
    );
    let counts = captured.layer.stats().counts();
    assert_eq!((counts.captured, counts.failed, total(counts)), (1, 1, 1));
}

/// K2
#[test]
fn dropping_the_future_in_the_middle_of_a_capture_frees_the_body() {
    let steps = [Data("a"), Wait, Data("b"), Wait, Wait, Data("c"), Stuck];
    for idle_timeout in [None, Some(SECOND)] {
        for polls in 0..6 {
            let timer = ManualTimer::new();
            let layer = BodyCleanupLayer::new(timer.clone())
                .with_idle_timeout(idle_timeout)
                .with_drain(Drain::NEVER);
            let body = Script::new(&timer, steps);
            let probe = body.probe();
            let mut service = layer.layer(Once::new(StatusCode::FORBIDDEN, body));
            let mut future = tokio_test::task::spawn(service.call(Request::new(())));
            for _ in 0..polls {
                assert!(future.poll().is_pending());
            }
            drop(future);
            drop(service);
            assert!(probe.is_freed(), "after {polls} polls");
            let counts = layer.stats().counts();
            assert_eq!(
                counts.cancelled,
                u64::from(polls > 0),
                "no response, no body"
            );
            assert_eq!((counts.live, counts.captured), (0, 0));
            assert_eq!(timer.sleepers(), 0);
        }
    }
}

/// K1, K2
#[test]
fn the_rest_of_a_long_error_is_drained_on_the_spot() {
    let short = Capture::new().with_max_bytes(5);
    let drained = error_from(
        |layer| layer.with_capture(short),
        |timer| Script::new(timer, [Zeros(6), Zeros(6)]),
    );
    assert_eq!(drained.layer.stats().counts().drained, 1);
    let closed = error_from(
        |layer| layer.with_capture(short),
        |timer| Script::new(timer, [Zeros(6), Wait, Zeros(6)]),
    );
    assert_eq!(closed.layer.stats().counts().cancelled, 1);
}

/// K2, B3: the rest went to the executor, and kept the permit for as long as it took.
#[test]
fn an_error_frees_its_connection_before_it_is_seen_although_there_is_an_executor() {
    let endings: [&[Step]; 3] = [
        &[Zeros(6), Wait, Zeros(6)],
        &[Zeros(5), Stuck],
        &[Zeros(4), Sleep(2 * SECOND), Zeros(1)],
    ];
    for steps in endings {
        let (timer, executor) = (ManualTimer::new(), LocalExecutor::default());
        let layer = BodyCleanupLayer::new(timer.clone())
            .with_capture(Capture::new().with_max_bytes(5))
            .with_executor(executor.clone());
        let body = Script::new(&timer, steps.iter().copied());
        let probe = body.probe();
        let response = respond(&timer, &layer, StatusCode::FORBIDDEN, body);
        assert!(probe.is_freed(), "{steps:?}");
        assert_eq!(executor.tasks(), 0);
        let counts = layer.stats().counts();
        assert_eq!((counts.live, counts.cancelled, total(counts)), (0, 1, 1));
        drop(response);
        assert_eq!(total(layer.stats().counts()), 1);
    }
}

/// K2: also when its future is given up, by a deadline for one.
#[test]
fn a_capture_that_is_given_up_frees_its_connection_although_there_is_an_executor() {
    let (timer, executor) = (ManualTimer::new(), LocalExecutor::default());
    let layer = BodyCleanupLayer::new(timer.clone()).with_executor(executor.clone());
    let body = Script::new(&timer, [Data("some"), Stuck]);
    let probe = body.probe();
    let mut service = layer.layer(Once::new(StatusCode::FORBIDDEN, body));
    let mut future = tokio_test::task::spawn(service.call(Request::new(())));
    assert!(future.poll().is_pending());
    drop(future);
    assert!(probe.is_freed());
    assert_eq!(executor.tasks(), 0);
    assert_eq!(layer.stats().counts().cancelled, 1);
}

/// K2: the clock was looked at only when the body had nothing.
#[test]
fn a_body_that_always_has_something_is_captured_for_no_longer_than_its_time() {
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone()).with_drain(Drain::NEVER);
    let body = Script::new(&timer, [Endless("x")]);
    let probe = body.probe();
    let mut service = layer.layer(Once::new(StatusCode::FORBIDDEN, body));
    let mut future = tokio_test::task::spawn(service.call(Request::new(())));
    assert!(future.poll().is_pending(), "others want to run, too");
    assert!(future.is_woken());
    assert_eq!(probe.polls(), 64);
    assert_eq!(timer.sleepers(), 0, "no timer is needed");
    timer.advance(SECOND);
    let std::task::Poll::Ready(response) = future.poll() else {
        panic!("its time is over");
    };
    assert!(probe.is_freed());
    assert_eq!(probe.polls(), 128);
    let copy = response.unwrap();
    let copy = copy.extensions().get::<CapturedBody>().unwrap();
    assert_eq!((copy.bytes().len(), copy.is_complete()), (128, false));
}

/// K2
#[test]
fn a_server_that_says_it_sends_everything_gets_no_memory_for_it() {
    let captured = error_from(
        |layer| layer.with_capture(Capture::new().with_max_bytes(usize::MAX)),
        |timer| {
            let mut hint = SizeHint::new();
            hint.set_lower(u64::MAX);
            Script::new(timer, [Data("little")]).hinting(hint)
        },
    );
    assert_eq!(copy(&captured.response), Some(("little".into(), true)));
}

/// K2
#[test]
fn empty_frames_without_end_end() {
    let captured = error_with([Data("some"), Endless("")]);
    assert_eq!(captured.waited, Duration::ZERO);
    assert_eq!(copy(&captured.response), Some(("some".into(), false)));
    assert!(captured.probe.is_freed());
}

/// K2: the copy does not keep the connection's read buffer.
#[test]
fn what_is_kept_takes_no_more_room_than_the_limit() {
    let captured = error_from(
        |layer| layer.with_capture(Capture::new().with_max_bytes(5)),
        |timer| Script::new(timer, [Zeros(400 * 1024)]),
    );
    let (bytes, _) = copy(&captured.response).unwrap();
    drop(captured.response);
    let bytes = bytes.try_into_mut().unwrap();
    assert!(bytes.capacity() < 64, "{} bytes are kept", bytes.capacity());
}
