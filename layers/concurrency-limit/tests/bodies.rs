//! When a permit comes back: at the headers, or at whatever end the body takes.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod common;

use common::{SECOND, Scripted, Step, World, assert_ready, get, granted, poll_body, queue};
use egress_concurrency_limit::{Config, Limiter, ReleaseAt};
use egress_time::ManualTimer;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tower::{Layer, Service, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Sends a request, polls the body of the response `polls` times, and tells whether the permit was free before the body
/// was dropped.
fn is_free_after(
    polls: usize,
    steps: impl IntoIterator<Item = Step>,
    knows_its_end: bool,
    method: Method,
    status: StatusCode,
    release_at: ReleaseAt,
) -> bool {
    let mut world = World::with_config(1, Config::new().with_release_at(release_at));
    let mut client = world.client();
    assert_ready(&mut client);
    let (body, _remote) = Scripted::new(steps, knows_its_end);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let request = Request::builder().method(method).body(()).unwrap();
    let mut reply = world.exchange(&mut client, request, response);
    for _ in 0..polls {
        let _ = poll_body(reply.body_mut());
    }

    let is_free = world.stats().in_flight == 0;
    assert_eq!(reply.body().holds_permit(), !is_free);
    assert_eq!(world.stats().open_bodies, usize::from(!is_free));
    let mut waiter = common::wait(&world.limiter);
    assert_eq!(waiter.poll().is_ready(), is_free);
    drop(waiter);

    drop(reply);
    let stats = world.stats();
    assert_eq!(
        (stats.in_flight, stats.open_bodies, stats.limit),
        (0, 0, 1),
        "after the drop it is free, once"
    );
    is_free
}

fn get_is_free_after(polls: usize, steps: impl IntoIterator<Item = Step>, knows: bool) -> bool {
    let release_at = ReleaseAt::BodyEnd;
    is_free_after(polls, steps, knows, Method::GET, StatusCode::OK, release_at)
}

/// C2
#[test]
fn a_body_that_knows_its_end_gives_back_with_its_last_frame() {
    let script = || [Step::Data, Step::Data, Step::End];
    assert!(!get_is_free_after(0, script(), true));
    assert!(!get_is_free_after(1, script(), true));
    assert!(get_is_free_after(2, script(), true));
}

/// C2
#[test]
fn a_body_that_does_not_know_its_end_gives_back_when_it_says_so() {
    let script = || [Step::Data, Step::End];
    assert!(!get_is_free_after(1, script(), false));
    assert!(get_is_free_after(2, script(), false));
    assert!(
        get_is_free_after(5, script(), false),
        "polled beyond its end"
    );
}

/// C2
#[test]
fn trailers_give_back() {
    let script = || [Step::Data, Step::Trailers];
    assert!(!get_is_free_after(1, script(), false));
    assert!(get_is_free_after(2, script(), false));
}

/// C2
#[test]
fn an_error_inside_the_body_gives_back() {
    let script = || [Step::Data, Step::Error, Step::Data];
    assert!(!get_is_free_after(1, script(), false));
    assert!(get_is_free_after(2, script(), false));
}

/// C2
#[test]
fn a_body_that_never_ends_gives_back_when_it_is_dropped() {
    assert!(!get_is_free_after(0, [], false), "not polled");
    assert!(!get_is_free_after(3, [], false), "polled, and pending");
    assert!(!get_is_free_after(3, [Step::Data], false), "in the middle");
}

/// C2
#[test]
fn a_body_at_its_end_gives_back_with_the_headers() {
    assert!(get_is_free_after(0, [Step::End], true));
}

/// C2. These bodies do not say that they are at their end.
#[test]
fn a_response_without_a_body_gives_back_with_the_headers() {
    for (method, status, is_free) in [
        (Method::HEAD, StatusCode::OK, true),
        (Method::GET, StatusCode::NO_CONTENT, true),
        (Method::GET, StatusCode::NOT_MODIFIED, true),
        (Method::GET, StatusCode::SWITCHING_PROTOCOLS, true),
        (Method::CONNECT, StatusCode::OK, true),
        (Method::CONNECT, StatusCode::BAD_GATEWAY, false),
        (Method::GET, StatusCode::NOT_FOUND, false),
        (Method::POST, StatusCode::CREATED, false),
    ] {
        let release_at = ReleaseAt::BodyEnd;
        assert_eq!(
            is_free_after(0, [], false, method.clone(), status, release_at),
            is_free,
            "{method} {status}"
        );
    }
}

/// C2
#[test]
fn at_the_headers_everything_gives_back() {
    for knows_its_end in [true, false] {
        let (method, release_at) = (Method::GET, ReleaseAt::Headers);
        let script = [Step::Data, Step::End];
        assert!(is_free_after(
            0,
            script,
            knows_its_end,
            method,
            StatusCode::OK,
            release_at
        ));
    }
}

/// C2: with either setting, the headers have to come first.
#[test]
fn a_request_without_headers_yet_holds_its_permit() {
    for release_at in [ReleaseAt::Headers, ReleaseAt::BodyEnd] {
        let world = World::with_config(1, Config::new().with_release_at(release_at));
        let mut client = world.client();
        assert_ready(&mut client);
        let _future = client.call(get("/"));
        assert_eq!(world.stats().in_flight, 1);
        let _waiter = queue(&world.limiter);
    }
}

/// C1, C2
#[test]
fn the_end_of_a_body_lets_the_next_one_through() {
    let mut world = World::new(1);
    let (mut reply, remote) = world.open("/");
    let mut waiter = queue(&world.limiter);
    remote.push(Step::Data);
    assert!(poll_body(reply.body_mut()).is_ready());
    assert!(!waiter.is_woken());
    remote.push(Step::End);
    assert!(poll_body(reply.body_mut()).is_ready());
    assert!(
        waiter.is_woken(),
        "although the body that was read still exists"
    );
    let _permit = granted(&mut waiter);
}

/// The wrapper is a wrapper: frames, size and end are those of the inner body.
#[test]
fn frames_size_and_end_are_the_inner_bodys() {
    for release_at in [ReleaseAt::Headers, ReleaseAt::BodyEnd] {
        let mut world = World::with_config(1, Config::new().with_release_at(release_at));
        let mut client = world.client();
        assert_ready(&mut client);
        let (body, remote) = Scripted::new([Step::Data, Step::Trailers], true);
        let mut reply = world.exchange(&mut client, get("/"), Response::new(body));
        assert_eq!(reply.body().size_hint().exact(), Some(4));
        let Poll::Ready(Some(Ok(frame))) = poll_body(reply.body_mut()) else {
            panic!("a frame");
        };
        assert_eq!(frame.into_data().unwrap(), "data");
        let Poll::Ready(Some(Ok(frame))) = poll_body(reply.body_mut()) else {
            panic!("trailers");
        };
        assert!(frame.is_trailers());
        assert!(!reply.body().is_end_stream());
        remote.push(Step::End);
        assert!(reply.body().is_end_stream());
        assert!(matches!(poll_body(reply.body_mut()), Poll::Ready(None)));
        assert_eq!(reply.body().get_ref().size_hint().exact(), Some(4));
    }
}

/// Writes down how many were in flight when it was dropped.
struct Witness {
    limiter: Limiter<ManualTimer>,
    saw: Arc<Mutex<Vec<usize>>>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let in_flight = self.limiter.stats().in_flight;
        self.saw.lock().unwrap().push(in_flight);
    }
}

impl Body for Witness {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, std::convert::Infallible>>> {
        Poll::Pending
    }
}

/// The connection is closed, or back in its pool, before somebody else may open one.
#[test]
fn what_is_dropped_is_gone_before_its_permit_is_free() {
    let world = World::new(1);
    let limiter = world.limiter.clone();
    let saw = Arc::default();
    let witness = {
        let (limiter, saw) = (limiter.clone(), Arc::clone(&saw));
        move || Witness {
            limiter: limiter.clone(),
            saw: Arc::clone(&saw),
        }
    };
    let layer = egress_concurrency_limit::ConcurrencyLimitLayer::with_limiter(limiter.clone());

    let bodies = witness.clone();
    let service = layer.layer(service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(bodies())))
    }));
    let response = world.timer.run(service.oneshot(get("/"))).unwrap();
    assert_eq!(limiter.stats().in_flight, 1);
    drop(response);
    assert_eq!(*saw.lock().unwrap(), [1], "the body was dropped first");

    let requests = witness.clone();
    let mut service = layer.layer(service_fn(move |_: Request<()>| {
        let request = requests();
        async move {
            let _request = request;
            std::future::pending::<Result<Response<Witness>, std::convert::Infallible>>().await
        }
    }));
    let mut future = tokio_test::task::spawn(async {
        let ready = service.ready().await.unwrap();
        ready.call(get("/")).await
    });
    assert!(future.poll().is_pending());
    drop(future);
    assert_eq!(
        *saw.lock().unwrap(),
        [1, 1],
        "the request was dropped first"
    );
    assert_eq!(limiter.stats().in_flight, 0);
}

/// What is asked of the limiter about open bodies.
#[test]
fn the_holders_are_known_by_method_host_and_path() {
    let mut world = World::new(3);
    let (mut read, _) = world.open("https://user:secret@api.github.com:8443/zen?token=secret");
    let (_unread, _) = world.open("/relative?token=secret");
    assert!(poll_body(read.body_mut()).is_pending());
    world.timer.advance(7 * SECOND);
    let mut holders = world.limiter.holders();
    holders.sort_by_key(|holder| holder.unread_for());
    let [read, unread] = &holders[..] else {
        panic!("two bodies are open: {holders:?}");
    };
    assert_eq!(read.to_string(), "GET api.github.com/zen (0.0ns)");
    assert_eq!(
        (read.method(), read.host(), read.path()),
        (&Method::GET, Some("api.github.com"), "/zen")
    );
    assert_eq!(unread.to_string(), "GET /relative (7.0s)");
    assert_eq!((unread.host(), unread.unread_for()), (None, 7 * SECOND));
    assert!(!format!("{holders:?}").contains("secret"));
    let stats = world.stats();
    assert_eq!((stats.open_bodies, stats.unread_bodies), (2, 1));
}

/// They are looked at a few at a time; none may be missed at the borders, and none counted that is gone.
#[test]
fn as_many_holders_are_found_as_bodies_are_open() {
    let mut world = World::new(1000);
    for open in [1, 31, 32, 33, 64, 65, 500] {
        let mut bodies: Vec<_> = (0..open).map(|_| world.open("/zen")).collect();
        let mut index = 0;
        bodies.retain(|_| {
            index += 1;
            index % 3 != 0
        });
        world.timer.advance(7 * SECOND);
        assert_eq!(world.limiter.holders().len(), bodies.len(), "of {open}");
        let stats = world.stats();
        let counts = (stats.open_bodies, stats.unread_bodies);
        assert_eq!(counts, (bodies.len(), bodies.len()), "of {open}");
    }
    assert!(world.limiter.holders().is_empty());
}
