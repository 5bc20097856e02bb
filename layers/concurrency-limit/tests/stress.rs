//! Real threads.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod common;

use common::{assert_balanced, permits};
use egress_concurrency_limit::{ConcurrencyLimitLayer, Config, Limiter};
use egress_time::TokioTimer;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tower::{Layer, Service, ServiceExt, service_fn};

const TASKS: usize = 32;
const ROUNDS: usize = 200;
const LIMIT: usize = 3;

/// C1, C4, C7: many threads, some of which give up at any point.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_never_exceed_the_limit_and_nobody_is_lost() {
    let config = Config::new().with_queue_timeout(Duration::from_secs(300));
    let limiter = Limiter::with_config(permits(LIMIT), config, TokioTimer::new());
    let at_once = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let counting = (Arc::clone(&at_once), Arc::clone(&most));
    let client = ConcurrencyLimitLayer::with_limiter(limiter.clone()).layer(service_fn(
        move |request: Request<usize>| {
            let (at_once, most) = counting.clone();
            async move {
                most.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
                let _leaving = Leaving(at_once);
                if request.into_body().is_multiple_of(3) {
                    tokio::task::yield_now().await;
                }
                Ok::<_, Infallible>(Response::new(Full::new(&b"hello"[..])))
            }
        },
    ));

    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let mut client = client.clone();
        let limiter = limiter.clone();
        tasks.spawn(async move {
            let mut finished = 0;
            for round in 0..ROUNDS {
                match (task + round) % 5 {
                    // Gives up somewhere: in the queue, with a permit, or before it began.
                    0 => {
                        let mut wait = tokio_test::task::spawn(limiter.acquire());
                        let _ = wait.poll();
                        tokio::task::yield_now().await;
                    }
                    // Gives up a service that may be ready.
                    1 => {
                        let mut other = client.clone();
                        let mut ready = tokio_test::task::spawn(other.ready());
                        let _ = ready.poll();
                        tokio::task::yield_now().await;
                    }
                    _ => {
                        let ready = client.ready().await.unwrap();
                        let response = ready.call(Request::new(round)).await.unwrap();
                        let body = response.into_body().collect().await.unwrap();
                        assert_eq!(body.to_bytes(), "hello");
                        finished += 1;
                    }
                }
                assert_balanced(&limiter.stats());
            }
            finished
        });
    }
    let finished: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(finished, TASKS * ROUNDS * 3 / 5, "nobody was lost");
    assert!(most.load(SeqCst) <= LIMIT, "{most:?} at once");
    let stats = limiter.stats();
    assert_balanced(&stats);
    assert_eq!((stats.in_flight, stats.queued), (0, 0));
    assert_eq!(stats.peak_in_flight, LIMIT);
    assert_eq!((stats.timed_out, stats.refused), (0, 0));
}

/// C6: the limit goes up and down under load, and is what it says in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_that_changes_under_load_loses_no_permit() {
    let limiter = Limiter::new(permits(1), TokioTimer::new());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                let _permit = limiter.acquire().await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    for round in 0..ROUNDS {
        limiter.set_limit(permits(1 + round % 7));
        tokio::task::yield_now().await;
    }
    limiter.set_limit(permits(2));
    tasks.join_all().await;
    let stats = limiter.stats();
    assert_balanced(&stats);
    assert_eq!((stats.in_flight, stats.queued, stats.limit), (0, 0, 2));
    let held: Vec<_> = std::iter::from_fn(|| limiter.try_acquire()).collect();
    assert_eq!(held.len(), 2);
}

struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
