//! What those who pay several buckets cost each of them.

mod common;

use common::{Crowd, MILLI, MINUTE, SECOND, one_a_second, quota, status};
use egress_time::{Clock, Instant, ManualTimer};
use egress_token_bucket::{Bucket, BucketSet, Cost, Departure, Quota, RateLimited, Ready};
use std::time::Duration;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const HOUR: Duration = Duration::from_secs(3600);

type Ended = Vec<(usize, Instant, Result<Departure, RateLimited>)>;

fn bucket(quota: Quota, wakeups: bool) -> Bucket {
    Bucket::builder(quota)
        .max_wait(100 * HOUR)
        .wakeups(wakeups)
        .build()
}

fn waiters(set: &BucketSet, count: usize, timer: &ManualTimer) -> Vec<Ready<ManualTimer>> {
    let now = timer.now();
    let reserve = |_| set.reserve(Cost::ONE, now).expect("there is room");
    (0..count)
        .map(|place| reserve(place).ready(timer.clone()))
        .collect()
}

/// When those departed whose place is one of these.
fn times(ended: &Ended, places: std::ops::Range<usize>) -> Vec<Instant> {
    let of_them = ended.iter().filter(|(place, ..)| places.contains(place));
    of_them.map(|(_, when, _)| *when).collect()
}

/// How many of many departed in the minutes in which so many others waited for a search that was paused.
fn departed_beside(blocked: usize, core: Quota, wakeups: bool, minutes: u32) -> usize {
    let timer = ManualTimer::new();
    timer.advance(HOUR);
    let start = timer.now();
    let core = bucket(core, wakeups);
    let search = bucket(Quota::GITHUB_SEARCH, wakeups);
    search.pause_for(HOUR, start);
    let both = BucketSet::new([core.clone(), search]);
    let mut all = waiters(&both, blocked, &timer);
    all.extend(waiters(&core.clone().into(), 350, &timer));
    let mut crowd = Crowd::new(all);
    let ended = crowd.run(&timer, start + minutes * MINUTE + SECOND);
    assert!(ended.is_sorted_by_key(|(place, ..)| *place));
    let seen = ended.len();
    assert_eq!(
        times(&ended, blocked..usize::MAX).len(),
        seen,
        "the others wait"
    );
    seen
}

/// T5, T10: they had a slot each, which passed. From then on they wait for the search alone.
#[test]
fn those_who_wait_for_another_bucket_cost_this_one_a_slot_each() {
    let cores = [
        Quota::GITHUB,
        quota(60, MINUTE, 5, Duration::ZERO),
        quota(60, MINUTE, 1, SECOND),
    ];
    for (core, wakeups) in cores
        .into_iter()
        .flat_map(|core| [(core, false), (core, true)])
    {
        let alone = departed_beside(0, core, wakeups, 3);
        assert!(alone >= 90, "{alone} departed");
        for blocked in [1, 30] {
            let seen = departed_beside(blocked, core, wakeups, 3);
            assert!(
                seen + blocked >= alone,
                "{seen} departed beside {blocked}, and {alone} alone"
            );
        }
    }
}

/// T7, T10: nor do they while nobody knows how long the other bucket keeps them.
#[test]
fn those_who_wait_for_the_probe_of_another_bucket_cost_this_one_a_slot_each() {
    for wakeups in [false, true] {
        let timer = ManualTimer::new();
        let start = timer.now();
        let core = bucket(one_a_second(), wakeups);
        let search = Bucket::builder(quota(1_000, SECOND, 1, Duration::ZERO))
            .max_wait(HOUR)
            .probe_timeout(HOUR / 2)
            .wakeups(wakeups)
            .build();
        search.pause_for(SECOND, start);
        let both = BucketSet::new([core.clone(), search.clone()]);
        let mut all = waiters(&search.into(), 1, &timer);
        all.extend(waiters(&both, 10, &timer));
        all.extend(waiters(&core.into(), 200, &timer));
        let mut crowd = Crowd::new(all);
        let ended = crowd.run(&timer, start + 100 * SECOND);
        assert!(ended[0].2.as_ref().is_ok_and(Departure::is_probe));
        assert_eq!(times(&ended, 1..11).len(), 0);
        let seen = times(&ended, 11..211).len();
        assert!(seen >= 101 - 10, "{seen} departed");
    }
}

/// T3, T10: a program that was suspended goes on, and all its waiters are late in both buckets. And once more.
#[test]
fn those_who_are_late_in_two_buckets_line_up() {
    for wakeups in [false, true] {
        let timer = ManualTimer::new();
        let fast = bucket(quota(10, SECOND, 1, Duration::ZERO), wakeups);
        let slow = bucket(one_a_second(), wakeups);
        let both = BucketSet::new([fast.clone(), slow.clone()]);
        let mut crowd = Crowd::new(waiters(&both, 61, &timer));
        crowd.settle();
        let polls = crowd.polls;
        // The first one has departed. Each time, one goes at once, and then one in a second.
        for first in [1_usize, 22] {
            timer.advance(HOUR);
            let start = timer.now();
            let ended = crowd.run(&timer, start + 20 * SECOND);
            let times: Vec<_> = ended
                .iter()
                .map(|(place, when, _)| (*place, *when - start))
                .collect();
            let due: Vec<_> = (0..=20_u32)
                .zip(first..)
                .map(|(seconds, place)| (place, SECOND * seconds))
                .collect();
            assert_eq!(times, due);
        }
        // Each asks once in a second, and not each whenever one of them goes.
        let polls = crowd.polls - polls;
        assert!(polls < 60 * 40, "{polls} polls");
        status(&fast, &timer);
        status(&slow, &timer);
    }
}

/// T4, T10: they line up where they wait the longest, and so in nobody's way where they need not wait as long.
#[test]
fn those_who_are_late_in_two_buckets_are_in_the_way_in_one() {
    for wakeups in [false, true] {
        let timer = ManualTimer::new();
        let fast = bucket(quota(10, SECOND, 1, Duration::ZERO), wakeups);
        let slow = bucket(one_a_second(), wakeups);
        let mut all = waiters(&BucketSet::new([fast.clone(), slow]), 60, &timer);
        all.extend(waiters(&fast.into(), 60, &timer));
        let mut crowd = Crowd::new(all);
        crowd.settle();
        timer.advance(HOUR);
        let start = timer.now();
        let ended = crowd.run(&timer, start + 2 * MINUTE);
        assert_eq!(ended.len(), 119);
        let (of_both, of_one) = (times(&ended, 0..60), times(&ended, 60..120));
        let last = of_one[59] - start;
        let meanwhile = of_both.iter().filter(|when| **when - start < last).count();
        let slots = 59 + u32::try_from(meanwhile).expect("a few");
        assert_eq!(last, slots * 100 * MILLI, "a tenth of a second each");
        // A second each, and nobody of them waits for those who came later and pay less.
        assert_eq!(of_both[58] - start, 58 * SECOND);
    }
}

/// T10: who finds a bucket busy whenever the other one is free gets its turn in both, for few slots.
#[test]
fn those_who_pay_two_busy_buckets_depart_and_waste_little() {
    let pairs = [
        (one_a_second(), quota(10, MINUTE, 1, Duration::ZERO)),
        (one_a_second(), quota(7, 9 * SECOND, 1, Duration::ZERO)),
        (
            quota(60, MINUTE, 5, Duration::ZERO),
            quota(60, 70 * SECOND, 3, 100 * MILLI),
        ),
    ];
    for ((one, other), wakeups) in pairs
        .into_iter()
        .flat_map(|pair| [(pair, false), (pair, true)])
    {
        let timer = ManualTimer::new();
        let start = timer.now();
        let (one, other) = (bucket(one, wakeups), bucket(other, wakeups));
        other.pause_for(2 * MINUTE, start);
        let both = BucketSet::new([one.clone(), other.clone()]);
        let mut all = Vec::new();
        for _ in 0..20 {
            all.extend(waiters(&both, 1, &timer));
            all.extend(waiters(&other.clone().into(), 2, &timer));
        }
        all.extend(waiters(&one.clone().into(), 600, &timer));
        all.extend(waiters(&other.clone().into(), 600, &timer));
        let mut crowd = Crowd::new(all);
        let (mut of_both, mut of_one) = (Vec::new(), 0);
        let mut next = start;
        while of_both.len() < 20 {
            next = next + SECOND;
            assert!(next < start + HOUR, "{of_both:?} of twenty");
            for (place, when, departed) in crowd.run(&timer, next) {
                departed.unwrap().succeeded(when);
                match place {
                    0..60 if place % 3 == 0 => of_both.push(place),
                    60..660 => of_one += 1,
                    _ => {}
                }
            }
        }
        assert!(of_both.is_sorted());
        // One a second is permitted. Each had a slot while it was paused, and another one at most came at a time at
        // which the other bucket was busy.
        let permitted = (timer.now() - start).as_secs();
        let departed = 20 + of_one;
        assert!(
            departed + 20 + 20 >= permitted,
            "{departed} of {permitted} departed"
        );
    }
}

/// T4, T10: the head sleeps where its wait is longest. Those behind it here are woken all the same.
#[test]
fn who_is_behind_a_head_that_sleeps_elsewhere_is_woken() {
    for cancels in [true, false] {
        let timer = ManualTimer::new();
        timer.advance(HOUR);
        let (here, elsewhere) = (bucket(one_a_second(), true), bucket(one_a_second(), true));
        elsewhere.pause_for(HOUR, timer.now());
        if !cancels {
            here.pause_for(SECOND, timer.now());
            timer.advance(2 * SECOND);
        }
        let first = here.try_depart(Cost::ONE, timer.now()).expect("it is free");
        let both = BucketSet::new([here.clone(), elsewhere]);
        let mut all = waiters(&both, 1, &timer);
        all.extend(waiters(&here.into(), 101, &timer));
        let mut crowd = Crowd::new(all);
        crowd.settle();
        let start = timer.now();
        if cancels {
            (1..101).for_each(|place| crowd.drop_one(place));
        }
        // After a pause it is the one that everybody waits for.
        first.succeeded(start);
        let ended = crowd.run(&timer, start + 3 * SECOND);
        let next = times(&ended, 1..usize::MAX);
        assert_eq!(
            next.first(),
            Some(&(start + 2 * SECOND)),
            "cancels: {cancels}"
        );
    }
}

/// T5: the head was reserved and is never polled.
#[test]
fn who_is_behind_a_head_that_was_forgotten_is_woken() {
    for wakeups in [false, true] {
        let timer = ManualTimer::new();
        timer.advance(HOUR);
        let bucket = Bucket::builder(one_a_second())
            .max_wait(100 * HOUR)
            .probe_timeout(HOUR)
            .wakeups(wakeups)
            .build();
        bucket.pause_for(SECOND, timer.now());
        timer.advance(2 * SECOND);
        let probe = bucket
            .try_depart(Cost::ONE, timer.now())
            .expect("it is free");
        let _forgotten = bucket
            .reserve(Cost::ONE, timer.now())
            .expect("there is room");
        let mut crowd = Crowd::new(waiters(&bucket.into(), 10, &timer));
        crowd.settle();
        let start = timer.now();
        probe.succeeded(start);
        let ended = crowd.run(&timer, start + 13 * SECOND);
        assert_eq!(times(&ended, 0..10).len(), 10, "wakeups: {wakeups}");
    }
}

/// T5, T7: the first of those who wait for a probe went to sleep once and is never polled again.
#[test]
fn who_is_behind_one_that_slept_and_was_forgotten_is_not_kept_until_the_probe_lapses() {
    let timer = ManualTimer::new();
    timer.advance(HOUR);
    let bucket = Bucket::builder(one_a_second()).wakeups(true).build();
    bucket.pause_for(SECOND, timer.now());
    timer.advance(2 * SECOND);
    let now = timer.now();
    let probe = bucket.try_depart(Cost::ONE, now).expect("it is free");
    let ready = || {
        let place = bucket.reserve(Cost::ONE, now).expect("there is room");
        place.ready(timer.clone())
    };
    let mut forgotten = tokio_test::task::spawn(ready());
    assert!(forgotten.poll().is_pending());
    let mut crowd = Crowd::new([ready(), ready(), ready()]);
    crowd.settle();
    probe.succeeded(now);
    // A probe has ten seconds, and half of that is five.
    let ended = crowd.run(&timer, now + 6 * SECOND);
    assert!(
        !ended.is_empty(),
        "they sleep until the probe would have lapsed"
    );
}
