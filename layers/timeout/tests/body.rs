//! A body is given up when it stalls or when its time is over, and not before.
#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not know these for tests on wasm"
    )
)]

mod probe;

use self::probe::{
    Scripted,
    Step::{self, *},
    Tracked, held, seconds, timed_out,
};
use bytes::Bytes;
use egress_context::{Failure, RequestContext};
use egress_time::{Clock, ManualTimer, SleepUntil};
use egress_timeout::{
    BodyIdleTimeout, Bound, BoxError, DeadlineLayer, Phase, ResponseBody, TimeoutLayer,
};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use std::{convert::Infallible, time::Duration};
use tower::{Layer, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Pinned<B> = std::pin::Pin<Box<ResponseBody<B, ManualTimer>>>;

/// Returns a body with an idle timeout of 5 s and the context of its request.
fn idle(
    timer: &ManualTimer,
    tracked: &Tracked,
    script: impl IntoIterator<Item = Step>,
) -> (Pinned<Scripted>, RequestContext) {
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    let mut body = Some(Scripted::new(timer, tracked, script));
    let server = service_fn(|_: Request<()>| {
        let body = body.take();
        async { Ok::<_, Infallible>(Response::new(body.expect("one request"))) }
    });
    let service = TimeoutLayer::new(timer.clone())
        .with_body_idle(seconds(5))
        .layer(server);
    let response = timer.run(service.oneshot(request)).expect("a response");
    (Box::pin(response.into_body()), context)
}

/// Returns a body that must end within 10 s.
fn bounded<B: Body<Error: Into<BoxError>>>(timer: &ManualTimer, body: B) -> Pinned<B> {
    let mut body = Some(body);
    let server = service_fn(|_: Request<()>| {
        let body = body.take();
        async { Ok::<_, Infallible>(Response::new(body.expect("one request"))) }
    });
    let service = DeadlineLayer::new(timer.clone())
        .with_total(seconds(10))
        .layer(server);
    Box::pin(
        timer
            .run(service.oneshot(Request::new(())))
            .expect("a response")
            .into_body(),
    )
}

/// Reads a body to its end and returns what it yielded, one letter each, and the error.
async fn read<B: Body<Data = Bytes>>(mut body: Pinned<B>) -> (String, Option<BoxError>)
where
    B::Error: Into<BoxError>,
{
    let mut read = String::new();
    let mut failed = None;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => read.push(if frame.is_data() { 'd' } else { 't' }),
            Err(error) => {
                read.push('e');
                failed = Some(error);
            }
        }
    }
    (read, failed)
}

/// D1: apart from the attempt's time.
#[test]
fn a_stalled_body_is_given_up_once_and_ends() {
    let timer = ManualTimer::new();
    let tracked = Tracked::default();
    let (mut body, context) = idle(&timer, &tracked, [Data, Wait(seconds(4)), Data, Stall]);
    assert!(!body.is_end_stream());
    timer.run(async {
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_ok());
        let error = timed_out(&body.frame().await.unwrap().unwrap_err());
        assert_eq!(
            (error.bound(), error.phase()),
            (Bound::BodyIdle, Phase::Body)
        );
        assert_eq!((error.after(), error.limit()), (seconds(5), seconds(5)));
        assert_eq!(
            error.to_string(),
            "the body idle timeout of 5s was over after 5s of waiting for the response's body"
        );
        assert_eq!(
            held(&tracked),
            0,
            "D3: the transport was let go while the body still lives"
        );
        assert_eq!(timer.sleepers(), 0);
        assert!(body.frame().await.is_none(), "the error comes once");
    });
    assert!(body.is_end_stream() && body.size_hint().exact() == Some(0));
    assert!(body.get_ref().is_none());
    assert_eq!(context.failure(), Some(Failure::TimedOut));
}

#[test]
fn a_slow_body_that_lives_is_not_idle() {
    let timer = ManualTimer::new();
    let start = timer.now();
    let script = (0..100).flat_map(|_| [Wait(seconds(4)), Data]);
    let (body, _) = idle(&timer, &Tracked::default(), script);
    let (read, error) = timer.run(read(body));
    assert!(error.is_none() && read.len() == 100);
    assert_eq!(timer.now() - start, seconds(400));
    assert_eq!(timer.sleepers(), 0);
}

#[test]
fn a_frame_at_the_very_moment_is_delivered() {
    let timer = ManualTimer::new();
    let (body, _) = idle(&timer, &Tracked::default(), [Wait(seconds(5)), Data]);
    assert_eq!(timer.run(read(body)).0, "d");
}

#[test]
fn time_in_which_the_owner_does_not_wait_does_not_count() {
    let timer = ManualTimer::new();
    let (mut body, _) = idle(
        &timer,
        &Tracked::default(),
        [Data, Data, Wait(seconds(4)), Data, Stall],
    );
    timer.run(async {
        for _ in 0..2 {
            assert!(body.frame().await.unwrap().is_ok());
            SleepUntil::new(timer.clone(), timer.now() + seconds(3600)).await;
        }
        assert!(body.frame().await.unwrap().is_ok());
        SleepUntil::new(timer.clone(), timer.now() + seconds(3600)).await;
        let error = timed_out(&body.frame().await.unwrap().unwrap_err());
        assert_eq!(
            error.after(),
            seconds(5),
            "from the first poll that found nothing"
        );
    });
}

#[test]
fn a_request_can_have_its_own_idle_timeout() {
    let timer = ManualTimer::new();
    for (own, outcome) in [(seconds(50), "d"), (Duration::MAX, "d"), (seconds(1), "e")] {
        let server = service_fn(|_: Request<()>| {
            let body = Scripted::new(&timer, &Tracked::default(), [Wait(seconds(40)), Data]);
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let mut request = Request::new(());
        request.extensions_mut().insert(BodyIdleTimeout(own));
        let response = timer
            .run(
                TimeoutLayer::new(timer.clone())
                    .layer(server)
                    .oneshot(request),
            )
            .unwrap();
        assert_eq!(
            timer.run(read(Box::pin(response.into_body()))).0,
            outcome,
            "{own:?}"
        );
    }
}

/// D2: nothing is ever waited for here, and it ends in time all the same.
#[test]
fn a_body_that_always_has_something_ends_at_the_deadline() {
    let timer = ManualTimer::new();
    let tracked = Tracked::default();
    let mut body = bounded(&timer, Scripted::new(&timer, &tracked, [Data; 100]));
    timer.run(async {
        for _ in 0..10 {
            assert!(body.frame().await.unwrap().is_ok());
            timer.advance(seconds(1));
        }
        assert!(
            body.frame().await.unwrap().is_ok(),
            "what is there when the time is over is delivered"
        );
        let error = timed_out(&body.frame().await.unwrap().unwrap_err());
        assert_eq!(
            (error.bound(), error.phase()),
            (Bound::Deadline, Phase::Body)
        );
        assert_eq!(held(&tracked), 0);
        assert!(body.frame().await.is_none());
    });
}

/// D2: the last frames are there when the time is over, and so is the end.
#[test]
fn the_end_of_a_body_is_not_lost_at_the_deadline() {
    let timer = ManualTimer::new();
    let tracked = Tracked::default();
    for (script, expected) in [
        (vec![Wait(seconds(10)), Data], "d"),
        (vec![Wait(seconds(10)), Data, Trailers], "dt"),
        (vec![Data, Wait(seconds(10)), Trailers], "dt"),
        (vec![Data, Wait(seconds(10))], "d"),
        (vec![Wait(seconds(10)), Data, Data], "de"),
        (vec![Wait(seconds(10)), Data, Stall], "de"),
    ] {
        let label = format!("{script:?}");
        let body = bounded(&timer, Scripted::new(&timer, &tracked, script));
        assert_eq!(timer.run(read(body)).0, expected, "{label}");
        assert_eq!(timer.sleepers(), 0);
    }
    let body = bounded(&timer, Full::<Bytes>::from("all of it"));
    timer.advance(seconds(60));
    assert_eq!(
        timer.run(read(body)).0,
        "d",
        "a body whose only frame is its end"
    );
}

#[test]
fn frames_trailers_size_and_errors_are_the_inner_bodys() {
    let timer = ManualTimer::new();
    let (body, context) = idle(
        &timer,
        &Tracked::default(),
        [Data, Wait(seconds(1)), Data, Trailers],
    );
    assert_eq!(body.size_hint().exact(), Some(42));
    assert!(body.get_ref().is_some());
    assert_eq!(timer.run(read(body)).0, "ddt");
    let (body, _) = idle(&timer, &Tracked::default(), [Data, Error]);
    let (read, error) = timer.run(read(body));
    assert_eq!(read, "de");
    assert_eq!(error.unwrap().to_string(), "reset by peer");
    assert_eq!(context.failure(), None);
}

/// D3, for every moment at which a body can be dropped.
#[test]
fn a_dropped_body_leaves_no_timer_and_no_transport() {
    let script = [Data, Wait(seconds(1)), Data, Wait(seconds(4)), Trailers];
    for polls in 0..9 {
        let timer = ManualTimer::new();
        let tracked = Tracked::default();
        let (body, _) = idle(&timer, &tracked, script);
        let mut body = tokio_test::task::spawn(body);
        for _ in 0..polls {
            let _ = body.enter(|cx, mut body| body.as_mut().as_mut().poll_frame(cx));
            timer.advance(seconds(1));
        }
        drop(body);
        assert_eq!(
            (timer.sleepers(), held(&tracked)),
            (0, 0),
            "after {polls} polls"
        );
    }
}

/// A drop that reads what is there polls like this, perhaps outside of any runtime, where tokio's timer cannot be made.
#[test]
fn a_look_by_which_nobody_can_be_woken_arms_no_timer() {
    let timer = ManualTimer::new();
    let (mut body, _) = idle(&timer, &Tracked::default(), [Stall]);
    let mut nobody = std::task::Context::from_waker(egress_body_end::looking());
    assert!(body.as_mut().poll_frame(&mut nobody).is_pending());
    assert_eq!(timer.sleepers(), 0);
    let (_, error) = timer.run(read(body));
    assert_eq!(
        timed_out(&error.unwrap()).bound(),
        Bound::BodyIdle,
        "one who waits is told"
    );
}

#[test]
fn a_body_that_was_read_holds_no_timer_while_it_is_kept() {
    let timer = ManualTimer::new();
    let (mut body, _) = idle(&timer, &Tracked::default(), [Wait(seconds(1)), Data]);
    timer.run(async {
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.is_none());
    });
    assert_eq!(timer.sleepers(), 0);
    assert!(body.get_ref().is_some(), "and is still the inner one");
}

#[test]
fn one_timer_serves_a_whole_idle_period() {
    let timer = ManualTimer::new();
    let script = (0..40).flat_map(|_| [Wait(Duration::from_millis(100)), Data]);
    let (body, _) = idle(&timer, &Tracked::default(), script);
    timer.run(read(body));
    let ours = timer
        .requested()
        .into_iter()
        .filter(|asked| *asked > seconds(1))
        .count();
    assert_eq!(ours, 1, "40 waits within 4 s");
}

/// B2: what is left of a rejected response may be drained while another attempt goes on.
#[test]
fn a_body_of_an_old_attempt_says_nothing_of_the_present_one() {
    for (again, failure) in [(true, None), (false, Some(Failure::TimedOut))] {
        let (timer, tracked) = (ManualTimer::new(), Tracked::default());
        let (mut body, context) = idle(&timer, &tracked, [Stall]);
        if again {
            context.begin_attempt();
        }
        timer
            .run(body.frame())
            .expect("it has not ended")
            .unwrap_err();
        assert_eq!(context.failure(), failure);
    }
}
