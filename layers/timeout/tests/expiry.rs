//! What is given up is let go before its owner hears of it.

mod probe;

use self::probe::{Tracked, answer, held, seconds};
use bytes::Bytes;
use egress_time::ManualTimer;
use egress_timeout::{DeadlineLayer, TimeoutLayer};
use http::Request;
use http_body_util::Empty;
use std::rc::Rc;
use tower::{Layer, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// D3: a finished future may be kept for long; what it held may not.
#[test]
fn the_inner_future_is_dropped_before_the_error_is_returned() {
    let timer = ManualTimer::new();
    let permit = Tracked::default();
    let server = service_fn(|_: Request<()>| {
        answer(
            timer.clone(),
            seconds(60),
            Empty::<Bytes>::new(),
            Rc::clone(&permit),
        )
    });

    let attempt = TimeoutLayer::new(timer.clone()).layer(server);
    let mut response = Box::pin(attempt.oneshot(Request::new(())));
    assert!(timer.run(response.as_mut()).is_err());
    assert_eq!(
        (held(&permit), timer.sleepers()),
        (0, 0),
        "the future is still there"
    );

    let total = DeadlineLayer::new(timer.clone())
        .with_total(seconds(9))
        .layer(server);
    let mut response = Box::pin(total.oneshot(Request::new(())));
    assert!(timer.run(response.as_mut()).is_err());
    assert_eq!((held(&permit), timer.sleepers()), (0, 0));
}

/// D3: the same for a future that is done because the response came.
#[test]
fn a_finished_future_holds_nothing() {
    let timer = ManualTimer::new();
    let permit = Tracked::default();
    let server = service_fn(|_: Request<()>| {
        answer(
            timer.clone(),
            seconds(1),
            Empty::<Bytes>::new(),
            Rc::clone(&permit),
        )
    });
    let mut response = Box::pin(
        TimeoutLayer::new(timer.clone())
            .layer(server)
            .oneshot(Request::new(())),
    );
    assert!(timer.run(response.as_mut()).is_ok());
    assert_eq!((held(&permit), timer.sleepers()), (0, 0));
}
