//! The same script against tower's own layer, which this one replaces.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod common;

use bytes::Bytes;
use common::permits;
use egress_concurrency_limit::{ConcurrencyLimit, Config, Limiter, ReleaseAt};
use egress_time::ManualTimer;
use http::{Request, Response};
use http_body_util::Full;
use proptest::prelude::*;
use std::{pin::Pin, sync::Arc};
use tokio_test::task;
use tower::Service;
use tower_test::mock::{self, Mock};

const CLIENTS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Action {
    PollReady(usize),
    Call(usize),
    Replace(usize),
    CloneFrom(usize, usize),
    Answer(usize),
    DropFuture(usize),
    InnerReady(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let (client, any) = (0..CLIENTS, 0..8_usize);
    prop_oneof![
        6 => client.clone().prop_map(Action::PollReady),
        4 => client.clone().prop_map(Action::Call),
        1 => client.clone().prop_map(Action::Replace),
        1 => (client.clone(), client).prop_map(|(to, from)| Action::CloneFrom(to, from)),
        4 => any.clone().prop_map(Action::Answer),
        1 => any.prop_map(Action::DropFuture),
        1 => (0..6_u64).prop_map(Action::InnerReady),
    ]
}

type Inner = Mock<Request<()>, Response<Full<Bytes>>>;
type BoxFuture = Pin<Box<dyn Future<Output = bool>>>;

/// Plays a script and writes down everything that can be seen from outside.
fn play<S>(make: impl Fn(Inner) -> S, script: &[Action]) -> Vec<String>
where
    S: Service<Request<()>> + Clone,
    S::Future: 'static,
{
    let (inner, mut server) = mock::pair();
    let first = make(inner);
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| (mock::Spawn::new(first.clone()), false))
        .collect();
    let mut pending = Vec::new();
    let mut seen = Vec::new();
    for action in script {
        let mut note = format!("{action:?}:");
        match *action {
            Action::PollReady(number) => {
                let (client, is_ready) = &mut clients[number];
                *is_ready = client.poll_ready().is_ready();
                note += &format!(" ready={is_ready}");
            }
            Action::Call(number) => {
                let (client, is_ready) = &mut clients[number];
                if std::mem::take(is_ready) {
                    let future = client.call(Request::new(()));
                    let future: BoxFuture = Box::pin(async { future.await.is_ok() });
                    let mut request = task::spawn(server.next_request());
                    let std::task::Poll::Ready(Some((_, answer))) = request.poll() else {
                        panic!("the request must arrive");
                    };
                    pending.push((future, answer));
                }
            }
            Action::Replace(number) => clients[number] = (mock::Spawn::new(first.clone()), false),
            Action::CloneFrom(to, from) => clients[to] = (clients[from].0.clone(), false),
            Action::Answer(index) if !pending.is_empty() => {
                let (future, answer) = pending.remove(index % pending.len());
                answer.send_response(Response::default());
                let mut future = task::spawn(future);
                note += &format!(" answered={:?}", future.poll());
            }
            Action::DropFuture(index) if !pending.is_empty() => {
                drop(pending.remove(index % pending.len()));
            }
            Action::InnerReady(requests) => server.allow(requests),
            Action::Answer(_) | Action::DropFuture(_) => {}
        }
        let woken: Vec<_> = clients
            .iter()
            .map(|(client, _)| client.is_woken())
            .collect();
        seen.push(format!("{note} woken={woken:?}"));
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// C1, C2, C4: at the headers, and without errors of the inner service, there is no difference to be seen.
    #[test]
    fn at_the_headers_it_does_what_towers_does(
        limit in 1..4_usize,
        script in prop::collection::vec(action(), 1..100),
    ) {
        let config = Config::new().with_release_at(ReleaseAt::Headers);
        let limiter = Limiter::with_config(permits(limit), config, ManualTimer::new());
        let ours = play(|inner| ConcurrencyLimit::new(inner, limiter.clone()), &script);
        let semaphore = Arc::new(tokio::sync::Semaphore::new(limit));
        let theirs = play(
            |inner| {
                tower::limit::ConcurrencyLimit::with_semaphore(inner, Arc::clone(&semaphore))
            },
            &script,
        );
        prop_assert_eq!(ours, theirs);
    }
}
