//! What a response costs.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use egress_body_cleanup::BodyCleanupLayer;
use egress_time::TokioTimer;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use std::{
    future::{Future, Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};
use tower::{BoxError, Layer, Service};

#[derive(Clone)]
struct Transport(StatusCode, &'static str);

impl Service<Request<()>> for Transport {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let mut response = Response::new(Full::from(self.1));
        *response.status_mut() = self.0;
        ready(Ok(response))
    }
}

/// Counts the allocations of a request whose response is read; what grows only once has grown before.
fn allocations(layer: &BodyCleanupLayer<Full<Bytes>, TokioTimer>, transport: Transport) -> u64 {
    let mut service = layer.layer(transport);
    let mut request = || {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut cx).is_ready());
        let Poll::Ready(response) = pin!(service.call(Request::new(()))).poll(&mut cx) else {
            panic!("the transport answers at once");
        };
        let mut body = pin!(response.unwrap().into_body());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
            assert!(frame.is_ok());
        }
    };
    request();
    allocation_counter::measure(request).count_total
}

#[test]
fn a_response_that_cannot_become_idle_costs_none() {
    let layer = BodyCleanupLayer::new(TokioTimer::new()).with_idle_timeout(None);
    assert_eq!(allocations(&layer, Transport(StatusCode::OK, "body")), 0);
}

#[test]
fn a_response_that_can_become_idle_costs_one() {
    let layer = BodyCleanupLayer::new(TokioTimer::new());
    assert_eq!(allocations(&layer, Transport(StatusCode::OK, "body")), 1);
}

#[test]
fn a_response_that_is_dropped_unread_costs_no_more_than_one_that_is_read() {
    let layer = BodyCleanupLayer::new(TokioTimer::new());
    let mut service = layer.layer(Transport(StatusCode::OK, "body"));
    let mut request = || {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(response) = pin!(service.call(Request::new(()))).poll(&mut cx) else {
            panic!("the transport answers at once");
        };
        drop(response.unwrap());
    };
    request();
    assert_eq!(allocation_counter::measure(request).count_total, 1);
}

#[test]
fn a_response_without_a_body_costs_none() {
    let layer = BodyCleanupLayer::new(TokioTimer::new());
    assert_eq!(allocations(&layer, Transport(StatusCode::OK, "")), 0);
    let error = Transport(StatusCode::NOT_FOUND, "");
    assert_eq!(allocations(&layer, error), 0, "there is nothing to capture");
}

#[test]
fn a_captured_error_costs_its_copy_and_its_place_in_the_extensions() {
    let layer = BodyCleanupLayer::new(TokioTimer::new());
    let error = Transport(StatusCode::NOT_FOUND, "not found");
    // The box of the wait, which would make every future larger; the bytes and their count of owners; the
    // extensions, their table, and the box in it.
    assert_eq!(allocations(&layer, error), 6);
}
