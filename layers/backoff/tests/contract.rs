//! What every layer of the stack promises of readiness, and of who may be inside it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use bytes::Bytes;
use egress_backoff::{BackoffLayer, ReplayBody};
use egress_context::{Failure, RequestContext};
use egress_time::ManualTimer;
use http::{Request, Response};
use http_body_util::Full;
use std::{
    convert::Infallible,
    future::Ready,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use support::{SECOND, Scripted, Server, backoff, get, request, reset, status};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn it_is_always_ready_and_asks_the_inner_service_for_each_attempt() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(503), status(503), status(200)]);
    let mut client = backoff(&server, &timer);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        let ready = Service::<Request<Scripted>>::poll_ready(&mut client, &mut cx);
        assert!(ready.is_ready());
    }
    assert_eq!(server.readied(), 0, "readiness is not taken in advance");
    // The server panics when a clone that is not ready is called.
    let response = timer.run(client.call(get())).unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(server.readied(), 3, "once per attempt");
}

#[test]
fn ready_then_dropped_takes_nothing() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(200)]);
    let mut client = backoff(&server, &timer);
    let mut cx = Context::from_waker(Waker::noop());
    let ready = Service::<Request<Scripted>>::poll_ready(&mut client, &mut cx);
    assert!(ready.is_ready());
    drop(client.call(get()));
    drop(client);
    assert_eq!(server.requests() + server.readied(), 0);
}

#[test]
fn an_inner_readiness_error_is_returned_and_not_retried() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(200)]);
    server.broken.set(true);
    let mut request = get();
    let context = RequestContext::join(request.extensions_mut());
    let error = timer
        .run(backoff(&server, &timer).oneshot(request))
        .unwrap_err();
    assert_eq!(error.to_string(), "the connector is gone");
    assert_eq!(
        context.failure(),
        Some(Failure::Refused),
        "nothing was sent"
    );
    assert!(timer.requested().is_empty());
}

#[test]
fn an_error_without_retries_is_returned_as_it_is() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [reset()]);
    let error = timer
        .run(backoff(&server, &timer).oneshot(request("POST")))
        .unwrap_err();
    let kind = error
        .downcast_ref::<std::io::Error>()
        .map(std::io::Error::kind);
    assert_eq!(kind, Some(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn the_wait_for_readiness_is_counted_for_each_attempt() {
    let timer = ManualTimer::new();
    let mut server = Server::new(&timer, [status(503).header("retry-after", 5), status(200)]);
    server.slow_ready = Some(2 * SECOND);
    let mut request = get();
    let context = RequestContext::join(request.extensions_mut());
    timer
        .run(backoff(&server, &timer).oneshot(request))
        .unwrap();
    assert_eq!(context.queue_wait(), 4 * SECOND, "the sleep is no queue");
    assert_eq!(context.attempts(), 2);
}

#[test]
fn it_works_alone_in_a_service_builder() {
    let timer = ManualTimer::new();
    let client = ServiceBuilder::new()
        .layer(BackoffLayer::new(timer.clone()))
        .service_fn(async |request: Request<ReplayBody<Full<Bytes>>>| {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        });
    let request = Request::new(Full::from("echo"));
    let response = timer.run(client.oneshot(request)).unwrap();
    assert_eq!(support::read(response.into_body()), "echo");
}

#[test]
fn an_inner_service_that_is_not_send_is_welcome() {
    let timer = ManualTimer::new();
    let calls = Rc::new(std::cell::Cell::new(0));
    let counted = Rc::clone(&calls);
    let inner = service_fn(move |_: Request<ReplayBody<Full<Bytes>>>| {
        counted.set(counted.get() + 1);
        std::future::ready(Ok::<_, Infallible>(Response::new(())))
    });
    let client = ServiceBuilder::new()
        .layer(BackoffLayer::new(timer.clone()))
        .service(inner);
    timer
        .run(client.oneshot(Request::new(Full::default())))
        .unwrap();
    assert_eq!(calls.get(), 1);
}

/// Takes any request at once; `Send`, `Sync` and `'static`.
#[derive(Clone)]
struct Plain;

impl<B> Service<Request<ReplayBody<B>>> for Plain {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReplayBody<B>>) -> Self::Future {
        std::future::ready(Ok(Response::new(())))
    }
}

#[test]
fn send_stays_send() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    fn assert_sync<T: Sync>(value: T) -> T {
        value
    }
    fn assert_body<B>(_: &B)
    where
        // What hyper-util's client and reqwest's `Body::wrap` ask for.
        B: http_body::Body + Send + Sync + Unpin + 'static,
        B::Data: Send + Into<Bytes>,
        B::Error: Into<BoxError>,
    {
    }

    let timer = ManualTimer::new();
    let layer = assert_sync(assert_send(BackoffLayer::new(timer.clone())));
    let client = assert_send(ServiceBuilder::new().layer(layer).service(Plain));
    let mut client = assert_sync(client);
    let future = assert_send(client.call(Request::new(Full::<Bytes>::from("body"))));
    timer.run(future).unwrap();
    assert_body(&ReplayBody::<Full<Bytes>>::buffered(Bytes::new()));
}

#[test]
fn settings_and_parts_can_be_reached() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [status(200)]);
    let mut client = backoff(&server, &timer);
    client.get_mut().slow_ready = Some(Duration::ZERO);
    assert_eq!(client.get_ref().slow_ready, Some(Duration::ZERO));
    assert_eq!(client.budget().available(), u32::MAX);
    assert!(!client.into_inner().broken.get());
}
