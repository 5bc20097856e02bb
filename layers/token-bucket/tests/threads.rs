//! Buckets that threads share.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{MINUTE, status};
use egress_time::{Clock, ManualTimer};
use egress_token_bucket::{Bucket, BucketSet, Cost, Quota};
use std::thread;

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
