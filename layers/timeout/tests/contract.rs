//! What every layer of the stack promises to those around it.
#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not know these for tests on wasm"
    )
)]

mod probe;

use self::probe::{Permits, seconds};
use bytes::Bytes;
use egress_time::{Instant, ManualTimer};
use egress_timeout::{
    Deadline, DeadlineLayer, RequestTimeout, ResponseBody, Timeout, TimeoutLayer,
};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use std::{
    convert::Infallible,
    future,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn both(
    timer: &ManualTimer,
    permits: Permits,
) -> Deadline<Timeout<Permits, ManualTimer>, ManualTimer> {
    ServiceBuilder::new()
        .layer(DeadlineLayer::new(timer.clone()).with_total(seconds(9)))
        .layer(TimeoutLayer::new(timer.clone()))
        .service(permits)
}

fn poll_ready(
    service: &mut impl Service<Request<()>, Error = egress_timeout::BoxError>,
) -> Poll<Result<(), String>> {
    let mut cx = Context::from_waker(Waker::noop());
    service
        .poll_ready(&mut cx)
        .map_err(|error| error.to_string())
}

#[test]
fn readiness_is_the_inner_services_and_is_taken_once() {
    let permits = Permits::new();
    let taken = permits.taken();
    let mut service = both(&ManualTimer::new(), permits);
    for _ in 0..3 {
        assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
        assert_eq!(*taken.borrow(), 1, "repeated polls take one permit");
    }
    let clone = service.clone();
    assert_eq!(*taken.borrow(), 1, "a clone is not ready");
    drop(service);
    assert_eq!(*taken.borrow(), 0, "dropped while ready, it gives back");
    drop(clone);
}

#[test]
fn an_error_of_the_inner_service_gives_back_and_comes_through() {
    let permits = Permits::new();
    let taken = permits.taken();
    let mut service = both(&ManualTimer::new(), permits);
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
    service.get_mut().get_mut().error = Some("connection refused");
    assert_eq!(
        poll_ready(&mut service),
        Poll::Ready(Err("connection refused".into()))
    );
    assert_eq!(*taken.borrow(), 0);
}

#[test]
fn a_call_that_comes_too_late_gives_its_readiness_back() {
    let timer = ManualTimer::new();
    let permits = Permits::new();
    let taken = permits.taken();
    let mut service = both(&timer, permits);
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
    let mut request = Request::new(());
    request.extensions_mut().insert(RequestTimeout(seconds(0)));
    let response = service.call(request);
    assert_eq!(*taken.borrow(), 0);
    assert!(timer.run(response).is_err());
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "called without readiness")]
fn an_unready_call_panics_as_the_inner_service_does() {
    drop(both(&ManualTimer::new(), Permits::new()).call(Request::new(())));
}

#[test]
fn the_readied_service_is_the_one_that_is_called() {
    let timer = ManualTimer::new();
    let response = timer.run(both(&timer, Permits::new()).oneshot(Request::new(())));
    assert!(response.is_ok());
}

#[test]
fn each_works_alone_in_a_plain_service_builder() {
    async fn echo(request: Request<&'static str>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new(Full::from(*request.body())))
    }
    let timer = ManualTimer::new();
    let attempt = ServiceBuilder::new()
        .layer(TimeoutLayer::new(timer.clone()))
        .service_fn(echo);
    let total = ServiceBuilder::new()
        .layer(DeadlineLayer::new(timer.clone()).with_total(seconds(1)))
        .service_fn(echo);
    timer.run(async {
        for body in [
            attempt
                .oneshot(Request::new("hello"))
                .await
                .unwrap()
                .into_body(),
            total
                .oneshot(Request::new("hello"))
                .await
                .unwrap()
                .into_body(),
        ] {
            assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
        }
    });
}

#[test]
fn a_service_that_cannot_be_sent_works() {
    let timer = ManualTimer::new();
    let local = Rc::new("not Send");
    let inner = service_fn(|_: Request<()>| {
        let local = Rc::clone(&local);
        async move { Ok::<_, Infallible>(Response::new(Full::new(local.as_bytes()))) }
    });
    let service = DeadlineLayer::new(timer.clone())
        .with_total(seconds(1))
        .layer(Timeout::new(inner, timer.clone()));
    let body = timer.run(async {
        service
            .oneshot(Request::new(()))
            .await
            .unwrap()
            .into_body()
            .collect()
            .await
    });
    assert_eq!(body.unwrap().to_bytes(), "not Send");
}

#[test]
fn what_can_be_sent_stays_so() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let timer = ManualTimer::new();
    let inner = service_fn(|_: Request<()>| {
        future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    let service = assert_send(
        ServiceBuilder::new()
            .layer(DeadlineLayer::new(timer.clone()).with_total(seconds(1)))
            .layer(TimeoutLayer::new(timer.clone()))
            .service(inner),
    );
    let response = timer
        .run(assert_send(service.oneshot(Request::new(()))))
        .unwrap();
    let _: ResponseBody<ResponseBody<Empty<Bytes>, _>, _> = assert_send(response.into_body());
}

#[test]
fn the_documented_defaults_hold() {
    let attempt = TimeoutLayer::new(ManualTimer::new());
    assert_eq!(attempt.timeout(), seconds(30));
    assert!(!attempt.covers_body());
    assert_eq!(attempt.body_idle(), seconds(30));
    assert_eq!(DeadlineLayer::new(ManualTimer::new()).total(), None);
}

#[test]
fn no_bound_needs_no_timer() {
    let timer = ManualTimer::new();
    let server = service_fn(|_: Request<()>| {
        future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let service = TimeoutLayer::new(timer.clone())
        .with_timeout(Duration::MAX)
        .layer(server);
    let response = timer.run_until(service.oneshot(Request::new(())), Instant::FAR_FUTURE);
    assert!(response.is_none(), "it waits for ever");
    assert!(timer.requested().is_empty());
}
