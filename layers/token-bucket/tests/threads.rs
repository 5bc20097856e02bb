//! Buckets that threads share.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{MINUTE, status};
use egress_time::{Clock, Instant, ManualTimer};
use egress_token_bucket::{Bucket, BucketSet, Cost, Quota, Ready};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

/// T10: whoever needs several locks takes them in one order, however the sets were written down.
#[test]
fn sets_that_overlap_do_not_lock_each_other_out() {
    const ROUNDS: u32 = 2_000;
    let timer = ManualTimer::new();
    let quota = Quota::new(4 * 3 * ROUNDS, MINUTE).unwrap();
    let buckets = [(); 3].map(|()| Bucket::new(quota));
    let [a, b, c] = &buckets;
    let sets = [[a, b, c], [c, b, a], [b, c, a], [c, a, b]];
    thread::scope(|scope| {
        for set in sets {
            let (set, now) = (BucketSet::new(set.map(Bucket::clone)), timer.now());
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let reservation = set.reserve(Cost::ONE, now).unwrap();
                    let departure = set.try_depart(Cost::ONE, now).unwrap();
                    if round % 2 == 0 {
                        departure.succeeded(now);
                    }
                    drop(reservation);
                }
            });
        }
    });
    for bucket in &buckets {
        let totals = status(bucket, &timer).totals;
        assert_eq!(totals.departed, 4 * u64::from(ROUNDS));
        assert_eq!(totals.cancelled, 4 * u64::from(ROUNDS));
        assert_eq!(totals.overdue, 0);
    }
}

/// A waker whose end is foreign code, which asks the bucket for something.
struct Curious(Bucket, Instant);

impl Wake for Curious {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Curious {
    fn drop(&mut self) {
        self.0.status(self.1);
    }
}

/// Does something in a thread of its own, which must come to its end.
fn ends(what: &'static str, does: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        does();
        done.send(()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(20));
    assert!(
        ended.is_ok(),
        "{what} came back to the bucket under its lock"
    );
    thread.join().unwrap();
}

/// T4: wakers are dropped when nobody holds the lock, whatever makes an end of them.
#[test]
fn a_waker_may_ask_the_bucket_when_it_is_dropped() {
    type Does =
        fn(&Bucket, Vec<Ready<ManualTimer>>, &mut dyn FnMut(&mut Ready<ManualTimer>), &ManualTimer);
    let cases: [(&str, Does); 6] = [
        ("one that was replaced", |_, mut waiting, poll, _| {
            poll(&mut waiting[1]);
        }),
        ("one whose owner left", |_, waiting, _, _| drop(waiting)),
        ("one that was due", |_, mut waiting, _, timer| {
            timer.advance(MINUTE);
            let mut cx = Context::from_waker(Waker::noop());
            let first = Pin::new(&mut waiting[0]).poll(&mut cx);
            assert!(matches!(first, Poll::Ready(Ok(_))));
        }),
        ("one whose slot has passed", |bucket, _waiting, _, timer| {
            timer.advance(MINUTE);
            bucket.status(timer.now());
        }),
        ("one that was woken", |_, mut waiting, _, _| {
            (0..4).for_each(|_| drop(waiting.remove(0)));
        }),
        ("one that waits in vain", |bucket, _waiting, _, timer| {
            bucket.pause_for(10 * MINUTE, timer.now());
        }),
    ];
    for (what, does) in cases {
        ends(what, move || {
            let timer = ManualTimer::new();
            let quota = Quota::new(60, MINUTE).unwrap().with_burst(1).unwrap();
            let bucket = Bucket::builder(quota).wakeups(true).build();
            drop(bucket.try_depart(Cost::ONE, timer.now()).unwrap());
            let mut poll = |waiting: &mut Ready<ManualTimer>| {
                let waker = Waker::from(Arc::new(Curious(bucket.clone(), timer.now())));
                let polled = Pin::new(waiting).poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending());
            };
            let mut waiting: Vec<_> = (0..6)
                .map(|_| {
                    let reservation = bucket.reserve(Cost::ONE, timer.now()).unwrap();
                    reservation.ready(timer.clone())
                })
                .collect();
            waiting.iter_mut().for_each(&mut poll);
            does(&bucket, waiting, &mut poll, &timer);
        });
    }
}
