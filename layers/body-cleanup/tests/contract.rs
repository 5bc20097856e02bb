//! What every layer promises: readiness is given back, clones inherit nothing, `Send` follows.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use bytes::Bytes;
use egress_body_cleanup::{
    BodyCleanup, BodyCleanupLayer, Capture, Drain, Executor, ResponseBody, ResponseFuture, Task,
};
use egress_time::ManualTimer;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::{
    cell::Cell,
    future::{Ready, poll_fn, ready},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use support::{LocalExecutor, Script, Step::*, respond};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// One seat, reserved in `poll_ready`; it may be broken.
struct Seat {
    free: Rc<Cell<bool>>,
    broken: Rc<Cell<bool>>,
    reserved: bool,
}

impl Seat {
    fn new() -> Self {
        Self {
            free: Rc::new(Cell::new(true)),
            broken: Rc::default(),
            reserved: false,
        }
    }
}

impl Clone for Seat {
    fn clone(&self) -> Self {
        Self {
            free: Rc::clone(&self.free),
            broken: Rc::clone(&self.broken),
            reserved: false,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.reserved {
            self.free.set(true);
        }
    }
}

impl Service<Request<()>> for Seat {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if self.broken.get() {
            return Poll::Ready(Err("broken"));
        }
        if !self.reserved && !self.free.replace(false) {
            return Poll::Pending;
        }
        self.reserved = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.reserved, "call without poll_ready");
        self.reserved = false;
        self.free.set(true);
        ready(if self.broken.get() {
            Err("broken")
        } else {
            Ok(Response::new(Full::from("body")))
        })
    }
}

type Service_ = BodyCleanup<Seat, Full<Bytes>, ManualTimer>;

fn poll_ready(service: &mut Service_) -> Poll<Result<(), &'static str>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_clone_is_not_ready() {
    let timer = ManualTimer::new();
    let mut service = BodyCleanup::new(Seat::new(), timer.clone());
    assert!(poll_ready(&mut service).is_ready());
    let mut clone = service.clone();
    assert!(poll_ready(&mut clone).is_pending());
    assert!(!clone.clone().get_ref().reserved);
    assert!(poll_ready(&mut service).is_ready(), "the first still is");
    assert!(format!("{:?}", service.stats()).contains("Stats"));
}

#[test]
fn ready_and_then_dropped_gives_back() {
    let timer = ManualTimer::new();
    let mut service = BodyCleanup::new(Seat::new(), timer.clone());
    let mut waiter = service.clone();
    assert!(poll_ready(&mut service).is_ready());
    assert!(poll_ready(&mut waiter).is_pending());
    assert_eq!(
        timer.sleepers(),
        1,
        "it looks after idle bodies while it waits"
    );
    drop(service);
    assert!(poll_ready(&mut waiter).is_ready());
    assert_eq!(timer.sleepers(), 0);
}

#[test]
fn a_waiter_that_is_dropped_leaves_no_timer() {
    let timer = ManualTimer::new();
    let mut service = BodyCleanup::new(Seat::new(), timer.clone());
    let mut waiter = service.clone();
    assert!(poll_ready(&mut service).is_ready());
    assert!(poll_ready(&mut waiter).is_pending());
    let clone = waiter.clone();
    drop(waiter);
    assert_eq!(timer.sleepers(), 0);
    drop(clone);
}

#[test]
fn asking_again_changes_nothing() {
    let timer = ManualTimer::new();
    let mut service = BodyCleanup::new(Seat::new(), timer.clone());
    let mut waiter = service.clone();
    for _ in 0..3 {
        assert!(poll_ready(&mut service).is_ready());
        assert!(poll_ready(&mut waiter).is_pending());
        assert_eq!(timer.sleepers(), 1);
    }
    assert_eq!(timer.requested().len(), 1);
}

#[test]
fn an_error_of_the_inner_service_passes_and_leaves_nothing_behind() {
    let timer = ManualTimer::new();
    let mut service = BodyCleanup::new(Seat::new(), timer.clone());
    let mut waiter = service.clone();
    assert!(poll_ready(&mut service).is_ready());
    assert!(poll_ready(&mut waiter).is_pending());
    service.get_ref().broken.set(true);
    assert_eq!(poll_ready(&mut waiter), Poll::Ready(Err("broken")));
    assert_eq!(timer.sleepers(), 0);
    let error = timer.run(service.call(Request::new(())));
    assert_eq!(error.err(), Some("broken"));
    let counts = service.stats().counts();
    assert_eq!((counts.live, counts.cancelled), (0, 0), "there was no body");
    assert!(service.into_inner().free.get());
}

#[test]
#[cfg(not(target_arch = "wasm32"))]
#[should_panic(expected = "call without poll_ready")]
fn calling_it_unready_panics_as_the_inner_service_does() {
    let mut service: Service_ = BodyCleanup::new(Seat::new(), ManualTimer::new());
    drop(service.call(Request::new(())));
}

#[test]
#[cfg(not(target_arch = "wasm32"))]
#[should_panic(expected = "polled after it was ready")]
fn a_future_is_not_polled_again() {
    let timer = ManualTimer::new();
    let mut service = BodyCleanup::new(Seat::new(), timer.clone());
    assert!(poll_ready(&mut service).is_ready());
    let mut future = Box::pin(service.call(Request::new(())));
    assert!(timer.run(future.as_mut()).is_ok());
    let _ = timer.run(future.as_mut());
}

#[test]
fn it_works_alone_in_a_plain_service_builder() {
    let timer = ManualTimer::new();
    let service = ServiceBuilder::new()
        .layer(BodyCleanupLayer::new(timer.clone()))
        .service(service_fn(|request: Request<&'static str>| async move {
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(*request.body())))
        }));
    let body = timer.run(async {
        let response = service.oneshot(Request::new("echo")).await?;
        response
            .into_body()
            .collect()
            .await
            .map(|body| body.to_bytes())
    });
    assert_eq!(body.unwrap(), "echo");
}

#[test]
fn it_stacks_twice_and_counts_twice() {
    let timer = ManualTimer::new();
    let (outer, inner) = (
        BodyCleanupLayer::new(timer.clone()),
        BodyCleanupLayer::new(timer.clone()),
    );
    let (outer_stats, inner_stats) = (outer.stats(), inner.stats());
    let service = ServiceBuilder::new()
        .layer(outer)
        .layer(inner)
        .service(service_fn(|_: Request<()>| async {
            let mut response = Response::new(Full::<Bytes>::from("gone"));
            *response.status_mut() = StatusCode::GONE;
            Ok::<_, BoxError>(response)
        }));
    let response = timer.run(service.oneshot(Request::new(()))).unwrap();
    let text = timer
        .run(response.into_body().collect())
        .unwrap()
        .to_bytes();
    assert_eq!(text, "gone");
    for stats in [outer_stats, inner_stats] {
        assert_eq!((stats.counts().captured, stats.counts().ended), (1, 1));
    }
}

fn is_send<T: Send>() {}

/// A `Send` stack stays `Send`: if its parts are, so are the service, its future, its body and its tasks.
#[test]
fn send_follows() {
    #[derive(Clone)]
    struct Spawns;
    impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawns {
        fn execute(&self, future: F) {
            drop(future);
        }
    }
    type Inner = tower::util::BoxCloneService<Request<()>, Response<Full<Bytes>>, BoxError>;
    type Reply = Ready<Result<Response<Full<Bytes>>, BoxError>>;
    is_send::<BodyCleanupLayer<Full<Bytes>, ManualTimer, Spawns>>();
    is_send::<BodyCleanup<Inner, Full<Bytes>, ManualTimer, Spawns>>();
    is_send::<ResponseFuture<Reply, Full<Bytes>, ManualTimer, Spawns>>();
    is_send::<ResponseBody<Full<Bytes>, ManualTimer, Spawns>>();
    is_send::<Task<Full<Bytes>, ManualTimer>>();
}

/// Neither the service nor its bodies nor the executor need to be `Send`, nor need bodies be movable once
/// polled.
#[test]
fn what_is_not_send_compiles_and_runs() {
    let timer = ManualTimer::new();
    let executor = LocalExecutor::default();
    let layer = BodyCleanupLayer::new(timer.clone()).with_executor(executor.clone());
    let text = Rc::new(Cell::new("rc"));
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        let (text, timer) = (Rc::clone(&text), timer.clone());
        async move {
            let body = Script::new(&timer, [Data(text.get()), Wait]).holding(text);
            Ok::<_, BoxError>(Response::new(body))
        }
    }));
    timer.run(poll_fn(|cx| service.poll_ready(cx))).unwrap();
    drop(timer.run(service.call(Request::new(()))).unwrap());
    executor.run(&timer);
    assert_eq!(layer.stats().counts().drained, 1);
}

/// Everything is borrowed from the test's stack: nothing needs to be `'static`.
#[test]
fn what_is_borrowed_compiles_and_runs() {
    let timer = ManualTimer::new();
    let owned = String::from("borrowed");
    let layer = BodyCleanupLayer::new(timer.clone());
    let stats = layer.stats();
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, BoxError>(Response::new(Borrowing(Some(&owned)))))
    }));
    let body = timer
        .run(service.call(Request::new(())))
        .unwrap()
        .into_body();
    let text = timer.run(body.collect()).unwrap().to_bytes();
    assert_eq!(text, owned);
    assert_eq!(stats.counts().ended, 1);
}

struct Borrowing<'a>(Option<&'a str>);

impl http_body::Body for Borrowing<'_> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        let text = self.0.take();
        Poll::Ready(text.map(|text| Ok(http_body::Frame::data(Bytes::from(text.to_owned())))))
    }
}

/// # Defaults, as they are documented.
#[test]
fn the_defaults_are_those_of_the_documentation() {
    let layer = BodyCleanupLayer::<Script, _>::new(ManualTimer::new());
    assert_eq!(layer.idle_timeout(), Some(Duration::from_secs(20)));
    let drain = layer.drain();
    assert_eq!(drain, Drain::default());
    assert_eq!(drain.max_bytes(), 64 * 1024);
    assert_eq!(drain.background_bytes(), 256 * 1024);
    assert_eq!(drain.background_time(), Duration::from_secs(1));
    let capture = layer.capture();
    assert_eq!(capture.max_bytes(), 8 * 1024);
    assert_eq!(capture.max_time(), Duration::from_secs(1));
    for status in 100..=999_u16 {
        let status = StatusCode::from_u16(status).unwrap();
        let is_error = (400..600).contains(&status.as_u16());
        assert_eq!(capture.applies_to(status), is_error, "{status}");
        assert!(!Capture::NEVER.applies_to(status));
    }
    assert_eq!(Capture::default().max_bytes(), capture.max_bytes());
    let debug = format!("{layer:?}");
    assert!(debug.contains("has_executor: false"), "{debug}");
}

/// Nothing that a program logs contains what a server or a caller has sent.
#[test]
fn what_is_printed_has_no_secrets() {
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone());
    let body = Script::new(&timer, [Data("password")]);
    let response = respond(&timer, &layer, StatusCode::OK, body);
    assert_eq!(format!("{:?}", response.body()), "ResponseBody(live)");
    let body = Script::new(&timer, [Data("password")]);
    let response = respond(&timer, &layer, StatusCode::UNAUTHORIZED, body);
    assert_eq!(format!("{:?}", response.body()), "ResponseBody(captured)");
}
