//! What the services of one egress share, and what two requests do not.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use egress_context::RequestContext;
use egress_time::ManualTimer;
use http::{Request, StatusCode};
use http_body_util::Full;
use std::time::Duration;
use support::Server;
use tower::{Layer, Service, ServiceExt};
use tower_egress::{Api, Egress, Quota};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn request(uri: &str) -> Request<Full<Bytes>> {
    Request::get(uri).body(Full::default()).unwrap()
}

/// K3: a caller of one service takes the connection from a body that was forgotten with another.
#[test]
fn services_of_one_layer_find_each_others_forgotten_bodies() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let egress = Egress::builder_on(timer.clone())
        .concurrency(1)
        .idle_timeout(Some(Duration::from_secs(5)))
        .build();
    let layer = egress.to_layer();
    let (one, other) = (layer.layer(server.clone()), layer.layer(server.clone()));

    let forgotten = timer
        .run(one.oneshot(request("http://example.com/a")))
        .unwrap();
    assert_eq!(server.open(), 1, "nobody reads it");
    let response = timer.run(other.oneshot(request("http://example.com/b")));
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(egress.status().bodies.idle, 1);
    drop(forgotten);
}

/// T10: which API a request belongs to is worked out once and noted. An outer layer may send two requests in one
/// context, one after the other or at once; each pays its own.
#[test]
fn two_requests_in_one_context_belong_to_their_own_apis() {
    let timer = ManualTimer::new();
    let server = Server::new(&timer);
    let quota = Quota::new(60, Duration::from_secs(60)).unwrap();
    let api = |name: &'static str| Api::new(name).with_host(name).with_quota(quota);
    let egress = Egress::builder_on(timer.clone())
        .api(api("a.example"))
        .api(api("b.example"))
        .build();
    let mut client = egress.layer(server.clone());

    let mut first = request("http://a.example/");
    let _context = RequestContext::join(first.extensions_mut());
    let mut second = request("http://b.example/");
    second.extensions_mut().extend(first.extensions().clone());
    // Both are called before either is polled.
    let (first, second) = (client.call(first), client.call(second));
    let (first, second) = timer.run(async { futures_util::join!(first, second) });
    let departed = |name: &str| egress.status().rate_limits[name].departed;
    assert_eq!((departed("a.example"), departed("b.example")), (1, 1));
    drop((first.unwrap(), second.unwrap()));

    // One after the other, as a layer does that follows redirects.
    let mut third = request("http://a.example/");
    let context = RequestContext::join(third.extensions_mut());
    let mut fourth = request("http://b.example/");
    fourth.extensions_mut().extend(third.extensions().clone());
    timer.run(client.clone().oneshot(third)).unwrap();
    timer.run(client.oneshot(fourth)).unwrap();
    drop(context);
    assert_eq!((departed("a.example"), departed("b.example")), (2, 2));
}
