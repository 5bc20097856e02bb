//! Buckets without HTTP: reservations, sets, status.

mod common;

use common::{Crowd, MILLI, MINUTE, SECOND, SetBack, one_a_second, quota, status};
use egress_time::{Clock, Instant, ManualTimer};
use egress_token_bucket::{Bucket, BucketSet, Cost, Quota, RateLimited, Reason};
use std::time::Duration;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn ready(bucket: &Bucket, timer: &ManualTimer) -> egress_token_bucket::Ready<ManualTimer> {
    let reservation = bucket.reserve(Cost::ONE, timer.now());
    reservation.expect("there is room").ready(timer.clone())
}

#[test]
fn it_departs_at_once_or_not_at_all() {
    let (bucket, timer) = (Bucket::new(one_a_second()), ManualTimer::new());
    let now = timer.now();
    drop(bucket.try_depart(Cost::ONE, now).unwrap());
    let refused = bucket.try_depart(Cost::ONE, now).unwrap_err();
    assert_eq!(refused.reason, Reason::NotNow);
    assert_eq!(refused.retry_after, SECOND);
    assert_eq!(status(&bucket, &timer).totals.refused, 1);
    drop(bucket.try_depart(Cost::ONE, now + SECOND).unwrap());
}

/// T3
#[test]
fn first_come_first_served_at_the_permitted_rate() {
    for wakeups in [false, true] {
        let timer = ManualTimer::new();
        let bucket = Bucket::builder(one_a_second()).wakeups(wakeups).build();
        let start = timer.now();
        let mut crowd = Crowd::new((0..20).map(|_| ready(&bucket, &timer)));
        let ended = crowd.run(&timer, Instant::FAR_FUTURE);
        for (place, (who, when, departure)) in (0..20).zip(ended) {
            assert_eq!(who, place);
            assert_eq!(when - start, SECOND * u32::try_from(place).unwrap());
            assert!(!departure.unwrap().is_probe());
        }
    }
}

/// T4: also by those who learn of it only when they ask again.
#[test]
fn when_some_in_the_middle_leave_the_others_are_as_fast_as_without_them() {
    for (wakeups, late) in [(true, Duration::ZERO), (false, SECOND)] {
        let timer = ManualTimer::new();
        let bucket = Bucket::builder(one_a_second()).wakeups(wakeups).build();
        let start = timer.now();
        let mut crowd = Crowd::new((0..20).map(|_| ready(&bucket, &timer)));
        crowd.settle();
        (5..15).for_each(|place| crowd.drop_one(place));
        assert_eq!(status(&bucket, &timer).next_slot - start, 10 * SECOND);
        let ended = crowd.run(&timer, Instant::FAR_FUTURE);
        let (_, last, _) = ended.last().unwrap();
        assert!(*last - start >= 9 * SECOND);
        assert!(*last - start <= 9 * SECOND + late, "{:?}", *last - start);
        assert_eq!(ended.len(), 9, "and one before");
    }
}

/// T4: a slot whose time has passed is spent, even if its owner leaves before anybody looked at the clock.
#[test]
fn one_who_leaves_after_its_time_has_spent_its_slot() {
    for (leaves_after, next) in [(SECOND / 2, SECOND), (SECOND, 2 * SECOND)] {
        let (bucket, timer) = (Bucket::new(one_a_second()), ManualTimer::new());
        let start = timer.now();
        let mut crowd = Crowd::new((0..2).map(|_| ready(&bucket, &timer)));
        assert_eq!(crowd.settle().len(), 1);
        timer.advance(leaves_after);
        crowd.drop_one(1);
        assert_eq!(status(&bucket, &timer).next_slot, start + next);
    }
}

/// T6
#[test]
fn a_wait_that_would_be_too_long_is_refused_at_once_and_spends_nothing() {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(one_a_second())
        .name("slow")
        .max_wait(3 * SECOND)
        .build();
    let now = timer.now();
    let held: Vec<_> = (0..4)
        .map(|_| bucket.reserve(Cost::ONE, now).unwrap())
        .collect();
    let before = status(&bucket, &timer);
    let refused = bucket.reserve(Cost::ONE, now).unwrap_err();
    assert_eq!(&*refused.bucket, "slow");
    assert_eq!(
        refused.to_string(),
        "rate limit \"slow\": the slot is beyond the longest wait of 3s; 3 waiting, next slot in 4s"
    );
    assert!(
        matches!(refused.reason, Reason::WaitTooLong { max_wait, .. } if max_wait == 3 * SECOND)
    );
    assert_eq!(refused.retry_at, now + 4 * SECOND);
    assert_eq!((refused.retry_after, refused.queued), (4 * SECOND, 3));
    assert_eq!(refused.waited, Duration::ZERO);
    let after = status(&bucket, &timer);
    assert_eq!(
        (after.next_slot, after.queued),
        (before.next_slot, before.queued)
    );
    assert_eq!(after.totals.refused, 1);
    drop(held);
}

/// T6
#[test]
fn a_deadline_or_a_full_queue_refuses_too() {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(one_a_second()).max_queued(1).build();
    let set = BucketSet::from(bucket.clone());
    let now = timer.now();
    let _first = set.reserve_until(Cost::ONE, now, now).unwrap();
    let late = set.reserve_until(Cost::ONE, now, now + 999 * MILLI);
    assert_eq!(late.unwrap_err().reason, Reason::DeadlineTooSoon);
    let second = set.reserve_until(Cost::ONE, now, now + SECOND).unwrap();
    let full = set.reserve(Cost::ONE, now).unwrap_err();
    assert!(matches!(
        full.reason,
        Reason::QueueFull { max_queued: 1, .. }
    ));
    drop(second);
    assert!(set.reserve(Cost::ONE, now).is_ok());
    assert_eq!(status(&bucket, &timer).totals.refused, 2);
}

/// T6: one who waits is not left asleep for an hour.
#[test]
fn a_pause_that_makes_the_wait_too_long_refuses_those_who_wait() {
    for (wakeups, late) in [(true, Duration::ZERO), (false, SECOND)] {
        let timer = ManualTimer::new();
        let bucket = Bucket::builder(one_a_second())
            .max_wait(30 * SECOND)
            .wakeups(wakeups)
            .build();
        let mut crowd = Crowd::new((0..20).map(|_| ready(&bucket, &timer)));
        assert_eq!(crowd.settle().len(), 1);
        timer.advance(SECOND / 2);
        let now = timer.now();
        // The first ten or so can still make it.
        bucket.pause_for(20 * SECOND, now);
        let ended = crowd.run(&timer, now + late);
        assert_eq!(ended.len(), 9, "with wake-ups: {wakeups}");
        for (who, _, result) in ended {
            assert!(who >= 10, "{who}");
            let refused = result.unwrap_err();
            assert!(matches!(refused.reason, Reason::WaitTooLong { .. }));
            assert!(refused.waited >= SECOND / 2 && refused.waited <= SECOND / 2 + late);
        }
        let status = status(&bucket, &timer);
        assert_eq!((status.totals.revoked, status.queued), (9, 10));
        assert_eq!(status.paused_until, Some(now + 20 * SECOND));
    }
}

/// T6: timers that are late are nobody's fault.
#[test]
fn nobody_is_refused_for_having_waited_a_little_longer() {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(quota(60, MINUTE, 1, SECOND))
        .max_wait(2 * SECOND)
        .build();
    let start = timer.now();
    let mut crowd = Crowd::new((0..3).map(|_| ready(&bucket, &timer)));
    assert_eq!(crowd.settle().len(), 1);
    timer.advance(5 * SECOND);
    let ended = crowd.run(&timer, Instant::FAR_FUTURE);
    let times: Vec<_> = ended.iter().map(|(_, when, _)| *when - start).collect();
    assert_eq!(times, [5 * SECOND, 6 * SECOND]);
    assert!(ended.iter().all(|(_, _, departure)| departure.is_ok()));
}

/// T9
#[test]
fn timers_that_fire_early_and_clocks_that_step_back_let_nobody_go_early() {
    let (bucket, timer) = (Bucket::new(one_a_second()), ManualTimer::new());
    let start = timer.now();
    let mut crowd = Crowd::new((0..3).map(|_| ready(&bucket, &timer)));
    assert_eq!(crowd.settle().len(), 1);
    for _ in 0..5 {
        timer.fire_early();
        assert!(crowd.settle().is_empty());
    }
    timer.set(start - 10 * SECOND);
    assert!(crowd.settle().is_empty());
    let ended = crowd.run(&timer, Instant::FAR_FUTURE);
    let times: Vec<_> = ended.iter().map(|(_, when, _)| *when - start).collect();
    assert_eq!(times, [SECOND, 2 * SECOND]);
}

/// T9: those who wait go on waiting for what was left, and not until the clock is where it was.
#[test]
fn a_clock_that_is_set_back_keeps_nobody_waiting_for_an_hour() {
    for wakeups in [false, true] {
        let timer = ManualTimer::new();
        let clock = SetBack::new(&timer);
        let bucket = Bucket::builder(one_a_second()).wakeups(wakeups).build();
        let start = timer.now();
        let mut crowd = Crowd::new((0..20).map(|_| {
            let reservation = bucket.reserve(Cost::ONE, clock.now()).unwrap();
            reservation.ready(clock.clone())
        }));
        let mut ended = crowd.run(&timer, start + 5 * SECOND);
        clock.set_back(MINUTE * 59);
        ended.extend(crowd.run(&timer, start + MINUTE));
        assert_eq!(ended.len(), 20, "with wake-ups: {wakeups}");
        assert!(ended.is_sorted_by_key(|(place, _, _)| *place));
        for pair in ended.windows(2) {
            assert!(pair[1].1 - pair[0].1 >= SECOND, "and nobody is early");
        }
        let last = ended[19].1 - start;
        assert!(last <= 21 * SECOND + MILLI, "{last:?}");
    }
}

/// T6, T7, T9: what is said in terms of the clock is meant by the clock as it is.
#[test]
fn pauses_deadlines_and_answers_are_by_the_clock_that_was_set_back() {
    let timer = ManualTimer::new();
    let clock = SetBack::new(&timer);
    let bucket = Bucket::new(one_a_second());
    let set = BucketSet::from(bucket.clone());
    drop(bucket.try_depart(Cost::ONE, clock.now()).unwrap());
    clock.set_back(MINUTE * 50);
    let now = clock.now();
    let refused = bucket.try_depart(Cost::ONE, now).unwrap_err();
    assert_eq!(
        (refused.retry_at, refused.retry_after),
        (now + SECOND, SECOND)
    );
    assert_eq!(bucket.status(now).next_slot, now + SECOND);
    let late = set.reserve_until(Cost::ONE, now, now + 999 * MILLI);
    assert_eq!(late.unwrap_err().reason, Reason::DeadlineTooSoon);
    let reservation = set.reserve_until(Cost::ONE, now, now + SECOND).unwrap();
    let mut waiting = Crowd::new([reservation.ready(clock.clone())]);
    assert!(waiting.settle().is_empty());
    bucket.pause_for(30 * SECOND, now);
    assert_eq!(bucket.status(now).paused_until, Some(now + 30 * SECOND));
    let ended = waiting.run(&timer, timer.now() + SECOND);
    let refused = ended[0].2.as_ref().unwrap_err();
    assert_eq!(refused.reason, Reason::DeadlineTooSoon);
    assert_eq!(refused.retry_at, now + 30 * SECOND);
}

/// T10
#[test]
fn a_set_departs_when_all_agree_and_pays_all() {
    let timer = ManualTimer::new();
    let (fast, slow) = (
        Bucket::new(Quota::GITHUB),
        Bucket::new(quota(10, MINUTE, 1, 5 * SECOND)),
    );
    let set = BucketSet::new([fast.clone(), slow.clone(), fast.clone()]);
    assert_eq!(set.buckets().len(), 2, "each once");
    let start = timer.now();
    for _ in 0..3 {
        let reservation = set.reserve(Cost::ONE, timer.now()).unwrap();
        drop(timer.run(reservation.ready(timer.clone())).unwrap());
    }
    assert_eq!(timer.now() - start, 12 * SECOND);
    assert_eq!(status(&fast, &timer).totals.departed, 3);
    assert_eq!(status(&slow, &timer).totals.departed, 3);
}

/// T10
#[test]
fn a_refusal_by_one_leaves_the_others_as_they_were() {
    let timer = ManualTimer::new();
    let now = timer.now();
    let open = Bucket::new(Quota::GITHUB);
    let closed = Bucket::builder(one_a_second()).max_wait(SECOND).build();
    closed.pause_for(MINUTE, now);
    // In whatever order their addresses are.
    let before = status(&open, &timer);
    for set in [
        BucketSet::new([open.clone(), closed.clone()]),
        [closed.clone(), open.clone()].into_iter().collect(),
    ] {
        assert!(set.reserve(Cost::ONE, now).is_err());
        assert!(set.try_depart(Cost::ONE, now).is_err());
        assert_eq!(status(&open, &timer), before);
    }
    assert_eq!(status(&closed, &timer).totals.refused, 4);
}

/// T10
#[test]
fn a_refusal_later_gives_back_what_the_others_hold() {
    let timer = ManualTimer::new();
    let now = timer.now();
    let (one, other) = (Bucket::new(one_a_second()), Bucket::new(one_a_second()));
    let set = BucketSet::new([one.clone(), other.clone()]);
    drop(set.try_depart(Cost::ONE, now).unwrap());
    let mut waiting = Crowd::new([set.reserve(Cost::ONE, now).unwrap().ready(timer.clone())]);
    waiting.settle();
    other.pause_for(2 * MINUTE, now);
    let ended = waiting.run(&timer, now + SECOND);
    assert!(ended[0].2.is_err());
    let status = status(&one, &timer);
    assert_eq!((status.queued, status.totals.revoked), (0, 1));
    assert_eq!(status.totals.overdue, 0);
}

/// T11
#[test]
fn a_change_of_quota_is_for_those_who_wait_too() {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(one_a_second()).wakeups(true).build();
    let start = timer.now();
    let mut crowd = Crowd::new((0..5).map(|_| ready(&bucket, &timer)));
    crowd.settle();
    let fast = quota(600, MINUTE, 1, Duration::ZERO);
    bucket.set_quota(fast, start);
    assert_eq!(bucket.quota(), fast);
    let ended = crowd.run(&timer, Instant::FAR_FUTURE);
    assert_eq!(ended.last().unwrap().1 - start, 400 * MILLI);
}

/// T11, T12
#[test]
fn a_cost_that_can_never_depart_is_refused() {
    let timer = ManualTimer::new();
    let cost = Quota::GITHUB.cost(5).unwrap();
    let small = Bucket::new(Quota::ANTHROPIC);
    let refused = small.reserve(cost, timer.now()).unwrap_err();
    assert!(matches!(
        refused.reason,
        Reason::CostAboveBurst {
            cost: 5,
            burst: 2,
            ..
        }
    ));
    assert_eq!(refused.retry_at, Instant::FAR_FUTURE);

    let bucket = Bucket::new(quota(10, MINUTE, 5, Duration::ZERO));
    let _spent = bucket.try_depart(cost, timer.now()).unwrap();
    let mut waiting = Crowd::new([bucket
        .reserve(cost, timer.now())
        .unwrap()
        .ready(timer.clone())]);
    waiting.settle();
    bucket.set_quota(quota(10, MINUTE, 4, Duration::ZERO), timer.now());
    let ended = waiting.run(&timer, timer.now() + SECOND);
    let refused: &RateLimited = ended[0].2.as_ref().unwrap_err();
    assert!(matches!(refused.reason, Reason::CostAboveBurst { .. }));
    assert_eq!(status(&bucket, &timer).queued, 0);
}

/// T11
#[test]
fn the_status_tells_what_is_available_and_who_waits() {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(Quota::GITHUB).name("github").build();
    let idle = status(&bucket, &timer);
    assert_eq!((&*idle.name, idle.quota), ("github", Quota::GITHUB));
    assert_eq!((idle.available, idle.maximum, idle.queued), (10, 10, 0));
    assert_eq!(idle.next_slot, timer.now());
    assert_eq!((idle.paused_until, idle.server), (None, None));

    let now = timer.now();
    drop(bucket.try_depart(Cost::ONE, now).unwrap());
    let spent = status(&bucket, &timer);
    assert_eq!((spent.available, spent.next_slot), (9, now + 100 * MILLI));

    let _waiting: Vec<_> = (0..3)
        .map(|_| bucket.reserve(Cost::ONE, now).unwrap())
        .collect();
    let busy = status(&bucket, &timer);
    assert_eq!((busy.available, busy.queued), (0, 3));
    assert_eq!(busy.next_slot, now + 400 * MILLI);

    bucket.pause_for(MINUTE, now);
    let paused = status(&bucket, &timer);
    assert_eq!(paused.paused_until, Some(now + MINUTE));
    assert_eq!(paused.next_slot, now + MINUTE + 300 * MILLI);
    timer.advance(MINUTE + SECOND);
    let over = status(&bucket, &timer);
    assert_eq!((over.paused_until, over.queued), (None, 0));
    assert_eq!(over.totals.overdue, 3, "their slots have passed");
}

/// T7
#[test]
fn a_probe_that_is_dropped_lets_the_next_one_go() {
    let timer = ManualTimer::new();
    let bucket = Bucket::new(quota(60, MINUTE, 60, Duration::ZERO));
    bucket.pause_for(SECOND, timer.now());
    timer.advance(SECOND);
    let probe = bucket.try_depart(Cost::ONE, timer.now()).unwrap();
    assert!(probe.is_probe() && status(&bucket, &timer).probing);
    assert!(bucket.try_depart(Cost::ONE, timer.now()).is_err());
    drop(probe);
    let probe = bucket.try_depart(Cost::ONE, timer.now()).unwrap();
    probe.succeeded(timer.now());
    let next = bucket.try_depart(Cost::ONE, timer.now()).unwrap();
    assert!(!next.is_probe() && !status(&bucket, &timer).probing);
}

/// T5, T7: a probe may be forgotten, as on Workers when a client goes away.
#[test]
fn a_probe_that_is_forgotten_costs_its_timeout() {
    for wakeups in [false, true] {
        let timer = ManualTimer::new();
        let bucket = Bucket::builder(quota(60, MINUTE, 60, Duration::ZERO))
            .probe_timeout(3 * SECOND)
            .wakeups(wakeups)
            .build();
        let start = timer.now();
        bucket.pause_for(SECOND, start);
        let mut crowd = Crowd::new((0..2).map(|_| ready(&bucket, &timer)));
        let mut ended = crowd.run(&timer, start + 3 * SECOND);
        assert_eq!(ended.len(), 1);
        let _never_answered = ended.pop().unwrap();
        let ended = crowd.run(&timer, start + 5 * SECOND);
        let late = ended[0].1 - (start + 4 * SECOND);
        assert!(late <= SECOND, "{late:?}");
        assert!(ended[0].2.as_ref().unwrap().is_probe());
    }
}

#[test]
fn an_empty_set_waits_for_nothing() {
    let timer = ManualTimer::new();
    let nothing = BucketSet::new([]);
    drop(nothing.try_depart(Cost::ONE, timer.now()).unwrap());
    let reservation = nothing.reserve(Cost::ONE, timer.now()).unwrap();
    drop(timer.run(reservation.ready(timer.clone())).unwrap());
}
