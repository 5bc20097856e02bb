//! T5, T10: requests that pay several busy buckets, in virtual time. They are not passed over for ever by those who pay one of them,
//! and waste no time of theirs.

mod common;

use common::{Crowd, MINUTE, SECOND, one_a_second};
use egress_time::{Clock, ManualTimer};
use egress_token_bucket::{Bucket, BucketSet, Cost};
use std::time::Duration;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Several buckets of one a second, each with a second of its own, in which singles wait for two minutes and more; and so many
/// requests that pay them all. Returns when those departed, and how many singles of each bucket have in a minute.
fn crowded(buckets: u32, wakeups: bool, sets: usize) -> (Vec<Duration>, Vec<usize>) {
    const SINGLES: usize = 130;
    let timer = ManualTimer::new();
    timer.advance(60 * MINUTE);
    let bucket = || {
        let bucket = Bucket::builder(one_a_second()).max_wait(100 * MINUTE);
        bucket.wakeups(wakeups).build()
    };
    let all: Vec<Bucket> = (0..buckets).map(|_| bucket()).collect();
    for bucket in &all {
        let _ = bucket
            .try_depart(Cost::ONE, timer.now())
            .expect("it is new");
        timer.advance(SECOND / buckets);
    }
    let start = timer.now();
    let one = |bucket: &Bucket| {
        let place = bucket.reserve(Cost::ONE, start).expect("there is room");
        place.ready(timer.clone())
    };
    // Some are before them, so that they meet each bucket in its own second.
    let mut crowd: Vec<_> = all
        .iter()
        .flat_map(|bucket| [one(bucket), one(bucket), one(bucket)])
        .collect();
    crowd.extend(all.last().map(one));
    let ahead = crowd.len();
    let set = BucketSet::new(all.clone());
    crowd.extend((0..sets).map(|_| {
        let place = set.reserve(Cost::ONE, start).expect("there is room");
        place.ready(timer.clone())
    }));
    for bucket in &all {
        crowd.extend((0..SINGLES).map(|_| one(bucket)));
    }
    let (mut departed, mut singles) = (Vec::new(), vec![0; all.len()]);
    for (who, at, departure) in Crowd::new(crowd).run(&timer, start + MINUTE) {
        departure.expect("nobody is refused").succeeded(at);
        match who.checked_sub(ahead) {
            None => {}
            Some(set) if set < sets => departed.push(at - start),
            Some(single) => singles[(single - sets) / SINGLES] += 1,
        }
    }
    (departed, singles)
}

#[test]
fn who_pays_several_busy_buckets_departs_before_long() {
    for wakeups in [false, true] {
        for buckets in 2..=5 {
            let (departed, singles) = crowded(buckets, wakeups, 1);
            let what = format!("{buckets} buckets, wakeups {wakeups}: {departed:?}, {singles:?}");
            assert_eq!(departed.len(), 1, "{what}");
            assert!(departed[0] < 10 * SECOND, "{what}");
        }
    }
}

#[test]
fn who_waits_for_one_bucket_wastes_little_of_the_others() {
    for wakeups in [false, true] {
        for buckets in 2..=4 {
            let (_, without) = crowded(buckets, wakeups, 0);
            for sets in [1, 5] {
                let (departed, with) = crowded(buckets, wakeups, sets);
                let what = format!("{buckets} buckets, {sets} sets, wakeups {wakeups}");
                assert_eq!(departed.len(), sets, "{what}");
                for (without, with) in without.iter().zip(with) {
                    // Each set takes one of each, and a few are kept in vain.
                    assert!(with + 3 * sets >= *without, "{what}: {with} of {without}");
                }
            }
        }
    }
}
