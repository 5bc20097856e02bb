//! Whom a bucket wakes, and whom not.

mod common;

use common::{Crowd, MINUTE, SECOND, one_a_second, quota, status};
use egress_time::{Clock, Instant, ManualTimer};
use egress_token_bucket::{Bucket, Cost, Quota, Ready};
use std::time::Duration;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const HOUR: Duration = Duration::from_secs(3600);

fn crowd(quota: Quota, count: usize) -> (Bucket, ManualTimer, Crowd<Ready<ManualTimer>>) {
    costly_crowd(quota, count, 1)
}

fn costly_crowd(
    quota: Quota,
    count: usize,
    units: u32,
) -> (Bucket, ManualTimer, Crowd<Ready<ManualTimer>>) {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(quota)
        .max_wait(100 * HOUR)
        .wakeups(true)
        .build();
    let cost = quota.cost(units).expect("it is not above the burst");
    let mut crowd = Crowd::new((0..count).map(|_| {
        let reservation = bucket.reserve(cost, timer.now());
        reservation.expect("there is room").ready(timer.clone())
    }));
    crowd.settle();
    (bucket, timer, crowd)
}

fn woken(crowd: &Crowd<Ready<ManualTimer>>) -> Vec<usize> {
    let tasks = crowd.tasks.iter().enumerate();
    tasks
        .filter(|(_, task)| task.as_ref().is_some_and(|task| task.is_woken()))
        .map(|(place, _)| place)
        .collect()
}

/// T4
#[test]
fn a_cancel_wakes_the_head_if_it_becomes_earlier_and_nobody_else() {
    let (_, timer, mut crowd) = crowd(one_a_second(), 10);
    crowd.drop_one(5);
    assert_eq!(woken(&crowd), [0_usize; 0], "the head has the slot it had");
    crowd.drop_one(1);
    assert_eq!(
        woken(&crowd),
        [0_usize; 0],
        "it wakes in time, when half of its wait is over"
    );
    crowd.drop_one(2);
    assert_eq!(woken(&crowd), [3], "the head is earlier");
    assert!(crowd.settle().is_empty());
    let start = timer.now();
    let ended = crowd.run(&timer, Instant::FAR_FUTURE);
    let times: Vec<_> = ended
        .iter()
        .map(|(place, when, _)| (*place, (*when - start).as_secs()))
        .collect();
    assert_eq!(times, [(3, 1), (4, 2), (6, 3), (7, 4), (8, 5), (9, 6)]);
}

/// T4
#[test]
fn thousands_of_cancels_wake_as_many_as_can_use_it() {
    let (bucket, timer, mut crowd) = crowd(quota(1_000, SECOND, 1, Duration::ZERO), 10_000);
    let polls = crowd.polls;
    for place in (1..10_000).filter(|place| place % 10 != 0) {
        crowd.drop_one(place);
    }
    assert_eq!(crowd.settle().len(), 0);
    assert!(
        crowd.polls - polls <= 10,
        "{} were woken",
        crowd.polls - polls
    );
    let start = timer.now();
    assert_eq!(crowd.run(&timer, start + 1_010 * common::MILLI).len(), 999);
    assert_eq!(status(&bucket, &timer).queued, 0);
}

/// T3: however long the queue, each is woken a few times.
#[test]
fn a_long_queue_drains_with_few_wakes_each() {
    let (_, timer, mut crowd) = crowd(one_a_second(), 600);
    let ended = crowd.run(&timer, Instant::FAR_FUTURE);
    assert_eq!(ended.len(), 599);
    assert!(ended.is_sorted_by_key(|(place, _, _)| *place));
    assert!(crowd.polls < 600 * 12, "{} polls", crowd.polls);
}

/// T3, T11: the head waits for the last of its units, and sleeps although the first has its slot before that.
#[test]
fn a_costly_head_wakes_nobody_by_going_to_sleep() {
    let timer = ManualTimer::new();
    let quota = quota(20, 2 * SECOND, 2, Duration::ZERO);
    let bucket = Bucket::builder(quota).wakeups(true).build();
    let cost = quota.cost(2).unwrap();
    let [mut first, mut second] = [(); 2].map(|()| {
        let reservation = bucket.reserve(cost, timer.now()).unwrap();
        tokio_test::task::spawn(reservation.ready(timer.clone()))
    });
    assert!(first.poll().is_ready());
    assert!(second.poll().is_pending());
    assert!(!second.is_woken(), "there is nothing new");
    assert_eq!(timer.next_deadline(), Some(timer.now() + SECOND / 5));
}

/// T3, T11
#[test]
fn a_long_queue_of_costly_calls_drains_with_few_wakes_each() {
    for (burst, units) in [(2, 2), (3, 2), (5, 5)] {
        let (_, timer, mut crowd) =
            costly_crowd(quota(60, MINUTE, burst, Duration::ZERO), 200, units);
        let ended = crowd.run(&timer, Instant::FAR_FUTURE);
        assert_eq!(ended.len(), 199);
        assert!(ended.is_sorted_by_key(|(place, _, _)| *place));
        assert!(crowd.polls < 200 * 12, "{} polls", crowd.polls);
    }
}

/// T4, T11
#[test]
fn a_costly_cancel_wakes_the_head_if_its_last_unit_becomes_earlier() {
    let (_, timer, mut crowd) = costly_crowd(quota(60, MINUTE, 3, Duration::ZERO), 8, 3);
    crowd.drop_one(4);
    assert_eq!(woken(&crowd), [0_usize; 0], "the head has the slots it had");
    crowd.drop_one(1);
    assert_eq!(
        woken(&crowd),
        [0_usize; 0],
        "it wakes in time, when half of its wait is over"
    );
    crowd.drop_one(2);
    assert_eq!(woken(&crowd), [3], "the head is earlier");
    assert!(crowd.settle().is_empty());
    assert_eq!(woken(&crowd), [0_usize; 0]);
    let start = timer.now();
    let ended = crowd.run(&timer, Instant::FAR_FUTURE);
    let times: Vec<_> = ended
        .iter()
        .map(|(place, when, _)| (*place, (*when - start).as_secs()))
        .collect();
    assert_eq!(times, [(3, 3), (5, 6), (6, 9), (7, 12)]);
}

/// T7
#[test]
fn when_a_probe_succeeds_the_next_goes_at_once() {
    let (bucket, timer, mut crowd) = crowd(quota(60, MINUTE, 60, SECOND), 5);
    let start = timer.now();
    bucket.pause_until(start + MINUTE, start);
    let mut ended = crowd.run(&timer, start + MINUTE + SECOND / 2);
    let (place, _, probe) = ended.pop().unwrap();
    let probe = probe.unwrap();
    assert!(probe.is_probe());
    assert_eq!(place, 1);
    timer.advance(3 * SECOND);
    assert!(crowd.settle().is_empty());
    let answered = timer.now();
    probe.succeeded(answered);
    assert_eq!(
        woken(&crowd),
        [2, 3],
        "who may go, and who is the head then"
    );
    let ended = crowd.run(&timer, Instant::FAR_FUTURE);
    let times: Vec<_> = ended.iter().map(|(_, when, _)| *when - answered).collect();
    assert_eq!(times, [Duration::ZERO, SECOND, 2 * SECOND]);
}

/// T5: one who never comes keeps those behind it no longer than half of their wait.
#[test]
fn a_head_that_is_dead_stalls_nobody() {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(one_a_second()).wakeups(true).build();
    let start = timer.now();
    let dead = [(); 2].map(|()| bucket.reserve(Cost::ONE, start).unwrap());
    let mut crowd = Crowd::new((0..40).map(|_| {
        let reservation = bucket.reserve(Cost::ONE, start).unwrap();
        reservation.ready(timer.clone())
    }));
    crowd.settle();
    (0..38).for_each(|place| crowd.drop_one(place));
    // The two that are left had slots at 40 s, and have them at 2 s.
    let ended = crowd.run(&timer, Instant::FAR_FUTURE);
    assert_eq!(ended.len(), 2);
    assert!(
        ended[1].1 - start <= 21 * SECOND,
        "{:?}",
        ended[1].1 - start
    );
    assert_eq!(status(&bucket, &timer).totals.overdue, 2);
    drop(dead);
}

/// T5
#[test]
fn nothing_is_kept_of_those_who_are_forgotten() {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(one_a_second()).wakeups(true).build();
    let mut forgotten = Vec::new();
    for round in 0..1_000_u32 {
        let mut task = tokio_test::task::spawn(
            bucket
                .reserve(Cost::ONE, timer.now())
                .unwrap()
                .ready(timer.clone()),
        );
        let _ = task.poll();
        forgotten.push(task);
        timer.set(timer.now() + SECOND);
        let status = status(&bucket, &timer);
        assert_eq!(status.queued, 0);
        assert_eq!(status.totals.accepted, u64::from(round + 1));
    }
}

/// T4, T5: who was woken is stuck. The others sleep for half of their wait at most.
#[test]
fn one_who_is_woken_and_never_comes_is_waited_for_until_half_of_the_wait_is_over() {
    let (_, timer, mut crowd) = crowd(one_a_second(), 102);
    (1..100).for_each(|place| crowd.drop_one(place));
    assert_eq!(woken(&crowd), [100], "the head is earlier");
    let _stuck = crowd.tasks[100].take();
    let start = timer.now();
    let ended = crowd.run(&timer, start + HOUR);
    let [(101, when, departed)] = ended.as_slice() else {
        panic!("{ended:?}")
    };
    assert!(departed.is_ok());
    let half = (101 * SECOND) / 2;
    assert!(*when - start <= half, "{:?}", *when - start);
}

/// T5, T7: who was woken when a probe had succeeded is stuck. The others sleep until its time would have been over.
#[test]
fn one_who_is_woken_and_never_comes_is_waited_for_as_long_as_for_a_probe() {
    for used in [false, true] {
        let timer = ManualTimer::new();
        let bucket = Bucket::builder(one_a_second())
            .max_wait(HOUR)
            .probe_timeout(MINUTE)
            .wakeups(true)
            .build();
        bucket.pause_for(SECOND, timer.now());
        timer.advance(2 * SECOND);
        let start = timer.now();
        let probe = bucket.try_depart(Cost::ONE, start).expect("it is free");
        let reserve = |_| bucket.reserve(Cost::ONE, start).expect("there is room");
        let mut crowd = Crowd::new((0..12).map(|at| reserve(at).ready(timer.clone())));
        crowd.settle();
        timer.advance(10 * SECOND);
        probe.succeeded(timer.now());
        assert_eq!(woken(&crowd), [0, 1], "one has its slot, one is the head");
        let _stuck = [0, 1].map(|at| crowd.tasks[at].take());
        let mut begins = start + MINUTE;
        if used {
            // Whoever looks at the bucket once the slot has passed wakes the next.
            timer.advance(3 * SECOND / 2);
            status(&bucket, &timer);
            assert_eq!(woken(&crowd), [2]);
            begins = timer.now() + SECOND / 2;
        }
        let ended = crowd.run(&timer, start + HOUR);
        assert_eq!(ended.len(), 10);
        let (_, first, _) = ended[0];
        let (_, last, _) = ended[9];
        assert!(first <= begins, "{:?}", first - start);
        assert!(last <= begins + 10 * SECOND, "{:?}", last - start);
    }
}
