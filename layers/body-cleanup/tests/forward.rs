//! K4: whoever reads the body sees what the inner body has.

mod support;

use egress_body_cleanup::BodyCleanupLayer;
use egress_time::ManualTimer;
use http::StatusCode;
use http_body::Body;
use std::task::Poll;
use support::{ConnectionReset, LocalExecutor, SECOND, Script, Step, Step::*, poll, respond};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What a poll gave, and size and end before it.
type Seen = (Option<u64>, u64, bool, String);

fn see<B: Body<Data = bytes::Bytes> + Unpin>(body: &mut B) -> Seen {
    let (hint, is_end) = (body.size_hint(), body.is_end_stream());
    let frame = match poll(body) {
        Poll::Pending => "pending".into(),
        Poll::Ready(None) => "end".into(),
        Poll::Ready(Some(Err(_))) => "error".into(),
        Poll::Ready(Some(Ok(frame))) => format!("{frame:?}"),
    };
    (hint.upper(), hint.lower(), is_end, frame)
}

/// K4
#[test]
fn frames_trailers_size_and_end_are_the_inner_bodys() {
    let scripts: [&[Step]; 5] = [
        &[],
        &[Data("one"), Wait, Data(""), Data("two")],
        &[Data("one"), Trailers],
        &[Wait, Error],
        &[Data("one"), Error],
    ];
    let timer = ManualTimer::new();
    let new = || BodyCleanupLayer::new(timer.clone());
    let executor = LocalExecutor::default();
    for steps in scripts {
        for knows in [false, true] {
            for sized in [false, true] {
                let script = || {
                    let mut body = Script::new(&timer, steps.iter().copied());
                    if !knows {
                        body = body.unaware_of_its_end();
                    }
                    if sized { body.sized() } else { body }
                };
                let expected = {
                    let mut body = Box::pin(script());
                    see_until_the_end(&mut body)
                };
                let parked = respond(&timer, &new(), StatusCode::OK, script());
                // What has nothing is asked a second time, and `Wait` has something then.
                let not_pending = expected.iter().filter(|seen| seen.3 != "pending");
                assert_eq!(
                    see_until_the_end(&mut Box::pin(parked.into_body())),
                    not_pending.cloned().collect::<Vec<_>>()
                );
                let layer = new().with_idle_timeout(None);
                let inline = respond(&timer, &layer, StatusCode::OK, script());
                assert_eq!(
                    see_until_the_end(&mut Box::pin(inline.into_body())),
                    expected
                );
                let layer = new()
                    .with_idle_timeout(None)
                    .with_executor(executor.clone());
                let movable = respond(&timer, &layer, StatusCode::OK, script());
                assert_eq!(
                    see_until_the_end(&mut Box::pin(movable.into_body())),
                    expected
                );
            }
        }
    }
}

/// Up to the end or the error: what comes after is no longer the body.
fn see_until_the_end<B: Body<Data = bytes::Bytes> + Unpin>(body: &mut B) -> Vec<Seen> {
    let mut seen = Vec::new();
    while !body.is_end_stream() {
        seen.push(see(body));
        let last = &seen[seen.len() - 1].3;
        if last == "end" || last == "error" || last.contains("Trailers") {
            break;
        }
    }
    seen
}

/// K4
#[test]
fn an_error_is_the_inner_bodys_own() {
    let timer = ManualTimer::new();
    for idle_timeout in [None, Some(SECOND)] {
        let layer = BodyCleanupLayer::new(timer.clone()).with_idle_timeout(idle_timeout);
        let body = Script::new(&timer, [Error]);
        let mut body = Box::pin(respond(&timer, &layer, StatusCode::OK, body).into_body());
        let Poll::Ready(Some(Err(error))) = poll(&mut body) else {
            panic!("the body has nothing but an error");
        };
        assert_eq!(error.downcast_ref(), Some(&ConnectionReset));
    }
}
