//! `Send` follows the client: the stack adds no bound and takes none away.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use bytes::Bytes;
use egress_time::ManualTimer;
use http::{Request, Response};
use http_body_util::Full;
use std::cell::Cell;
use support::Server;
use tower::{Service, service_fn};
use tower_egress::{BoxError, Egress, FetchExt, NoExecutor, ReplayBody, flags::Flags};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn assert_send<T: Send>(value: T) -> T {
    value
}

fn assert_static<T: 'static>(value: T) -> T {
    value
}

#[test]
fn a_send_client_gives_a_send_stack_whose_futures_can_be_spawned() {
    let timer = ManualTimer::new();
    let egress = assert_send(Egress::builder_on(timer.clone()).build());
    let mut client = assert_send(egress.layer(service_fn(
        |request: Request<ReplayBody<Full<Bytes>>>| async move {
            let path = request.uri().path().to_owned();
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(path)))
        },
    )));
    let request = Request::get("http://example.com/a").body(Full::default());
    let response = assert_static(assert_send(client.call(request.unwrap())));
    assert_eq!(assert_send(timer.run(response).unwrap()).status(), 200);
    let text = assert_static(assert_send(client.get("http://example.com/b").text()));
    assert_eq!(timer.run(text).unwrap(), "/b");
}

/// `Send` is asked of a client, and not `Sync`, also where its stacks are shared by clones.
#[test]
fn a_client_that_is_send_and_not_sync_gives_a_send_stack_with_flags() {
    let timer = ManualTimer::new();
    let flags = Flags::builder().flag("retries", false).build();
    let egress = Egress::builder_on(timer.clone()).flags(flags).build();
    let calls = Cell::new(0);
    let client = assert_send(egress.layer(service_fn(
        move |_: Request<ReplayBody<Full<Bytes>>>| {
            calls.set(calls.get() + 1);
            async { Ok::<_, BoxError>(Response::new(Full::<Bytes>::from("hello"))) }
        },
    )));
    let text = assert_static(assert_send(client.get("http://example.com/b").text()));
    assert_eq!(timer.run(text).unwrap(), "hello");
}

#[test]
fn a_client_that_is_not_send_compiles_and_runs() {
    let timer = ManualTimer::new();
    let egress = Egress::builder_on(timer.clone()).build();
    // `Server` holds an `Rc`, and so do its futures and bodies.
    let client = egress.layer(Server::new(&timer));
    let text = timer.run(client.get("http://example.com/").text()).unwrap();
    assert_eq!(text, "\"hello, world\"");
}

#[test]
fn a_client_that_borrows_compiles_and_runs() {
    let timer = ManualTimer::new();
    let egress = Egress::builder_on(timer.clone()).build();
    let greeting = String::from("hello");
    let client = egress.layer(service_fn(|_: Request<ReplayBody<Full<Bytes>>>| async {
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(greeting.clone())))
    }));
    let text = timer.run(client.get("http://example.com/").text()).unwrap();
    assert_eq!(text, greeting);
}

#[test]
fn an_egress_is_a_tower_layer_too() {
    let timer = ManualTimer::new();
    let egress = Egress::builder_on(timer.clone()).build();
    let client = tower::ServiceBuilder::new()
        .layer(egress.to_layer::<_>())
        .service(Server::new(&timer));
    let text = timer.run(client.get("http://example.com/").text()).unwrap();
    assert_eq!(text, "\"hello, world\"");
    let _: &Egress<ManualTimer, NoExecutor> = &egress;
}

/// As in a Durable Object that is built to unwind.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn an_egress_may_be_kept_where_panics_are_caught() {
    fn is_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    is_safe::<Egress<tower_egress::TokioTimer>>();
    is_safe::<Flags>();
}
