//! The timer on a real event loop.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    reason = "clippy does not see that these are tests"
)]

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake},
    time::Duration,
};
use tower_egress::{Clock, Instant, Timer};
use tower_egress_worker::{WorkerSleep, WorkerTimer};
use wasm_bindgen_test::wasm_bindgen_test as test;

fn after(milliseconds: u64) -> WorkerSleep {
    let timer = WorkerTimer::new();
    timer.sleep_until(timer.now() + Duration::from_millis(milliseconds))
}

/// Counts how often it is called.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn poll(sleep: &mut WorkerSleep, calls: &Arc<Calls>) -> Poll<()> {
    let waker = Arc::clone(calls).into();
    Pin::new(sleep).poll(&mut Context::from_waker(&waker))
}

#[test]
async fn it_is_never_early() {
    let timer = WorkerTimer::new();
    for milliseconds in [0, 1, 7, 20] {
        let start = timer.now();
        after(milliseconds).await;
        let slept = timer.now() - start;
        assert!(slept >= Duration::from_millis(milliseconds), "{slept:?}");
    }
}

#[test]
async fn the_latest_waker_is_called_and_no_other() {
    let (first, latest) = (Arc::<Calls>::default(), Arc::<Calls>::default());
    let mut sleep = after(10);
    assert!(poll(&mut sleep, &first).is_pending());
    assert!(poll(&mut sleep, &latest).is_pending());
    after(40).await;
    assert_eq!((first.0.load(Relaxed), latest.0.load(Relaxed)), (0, 1));
    assert!(poll(&mut sleep, &latest).is_ready());
}

#[test]
async fn a_sleep_that_is_dropped_wakes_nobody() {
    let calls = Arc::<Calls>::default();
    let mut sleep = after(5);
    assert!(poll(&mut sleep, &calls).is_pending());
    drop(sleep);
    after(40).await;
    assert_eq!(calls.0.load(Relaxed), 0);
}

#[test]
async fn what_is_longer_than_a_timer_can_be_does_not_fire_at_once() {
    let timer = WorkerTimer::new();
    for deadline in [
        Instant::FAR_FUTURE,
        timer.now() + Duration::from_secs(25 * 24 * 3600),
    ] {
        let calls = Arc::<Calls>::default();
        let mut sleep = timer.sleep_until(deadline);
        assert!(poll(&mut sleep, &calls).is_pending());
        after(20).await;
        assert_eq!(calls.0.load(Relaxed), 0, "JavaScript takes 32 bits of it");
    }
}

#[test]
async fn a_thousand_sleeps_end() {
    let mut sleeps: Vec<_> = (0..1000).map(|n| after(1 + n % 50)).collect();
    let mut left = sleeps.len();
    let mut done = vec![false; left];
    let mut all = pin!(poll_fn(move |cx| {
        for (sleep, done) in sleeps.iter_mut().zip(&mut done) {
            if !*done && Pin::new(sleep).poll(cx).is_ready() {
                *done = true;
                left -= 1;
            }
        }
        if left == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    all.as_mut().await;
}

#[test]
fn the_clock_is_of_this_year_or_later() {
    let day = WorkerTimer::new().unix_time().as_secs() / 86_400;
    assert!(day > 365 * 55, "{day} days after 1970");
}
