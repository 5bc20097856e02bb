//! The timer on a real event loop.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    reason = "clippy does not see that these are tests"
)]

use std::{
    cell::RefCell,
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

/// One whose sleeps have a timer each, and one whose sleeps share it.
fn timers() -> [WorkerTimer; 2] {
    [WorkerTimer::new(), WorkerTimer::new().for_invocation()]
}

fn on(timer: WorkerTimer, milliseconds: u64) -> WorkerSleep {
    timer.sleep_until(timer.now() + Duration::from_millis(milliseconds))
}

fn after(milliseconds: u64) -> WorkerSleep {
    on(WorkerTimer::new(), milliseconds)
}

/// How many timers are set in JavaScript.
fn set() -> f64 {
    let count =
        "return process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length";
    let count = js_sys::Function::new_no_args(count).call0(&js_sys::Object::new());
    count.unwrap().as_f64().unwrap()
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
    for timer in timers() {
        for milliseconds in [0, 1, 7, 20] {
            let start = timer.now();
            on(timer, milliseconds).await;
            let slept = timer.now() - start;
            assert!(slept >= Duration::from_millis(milliseconds), "{slept:?}");
        }
    }
}

#[test]
async fn the_latest_waker_is_called_and_no_other() {
    for timer in timers() {
        let (first, latest) = (Arc::<Calls>::default(), Arc::<Calls>::default());
        let mut sleep = on(timer, 10);
        assert!(poll(&mut sleep, &first).is_pending());
        assert!(poll(&mut sleep, &latest).is_pending());
        after(40).await;
        assert_eq!((first.0.load(Relaxed), latest.0.load(Relaxed)), (0, 1));
        assert!(poll(&mut sleep, &latest).is_ready());
    }
}

#[test]
async fn a_sleep_that_is_dropped_wakes_nobody() {
    for timer in timers() {
        let (calls, others) = (Arc::<Calls>::default(), Arc::<Calls>::default());
        let mut sleep = on(timer, 5);
        let mut other = on(timer, 10);
        assert!(poll(&mut sleep, &calls).is_pending());
        assert!(poll(&mut other, &others).is_pending());
        drop(sleep);
        after(40).await;
        assert_eq!(calls.0.load(Relaxed), 0);
        assert_eq!(
            others.0.load(Relaxed),
            1,
            "the others are woken all the same"
        );
    }
}

#[test]
async fn what_is_longer_than_a_timer_can_be_does_not_fire_at_once() {
    for timer in timers() {
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
}

#[test]
async fn a_thousand_sleeps_end() {
    for timer in timers() {
        let mut sleeps: Vec<_> = (0..1000).map(|n| on(timer, 1 + n * 7 % 50)).collect();
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
}

#[test]
async fn the_sleeps_of_an_invocation_share_a_timer() {
    let timer = WorkerTimer::new().for_invocation();
    let calls = Arc::<Calls>::default();
    let before = set();
    let mut sleeps: Vec<_> = (0..1000).map(|n| on(timer, 5000 - n)).collect();
    for sleep in &mut sleeps {
        assert!(poll(sleep, &calls).is_pending());
    }
    assert_eq!(set() - before, 1.0);
    // The earliest goes, and with it nothing else.
    sleeps.pop();
    assert_eq!(set() - before, 1.0);
    let mut soon = on(timer, 3);
    assert!(poll(&mut soon, &calls).is_pending());
    after(20).await;
    assert_eq!(
        calls.0.load(Relaxed),
        1,
        "whoever ends first is woken, and nobody else"
    );
    assert!(poll(&mut soon, &calls).is_ready());
    assert_eq!(set() - before, 1.0, "for those that sleep on");
    drop(sleeps);
    assert_eq!(set() - before, 0.0, "and none for nobody");
}

#[test]
async fn invocations_share_nothing() {
    let calls = Arc::<Calls>::default();
    let before = set();
    let [mut a, mut b] = [(); 2].map(|()| on(WorkerTimer::new().for_invocation(), 1000));
    assert!(poll(&mut a, &calls).is_pending() && poll(&mut b, &calls).is_pending());
    assert_eq!(set() - before, 2.0);
    drop(a);
    assert_eq!(set() - before, 1.0);
}

thread_local! {
    static OTHERS: RefCell<Vec<WorkerSleep>> = const { RefCell::new(Vec::new()) };
}

/// A waker that drops the other sleeps when it is called, and when it is dropped itself.
struct Drops;

impl Wake for Drops {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Drops {
    fn drop(&mut self) {
        drop(OTHERS.take());
    }
}

#[test]
async fn who_is_woken_or_forgotten_may_drop_the_others() {
    for is_replaced in [false, true] {
        let timer = WorkerTimer::new().for_invocation();
        let calls = Arc::<Calls>::default();
        let mut others: Vec<_> = [500, 501, 600].map(|n| on(timer, n)).into();
        for other in &mut others {
            assert!(poll(other, &calls).is_pending());
        }
        OTHERS.set(others);
        let mut first = on(timer, 4);
        let waker = Arc::new(Drops).into();
        let pending = Pin::new(&mut first).poll(&mut Context::from_waker(&waker));
        assert!(pending.is_pending());
        // The sleep has the last of it.
        drop(waker);
        if is_replaced {
            assert!(poll(&mut first, &calls).is_pending());
            assert!(OTHERS.take().is_empty());
        }
        after(30).await;
        assert!(OTHERS.take().is_empty());
        assert!(poll(&mut first, &calls).is_ready());
        assert_eq!(calls.0.load(Relaxed), usize::from(is_replaced));
    }
}

#[test]
fn the_clock_is_of_this_year_or_later() {
    let day = WorkerTimer::new().unix_time().as_secs() / 86_400;
    assert!(day > 365 * 55, "{day} days after 1970");
}
