//! What every layer promises to those who stack it.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod common;

use common::{World, assert_balanced, assert_ready, get, granted, permits, queue};
use egress_concurrency_limit::{
    BoxError, ConcurrencyLimit, ConcurrencyLimitLayer, Config, Limiter, ReleaseAt,
};
use egress_time::ManualTimer;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::{convert::Infallible, rc::Rc, task::Poll};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// C4
#[test]
fn a_clone_is_not_ready() {
    let world = World::new(1);
    let mut first = world.client();
    assert_ready(&mut first);
    let mut clone = first.clone();
    assert!(
        clone.poll_ready().is_pending(),
        "a clone has to wait for a permit of its own"
    );
    assert_eq!(world.stats().in_flight, 1);
    drop(first);
    assert!(clone.is_woken());
    assert_ready(&mut clone);
}

/// C4
#[test]
fn a_clone_of_one_who_waits_does_not_wait() {
    let world = World::new(1);
    let _permit = world.limiter.try_acquire();
    let mut first = world.client();
    assert!(first.poll_ready().is_pending());
    let clone = first.clone();
    assert_eq!(world.stats().queued, 1);
    drop(clone);
    assert_eq!(world.stats().queued, 1, "the first one still waits");
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "poll_ready must be called first")]
fn calling_a_clone_of_a_ready_service_panics() {
    let world = World::new(2);
    let mut first = world.client();
    assert_ready(&mut first);
    drop(first.clone().call(get("/")));
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "poll_ready must be called first")]
fn a_second_call_needs_a_second_permit() {
    let world = World::new(2);
    let mut client = world.client();
    assert_ready(&mut client);
    let _first = client.call(get("/"));
    drop(client.call(get("/")));
}

/// C4
#[test]
fn a_ready_service_that_is_dropped_gives_back() {
    let world = World::new(1);
    let mut client = world.client();
    assert_ready(&mut client);
    let mut waiter = queue(&world.limiter);
    drop(client);
    assert!(waiter.is_woken());
    let _permit = granted(&mut waiter);
    let stats = world.stats();
    assert_eq!((stats.in_flight, stats.cancelled), (1, 1));
}

/// C4
#[test]
fn taking_the_inner_service_out_gives_back() {
    let world = World::new(1);
    let mut client = world.client();
    assert_ready(&mut client);
    let _inner = client.into_inner().into_inner();
    assert_eq!(world.stats().in_flight, 0);
}

#[test]
fn repeated_polls_of_a_ready_service_take_one_permit() {
    let world = World::new(2);
    let mut client = world.client();
    for _ in 0..5 {
        assert_ready(&mut client);
    }
    let stats = world.stats();
    assert_eq!((stats.in_flight, stats.submitted), (1, 1));
}

#[test]
fn repeated_polls_of_a_waiting_service_take_one_place() {
    let world = World::new(1);
    let _permit = world.limiter.try_acquire();
    let mut client = world.client();
    for _ in 0..5 {
        assert!(client.poll_ready().is_pending());
    }
    let stats = world.stats();
    assert_eq!((stats.queued, stats.submitted), (1, 2));
    assert_eq!(world.timer.sleepers(), 1, "one timer for the whole wait");
}

/// C4. tower's own layer keeps the permit here.
#[test]
fn an_inner_error_gives_the_permit_back() {
    let mut world = World::new(1);
    let mut client = world.client();
    world.server.allow(0);
    assert!(
        client.poll_ready().is_pending(),
        "the inner service is not ready"
    );
    assert_eq!(world.stats().in_flight, 1);
    let mut waiter = queue(&world.limiter);

    world.server.send_error("broken");
    let Poll::Ready(Err(error)) = client.poll_ready() else {
        panic!("the error must be passed on");
    };
    assert_eq!(error.to_string(), "broken");
    assert!(waiter.is_woken(), "the permit goes to the next");
    drop(granted(&mut waiter));
    assert_eq!(world.stats().in_flight, 0);

    world.server.allow(1);
    assert_ready(&mut client);
}

/// The mock panics if it is called without having been ready.
#[test]
fn the_service_that_was_ready_is_the_one_that_is_called() {
    let mut world = World::new(1);
    world.server.allow(1);
    let mut client = world.client();
    assert_ready(&mut client);
    let _future = client.call(get("/"));
    let _request = world.next_request();
}

/// C4: after however many polls, dropping leaves nothing behind.
#[test]
fn polled_any_number_of_times_and_dropped_leaves_the_figures_as_they_were() {
    for polls in 0..6 {
        for is_free in [true, false] {
            let world = World::new(1);
            let permit = (!is_free).then(|| world.limiter.try_acquire());
            let before = world.stats();
            let mut client = world.client();
            for _ in 0..polls {
                let _ = client.poll_ready();
            }
            drop(client);
            let after = world.stats();
            assert_eq!(after.in_flight, before.in_flight, "after {polls} polls");
            assert_eq!(after.queued, before.queued, "after {polls} polls");
            assert_eq!(world.timer.sleepers(), 0, "after {polls} polls");
            drop(permit);
            assert!(world.limiter.try_acquire().is_some());
        }
    }
}

#[test]
fn an_idle_limiter_has_no_timers() {
    let mut world = World::new(2);
    let (reply, _remote) = world.open("/");
    drop(reply);
    let _ = world.open("/");
    assert_eq!(world.timer.sleepers(), 0);
    assert!(
        world.timer.requested().is_empty(),
        "with a permit free no timer is ever asked for"
    );
}

async fn hello(_: Request<()>) -> Result<Response<Full<&'static [u8]>>, Infallible> {
    Ok(Response::new(Full::new(b"hello")))
}

#[test]
fn it_works_alone_in_a_plain_service_builder() {
    let timer = ManualTimer::new();
    let layer = ConcurrencyLimitLayer::new(permits(1), timer.clone());
    let limiter = layer.limiter().clone();
    let mut service = ServiceBuilder::new().layer(layer).service_fn(hello);
    timer.run(async {
        for _ in 0..3 {
            let response = service.ready().await.unwrap().call(get("/")).await.unwrap();
            assert_eq!(limiter.stats().in_flight, 1);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "hello");
        }
    });
    let stats = limiter.stats();
    assert_balanced(&stats);
    assert_eq!((stats.served, stats.in_flight), (3, 0));
}

#[test]
fn it_stacks_with_an_inner_error_that_is_boxed_already() {
    let timer = ManualTimer::new();
    let service = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(permits(1), timer.clone()))
        .map_err(BoxError::from)
        .service_fn(hello);
    timer.run(async {
        service.oneshot(get("/")).await.unwrap();
    });
}

#[test]
fn all_services_of_a_layer_and_of_its_clones_share_the_permits() {
    let timer = ManualTimer::new();
    let layer = ConcurrencyLimitLayer::new(permits(1), timer.clone());
    let first = ServiceBuilder::new().layer(layer.clone()).service_fn(hello);
    let mut second = ServiceBuilder::new().layer(layer).service_fn(hello);
    timer.run(async {
        let response = first.oneshot(get("/")).await.unwrap();
        let mut ready = tokio_test::task::spawn(second.ready());
        assert!(ready.poll().is_pending());
        drop(response);
        assert!(ready.is_woken());
        assert!(ready.poll().is_ready());
    });
}

/// A client that is not `Send` compiles and runs.
#[test]
fn an_inner_service_that_is_not_send_works() {
    let timer = ManualTimer::new();
    let greeting = Rc::new(b"hello".to_vec());
    let service = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(permits(1), timer.clone()))
        .service(service_fn(move |_: Request<()>| {
            let greeting = Rc::clone(&greeting);
            async move {
                let body = Full::new(bytes::Bytes::from(greeting.to_vec()));
                // The body is not Send either.
                Ok::<_, Infallible>(Response::new(body.map_frame(move |frame| {
                    let _here = &greeting;
                    frame
                })))
            }
        }));
    let body = timer.run(async {
        let response = service.oneshot(get("/")).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    });
    assert_eq!(body, "hello");
}

/// A `Send` client stays `Send`, with everything that comes out of it.
#[test]
fn send_stays_send() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let limiter = Limiter::with_config(
        permits(1),
        Config::new().with_release_at(ReleaseAt::BodyEnd),
        ManualTimer::new(),
    );
    is_send(&limiter);
    is_sync(&limiter);
    is_send(&limiter.acquire());
    is_send(&limiter.try_acquire());
    let mut service = ConcurrencyLimit::new(service_fn(hello), limiter);
    is_send(&service);
    ManualTimer::new().run(async {
        let future = service.ready().await.unwrap().call(get("/"));
        is_send(&future);
        let response = future.await.unwrap();
        is_send(&response);
    });
}
