//! What every layer of the stack promises to those around it.
#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not know these for tests on wasm"
    )
)]

use bytes::Bytes;
use egress_time::{Clock, ManualTimer};
use egress_timing::{Outcome, Phase, Recorder, ResponseBody, Timing, TimingLayer};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Empty, Full};
use std::{
    cell::Cell,
    convert::Infallible,
    future,
    rc::Rc,
    task::{Context, Poll, Waker},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A service with one permit for each unit of its readiness. Calling it without one panics; a clone has none.
#[derive(Default)]
struct Permits {
    taken: Rc<Cell<u32>>,
    ready: bool,
    broken: bool,
}

impl Permits {
    fn give_back(&mut self) {
        if std::mem::take(&mut self.ready) {
            self.taken.set(self.taken.get() - 1);
        }
    }
}

impl Clone for Permits {
    fn clone(&self) -> Self {
        Self {
            taken: Rc::clone(&self.taken),
            ..Self::default()
        }
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Service<Request<()>> for Permits {
    type Response = Response<Empty<Bytes>>;
    type Error = &'static str;
    type Future = future::Ready<Result<Self::Response, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if self.broken {
            self.give_back();
            return Poll::Ready(Err("connection refused"));
        }
        if !std::mem::replace(&mut self.ready, true) {
            self.taken.set(self.taken.get() + 1);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.ready, "called without readiness");
        self.give_back();
        future::ready(Ok(Response::new(Empty::new())))
    }
}

fn timing() -> (
    Timing<Permits, ManualTimer>,
    Rc<Cell<u32>>,
    Recorder,
    ManualTimer,
) {
    let (timer, recorder, permits) = (
        ManualTimer::new(),
        Recorder::unlabelled(),
        Permits::default(),
    );
    let taken = Rc::clone(&permits.taken);
    let service = Timing::new(permits, timer.clone(), recorder.clone());
    (service, taken, recorder, timer)
}

fn poll_ready(service: &mut Timing<Permits, ManualTimer>) -> Poll<Result<(), &'static str>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn readiness_is_the_inner_services_and_is_taken_once() {
    let (mut service, taken, recorder, timer) = timing();
    for _ in 0..3 {
        assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
        assert_eq!(taken.get(), 1, "repeated polls take one permit");
    }
    let clone = service.clone();
    assert_eq!(taken.get(), 1, "a clone is not ready");
    drop(service);
    assert_eq!(taken.get(), 0, "dropped while ready, it gives back");
    drop(clone);
    let requests = recorder
        .snapshot(timer.now())
        .overall()
        .lifetime()
        .requests();
    assert_eq!(requests, 0, "readiness is no request");
}

#[test]
fn an_error_of_the_inner_service_gives_back_and_comes_through() {
    let (mut service, taken, ..) = timing();
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
    service.get_mut().broken = true;
    assert_eq!(
        poll_ready(&mut service),
        Poll::Ready(Err("connection refused"))
    );
    assert_eq!(taken.get(), 0);
}

#[test]
fn the_readied_service_is_the_one_that_is_called() {
    let (service, _, _, timer) = timing();
    assert!(timer.run(service.oneshot(Request::new(()))).is_ok());
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "called without readiness")]
fn an_unready_call_panics_as_the_inner_service_does() {
    let (mut service, ..) = timing();
    drop(service.call(Request::new(())));
}

#[test]
fn it_works_alone_in_a_plain_service_builder() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::new(["one"]));
    let label = |method: &Method, _: &Uri| (*method == Method::GET).then_some(0);
    let service = ServiceBuilder::new()
        .layer(TimingLayer::new(timer.clone(), recorder.clone()).with_label(label))
        .service_fn(|request: Request<&'static str>| async move {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(*request.body())))
        });
    let body = timer.run(async {
        let response = service.oneshot(Request::new("hello")).await.unwrap();
        response.collect().await.unwrap().to_bytes()
    });
    assert_eq!(body, "hello");
    let snapshot = recorder.snapshot(timer.now());
    assert_eq!(
        snapshot.label("one").unwrap().minute().outcome(Outcome::Ok),
        1
    );
}

#[test]
fn a_service_that_cannot_be_sent_works() {
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    let local = Rc::new("not Send");
    let inner = service_fn(|_: Request<()>| {
        let local = Rc::clone(&local);
        async move { Ok::<_, Infallible>(Response::new(Full::new(local.as_bytes()))) }
    });
    let service = Timing::new(inner, timer.clone(), recorder);
    let body = timer.run(async {
        service
            .oneshot(Request::new(()))
            .await
            .unwrap()
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
    fn assert_shared<T: Send + Sync + Clone>(_: &T) {}
    let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
    assert_shared(&recorder);
    let inner = service_fn(|_: Request<()>| {
        future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    let service = assert_send(TimingLayer::new(timer.clone(), recorder).layer(inner));
    let response = timer
        .run(assert_send(service.oneshot(Request::new(()))))
        .unwrap();
    let _: ResponseBody<Empty<Bytes>, _> = assert_send(response.into_body());
}

/// The defaults: all requests are counted together.
#[test]
fn the_documented_defaults_hold() {
    let (service, _, recorder, timer) = timing();
    timer.run(service.oneshot(Request::new(()))).unwrap();
    let snapshot = recorder.snapshot(timer.now());
    assert_eq!(snapshot.labels().count(), 0);
    assert_eq!(snapshot.unlabelled().lifetime().requests(), 1);
}

#[test]
fn names_are_as_metrics_write_them() {
    let outcomes: Vec<_> = Outcome::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(
        outcomes,
        [
            "ok",
            "http_error",
            "refused",
            "timed_out",
            "cancelled",
            "failed"
        ]
    );
    let phases: Vec<_> = Phase::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(
        phases,
        ["rate_wait", "queue_wait", "headers", "body", "total"]
    );
}
