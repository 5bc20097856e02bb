//! The laws by example, in virtual time.

use super::{super::window::Window, MILLI, PATIENCE, SECOND, quota};
use crate::{
    Quota,
    ledger::{Ledger, Report, Ticket, Verdict},
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const START: u64 = 3_600 * SECOND;

fn ledger(quota: Quota) -> Ledger {
    Ledger::new(&quota, PATIENCE)
}

/// One a second, no burst.
fn one_a_second() -> Ledger {
    ledger(quota(60, 60 * SECOND, 1, 0))
}

fn join_all(ledger: &mut Ledger, count: usize, now: u64) -> Vec<Ticket> {
    (0..count).map(|_| ledger.acquires(now, 1)).collect()
}

/// T1
#[test]
fn a_burst_departs_spaced_and_the_rest_at_the_rate_until_the_window_is_full() {
    let mut ledger = ledger(Quota::GITHUB);
    let slots: Vec<_> = (0..40)
        .map(|_| {
            let at = ledger.quote(START, 1);
            ledger.acquires(START, 1);
            at - START
        })
        .collect();
    let tenths: Vec<_> = slots[..10].iter().map(|at| at / (100 * MILLI)).collect();
    assert_eq!(tenths, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "the burst");
    let seconds: Vec<_> = slots[10..30].iter().map(|at| at / SECOND).collect();
    let rate: Vec<_> = (1..21).map(|place| 2 * place).collect();
    assert_eq!(seconds, rate, "one in two seconds");
    assert_eq!(
        slots[30],
        60 * SECOND,
        "the window is full before the rate is"
    );
    assert_eq!(slots[31], 60 * SECOND + 100 * MILLI);
}

/// T1
#[test]
fn the_window_is_strict_after_an_idle_time_too() {
    let mut ledger = ledger(quota(3, 60 * SECOND, 3, 0));
    let mut departures = Vec::new();
    let mut now = START;
    for idle in [0, 59, 1, 30, 31, 600, 1, 1, 57] {
        now += idle * SECOND;
        for _ in 0..3 {
            if ledger.quote(now, 1) <= now {
                let mut ticket = ledger.acquires(now, 1);
                ledger.departs(&mut ticket, now);
                departures.push(now);
            }
        }
    }
    assert_eq!(departures.len(), 12, "{departures:?}");
    for four in departures.windows(4) {
        assert!(four[3] - four[0] >= 60 * SECOND, "{four:?}");
    }
}

/// T1
#[test]
fn a_late_departure_keeps_the_next_one_away() {
    let mut ledger = ledger(quota(60, 60 * SECOND, 60, 100 * MILLI));
    let mut first = ledger.joins(START, START);
    let mut second = ledger.joins(START, START + 100 * MILLI);
    ledger.departs(&mut first, START + 70 * MILLI);
    ledger.refuses(&mut second, START + 100 * MILLI, START + 170 * MILLI);
    ledger.departs(&mut second, START + 170 * MILLI);
}

/// T3
#[test]
fn those_who_come_on_time_depart_in_the_order_of_their_arrival() {
    let mut ledger = one_a_second();
    let mut tickets = join_all(&mut ledger, 20, START);
    for (place, ticket) in (1..20).rev().zip(tickets.iter_mut().rev()) {
        ledger.refuses(ticket, START, START + place * SECOND);
    }
    for (place, ticket) in (0..).zip(&mut tickets) {
        ledger.departs(ticket, START + place * SECOND);
    }
}

/// T3: after a stall all are late at once. Each is told its own time, so that nobody comes in vain.
#[test]
fn those_who_are_late_together_get_times_in_the_order_in_which_they_ask() {
    let mut ledger = ledger(quota(600, 60 * SECOND, 600, 50 * MILLI));
    let mut tickets = join_all(&mut ledger, 200, START);
    let resumed = START + 60 * SECOND;
    let mut told = Vec::new();
    for ticket in &mut tickets {
        match ledger.commit(ticket, resumed) {
            Ok(_) => told.push(resumed),
            Err(Verdict::NotUntil(at)) => told.push(at),
            Err(verdict) => panic!("{verdict:?}"),
        }
    }
    for (place, at) in (0..).zip(&told) {
        assert_eq!(*at, resumed + place * 50 * MILLI);
    }
    assert_eq!(
        ledger.quote(resumed, 1),
        resumed + 200 * 50 * MILLI,
        "a newcomer is behind them"
    );
    for (ticket, at) in tickets.iter_mut().zip(told).skip(1) {
        ledger.departs(ticket, at);
    }
}

/// T4: a program that was suspended goes on, and those whose slots have passed are given up one after the other.
#[test]
fn those_who_were_late_together_and_leave_are_waited_for_by_nobody() {
    for backwards in [false, true] {
        let mut ledger = ledger(quota(600, 60 * SECOND, 600, 50 * MILLI));
        let mut tickets = join_all(&mut ledger, 200, START);
        let resumed = START + 60 * SECOND;
        ledger.departs(&mut tickets[0], resumed);
        for (place, ticket) in (1..).zip(&mut tickets[1..]) {
            ledger.refuses(ticket, resumed, resumed + place * 50 * MILLI);
        }
        let mut newcomer = ledger.joins(resumed, resumed + 200 * 50 * MILLI);
        // All but one in the middle.
        let mut stays = tickets.remove(100);
        if backwards {
            tickets[1..].reverse();
        }
        for ticket in &tickets[1..] {
            ledger.cancels(ticket, resumed);
        }
        ledger.refuses(&mut stays, resumed, resumed + 50 * MILLI);
        ledger.refuses(&mut newcomer, resumed, resumed + 100 * MILLI);
        assert_eq!(ledger.quote(resumed, 1), resumed + 150 * MILLI);
        ledger.cancels(&stays, resumed);
        ledger.refuses(&mut newcomer, resumed, resumed + 50 * MILLI);
        ledger.cancels(&newcomer, resumed);
        assert_eq!(ledger.quote(resumed, 1), resumed + 50 * MILLI, "as ever");
    }
}

/// T4: one who leaves when its turn has come has spent its slot, but not another one as well.
#[test]
fn one_who_was_late_and_leaves_when_its_turn_has_come_delays_nobody() {
    let mut ledger = ledger(quota(1, 60 * SECOND, 1, 0));
    let mut tickets = join_all(&mut ledger, 2, START);
    let resumed = START + 300 * SECOND;
    ledger.departs(&mut tickets[0], resumed);
    ledger.refuses(&mut tickets[1], resumed, resumed + 60 * SECOND);
    ledger.cancels(&tickets[1], resumed + 60 * SECOND);
    let mut last = ledger.joins(resumed + 60 * SECOND, resumed + 60 * SECOND);
    ledger.departs(&mut last, resumed + 60 * SECOND);
}

/// T3: also those who are suspended twice do not all come at once.
#[test]
fn those_who_are_late_a_second_time_line_up_again() {
    let mut ledger = ledger(quota(600, 60 * SECOND, 600, 50 * MILLI));
    let mut tickets = join_all(&mut ledger, 100, START);
    for resumed in [START + 60 * SECOND, START + 120 * SECOND] {
        let mut first = tickets.pop().unwrap();
        ledger.departs(&mut first, resumed);
        for (place, ticket) in (1..).zip(&mut tickets) {
            ledger.refuses(ticket, resumed, resumed + place * 50 * MILLI);
        }
    }
}

/// T1: a suspended program does not let go at once what was planned to go one by one.
#[test]
fn never_more_than_a_burst_departs_at_once_however_late() {
    for burst in 1..4 {
        let mut ledger = ledger(quota(60, 60 * SECOND, burst, 0));
        let mut tickets = join_all(&mut ledger, 7, START);
        let resumed = START + 30 * SECOND;
        for (place, ticket) in (1..).zip(&mut tickets) {
            let at = resumed + SECOND * place.max(u64::from(burst)) - SECOND * u64::from(burst);
            if at > resumed {
                ledger.refuses(ticket, resumed, at);
            }
            ledger.departs(ticket, at.max(resumed));
        }
    }
}

/// T5: and a promise that is not kept costs one spacing.
#[test]
fn one_who_is_promised_a_time_and_never_comes_stalls_nobody() {
    let mut ledger = ledger(quota(600, 60 * SECOND, 600, 50 * MILLI));
    let mut tickets = join_all(&mut ledger, 3, START);
    let resumed = START + SECOND;
    ledger.departs(&mut tickets[0], resumed);
    ledger.refuses(&mut tickets[1], resumed, resumed + 50 * MILLI);
    ledger.refuses(&mut tickets[2], resumed, resumed + 100 * MILLI);
    ledger.departs(&mut tickets[2], resumed + 100 * MILLI);
}

/// T5: who is late and cannot use a time, because something else keeps it, asks and has none kept for it.
#[test]
fn who_only_asks_costs_one_slot_however_often_it_asks() {
    let mut ledger = one_a_second();
    let tickets = join_all(&mut ledger, 3, START);
    let mut at = START + 2 * SECOND;
    for turn in 0..100 {
        let mut other = ledger.acquires(at, 1);
        for _ in 0..3 {
            for ticket in &tickets {
                let verdict = ledger.check(ticket, at);
                let expected = if turn == 0 {
                    Verdict::Due
                } else {
                    Verdict::Late(at + SECOND)
                };
                assert_eq!(verdict, expected);
            }
        }
        at += SECOND;
        ledger.departs(&mut other, at);
    }
}

/// T4: twenty wait at one a second; ten in the middle leave at once; a newcomer waits ten seconds and not twenty.
#[test]
fn cancels_in_the_middle_move_everybody_behind_forward() {
    for backwards in [false, true] {
        let mut ledger = one_a_second();
        let mut tickets = join_all(&mut ledger, 20, START);
        let mut leaving: Vec<_> = tickets.drain(5..15).collect();
        if backwards {
            leaving.reverse();
        }
        for ticket in &leaving {
            ledger.cancels(ticket, START);
        }
        assert_eq!(ledger.quote(START, 1), START + 10 * SECOND);
        for (place, ticket) in (0..).zip(&mut tickets) {
            ledger.departs(ticket, START + place * SECOND);
        }
    }
}

/// T4
#[test]
fn a_cancel_leaves_the_ledger_as_if_nobody_had_come() {
    let mut ledger = ledger(Quota::GITHUB);
    let mut first = ledger.joins(START, START);
    ledger.departs(&mut first, START);
    let before = ledger.quote(START, 1);
    for cost in [1, 3, 10] {
        let ticket = ledger.acquires(START, cost);
        assert_eq!(ledger.queued(), 1);
        ledger.cancels(&ticket, START);
        assert_eq!((ledger.queued(), ledger.quote(START, 1)), (0, before));
        assert_eq!(ledger.available(), 9);
    }
}

/// T4
#[test]
fn a_slot_whose_time_has_passed_is_spent() {
    let mut ledger = one_a_second();
    let mut tickets = join_all(&mut ledger, 3, START);
    ledger.cancels(&tickets[0], START);
    ledger.refuses(&mut tickets[1], START, START + SECOND);
    ledger.cancels(&tickets[1], START + SECOND);
    ledger.refuses(&mut tickets[2], START + SECOND, START + 2 * SECOND);
}

/// T4: of a ticket with several units, those to come go back.
#[test]
fn what_is_left_of_a_costly_ticket_goes_back() {
    let mut ledger = ledger(quota(60, 60 * SECOND, 3, 0));
    let first = ledger.acquires(START, 3);
    let costly = ledger.acquires(START, 3);
    let mut last = ledger.acquires(START, 1);
    ledger.refuses(&mut last, START, START + 4 * SECOND);
    ledger.cancels(&costly, START + SECOND);
    ledger.refuses(&mut last, START + SECOND, START + 2 * SECOND);
    ledger.cancels(&first, START + SECOND);
    assert_eq!(ledger.queued(), 1);
}

/// T5
#[test]
fn one_who_is_forgotten_costs_one_slot() {
    let mut ledger = one_a_second();
    let mut tickets = join_all(&mut ledger, 4, START);
    ledger.departs(&mut tickets[0], START);
    // The second is never heard of again.
    ledger.departs(&mut tickets[2], START + 2 * SECOND);
    ledger.departs(&mut tickets[3], START + 3 * SECOND);
    assert_eq!(ledger.quote(START + 3 * SECOND, 1), START + 4 * SECOND);
    assert_eq!(ledger.queued(), 0, "nothing is kept of it");
}

/// T7
#[test]
fn a_pause_moves_those_who_wait_and_a_shorter_one_changes_nothing() {
    let mut ledger = ledger(quota(60, 60 * SECOND, 60, SECOND));
    let mut tickets = join_all(&mut ledger, 3, START);
    ledger.departs(&mut tickets[0], START);
    let until = START + 30 * SECOND;
    ledger.pause(until, START);
    ledger.pause(START + 10 * SECOND, START);
    ledger.refuses(&mut tickets[1], START + SECOND, until);
    ledger.refuses(&mut tickets[2], START + SECOND, until + SECOND);
    assert_eq!(ledger.paused_until(), Some(until));
    assert_eq!(ledger.quote(START + SECOND, 1), until + 2 * SECOND);
}

/// T7
#[test]
fn those_whose_slot_had_passed_are_paused_too() {
    let mut ledger = ledger(quota(60, 60 * SECOND, 60, SECOND));
    let mut tickets = join_all(&mut ledger, 2, START);
    let until = START + 30 * SECOND;
    ledger.pause(until, START);
    ledger.refuses(&mut tickets[0], START, until);
    ledger.refuses(&mut tickets[1], START, until + SECOND);
}

/// A pause of a second, and three who wait for its end.
fn paused() -> (Ledger, Vec<Ticket>, u64) {
    let mut ledger = ledger(quota(60, 60 * SECOND, 60, 100 * MILLI));
    ledger.pause(START + SECOND, START);
    let tickets = join_all(&mut ledger, 3, START);
    (ledger, tickets, START + SECOND)
}

/// T7
#[test]
fn after_a_pause_one_goes_first_and_the_rest_when_it_has_succeeded() {
    let (mut ledger, mut tickets, over) = paused();
    let probe = ledger.departs(&mut tickets[0], over);
    assert!(probe.is_probe);
    assert_eq!(ledger.lapses(), Some(over + PATIENCE));
    let later = over + 800 * MILLI;
    ledger.refuses(&mut tickets[1], later, later + 10 * MILLI);
    ledger.refuses(&mut tickets[2], later, later + 110 * MILLI);
    assert_eq!(
        ledger.queued(),
        2,
        "slots do not pass while nobody may use them"
    );
    ledger.succeeded(probe.number, later);
    assert!(!ledger.departs(&mut tickets[1], later).is_probe);
    ledger.refuses(&mut tickets[2], later, later + 100 * MILLI);
    ledger.departs(&mut tickets[2], later + 100 * MILLI);
}

/// T7
#[test]
fn a_probe_that_fails_lets_the_next_one_probe_at_once() {
    let (mut ledger, mut tickets, over) = paused();
    let probe = ledger.departs(&mut tickets[0], over);
    ledger.lost(probe.number, over + 500 * MILLI);
    let second = ledger.departs(&mut tickets[1], over + 500 * MILLI);
    assert!(second.is_probe);
    // Nobody minds the first one any more.
    ledger.lost(probe.number, over + 600 * MILLI);
    assert!(ledger.is_probing());
}

/// T7
#[test]
fn a_silent_probe_is_taken_as_lost_and_counts_if_it_succeeds_after_all() {
    let (mut ledger, mut tickets, over) = paused();
    let probe = ledger.departs(&mut tickets[0], over);
    ledger.refuses(&mut tickets[1], over + PATIENCE - MILLI, over + PATIENCE);
    let second = ledger.departs(&mut tickets[1], over + PATIENCE);
    assert!(second.is_probe);
    ledger.succeeded(probe.number, over + PATIENCE + 100 * MILLI);
    assert!(!ledger.is_probing());
    ledger.departs(&mut tickets[2], over + PATIENCE + 100 * MILLI);
}

/// T7
#[test]
fn only_what_departed_after_the_pause_began_proves_that_it_is_over() {
    let mut ledger = ledger(quota(60, 60 * SECOND, 60, 0));
    let mut early = ledger.acquires(START, 1);
    let early = ledger.departs(&mut early, START);
    ledger.pause(START + SECOND, START);
    ledger.succeeded(early.number, START + SECOND);
    let mut ticket = ledger.acquires(START + SECOND, 1);
    assert!(ledger.departs(&mut ticket, START + SECOND).is_probe);
}

/// T7
#[test]
fn a_probe_that_is_refused_again_starts_another_pause() {
    let (mut ledger, mut tickets, over) = paused();
    let probe = ledger.departs(&mut tickets[0], over);
    ledger.pause(over + 5 * SECOND, over + 100 * MILLI);
    ledger.lost(probe.number, over + 100 * MILLI);
    ledger.refuses(&mut tickets[1], over + SECOND, over + 5 * SECOND);
    assert!(ledger.departs(&mut tickets[1], over + 5 * SECOND).is_probe);
}

/// T7
#[test]
fn refusals_in_a_row_are_counted_once_for_each_time_until_a_success() {
    let mut ledger = ledger(quota(60, 60 * SECOND, 60, 0));
    let mut tickets = join_all(&mut ledger, 3, START);
    let departed: Vec<_> = tickets
        .iter_mut()
        .map(|ticket| ledger.departs(ticket, START))
        .collect();
    for departed in &departed {
        assert_eq!(ledger.strike(departed.number), 1, "one and the same time");
        ledger.pause(START + SECOND, START);
    }
    let mut ticket = ledger.acquires(START, 1);
    let probe = ledger.departs(&mut ticket, START + SECOND);
    assert_eq!(ledger.strike(probe.number), 2);
    ledger.pause(START + 3 * SECOND, START + SECOND);
    let mut ticket = ledger.acquires(START + SECOND, 1);
    let probe = ledger.departs(&mut ticket, START + 3 * SECOND);
    ledger.succeeded(probe.number, START + 3 * SECOND);
    assert_eq!(ledger.strike(probe.number + 1), 1);
}

/// T8
#[test]
fn nothing_departs_once_the_server_has_nothing_left_and_nothing_faster_if_it_has_much() {
    let mut ledger = ledger(quota(10, 60 * SECOND, 10, 0));
    let report = |remaining| Report {
        limit: Some(5_000),
        remaining: Some(remaining),
        resets_at: START + 30 * SECOND,
        window: 77 * SECOND,
        counts_requests: true,
    };
    let mut ticket = ledger.acquires(START, 1);
    let first = ledger.departs(&mut ticket, START);
    ledger.observe(first.number, report(4_999), START);
    assert_eq!(ledger.available(), 9, "never more than our own limit");
    ledger.observe(first.number, report(2), START);
    for _ in 0..2 {
        let mut ticket = ledger.acquires(START, 1);
        ledger.departs(&mut ticket, START);
    }
    assert_eq!(ledger.view().unwrap().remaining, Some(0));
    assert_eq!(ledger.quote(START, 1), START + 30 * SECOND);
    assert_eq!(ledger.available(), 0);
}

/// T8: a reply knows nothing of what departed after its request.
#[test]
fn what_departed_since_is_deducted_from_what_a_reply_says_is_left() {
    let mut ledger = ledger(quota(10, 60 * SECOND, 10, 0));
    let mut tickets = join_all(&mut ledger, 4, START);
    let departed: Vec<_> = tickets
        .iter_mut()
        .map(|ticket| ledger.departs(ticket, START))
        .collect();
    let report = Report {
        limit: Some(5_000),
        remaining: Some(3),
        resets_at: START + 30 * SECOND,
        window: 77 * SECOND,
        counts_requests: true,
    };
    ledger.observe(departed[2].number, report, START);
    assert_eq!(
        ledger.view().unwrap().remaining,
        Some(2),
        "one is under way"
    );
    ledger.observe(departed[0].number, report, START);
    assert_eq!(ledger.view().unwrap().remaining, Some(0));
    assert_eq!(ledger.paused_until(), Some(START + 30 * SECOND));
}

/// Departs `count` times, and hears after the last that nothing is left of `limit` for `resets_in`.
fn exhausted(quota: Quota, count: usize, limit: Option<u64>, resets_in: u64) -> (Ledger, u64) {
    let mut ledger = ledger(quota);
    let mut number = 0;
    for _ in 0..count {
        let mut ticket = ledger.acquires(START, 1);
        number = ledger.departs(&mut ticket, START).number;
    }
    let report = Report {
        limit,
        remaining: Some(0),
        resets_at: START + resets_in,
        window: resets_in,
        counts_requests: true,
    };
    ledger.observe(number, report, START);
    let next = ledger.quote(START, 1) - START;
    (ledger, next)
}

/// T8: a client that uses the whole of a limit hears "nothing left" in every window, and loses nothing by it.
#[test]
fn a_server_that_has_nothing_left_of_what_we_used_up_pauses_nobody() {
    let thirty = quota(30, 60 * SECOND, 30, 0);
    for limit in [Some(30), None] {
        let (ledger, next) = exhausted(thirty, 30, limit, 62 * SECOND);
        assert_eq!(next, 60 * SECOND, "the window opens when it opens");
        assert_eq!(ledger.paused_until(), None);
    }
}

/// T8: what others have used of the limit, or a window longer than ours, is news.
#[test]
fn a_server_that_has_nothing_left_for_another_reason_pauses_everybody() {
    let thirty = quota(30, 60 * SECOND, 30, 0);
    for (count, limit, resets_in, why) in [
        (29, Some(30), 45, "somebody else used one"),
        (30, Some(31), 45, "somebody else used one of more"),
        (30, Some(30), 3600, "its window is an hour"),
        (29, None, 45, "it does not say of what, and we used less"),
    ] {
        let (ledger, _) = exhausted(thirty, count, limit, resets_in * SECOND);
        let until = START + resets_in * SECOND;
        assert_eq!(ledger.paused_until(), Some(until), "{why}");
    }
}

/// T8: seconds cannot tell one window of a second from the next.
#[test]
fn a_window_shorter_than_the_server_can_tell_is_ours_to_keep() {
    let fast = quota(600, SECOND, 600, 0);
    let (mut ledger, _) = exhausted(fast, 600, Some(600), 3 * SECOND);
    assert_eq!(ledger.paused_until(), None);
    // Half a window later, what the server says may still be of the one before.
    let later = START + 2 * SECOND;
    for mut ticket in join_all(&mut ledger, 300, later) {
        ledger.departs(&mut ticket, later);
    }
    let report = |resets_in| Report {
        limit: Some(600),
        remaining: Some(0),
        resets_at: later + resets_in,
        window: later + resets_in,
        counts_requests: true,
    };
    ledger.observe(899, report(3 * SECOND), later);
    assert_eq!(ledger.paused_until(), None);
    ledger.observe(899, report(60 * SECOND), later);
    assert_eq!(ledger.paused_until(), Some(later + 60 * SECOND));
}

/// T8: departures at an even pace, each a little late, never quite fill a window. A server that slides its own, and tells its
/// end in whole seconds, is no reason to stop all the same.
#[test]
fn an_even_pace_at_the_limit_is_not_stopped_by_what_the_server_says_of_it() {
    const LATE: u64 = SECOND / 1000;
    for (limit, period) in [(40, SECOND), (30, 5 * SECOND), (30, 60 * SECOND)] {
        let mut ledger = ledger(quota(limit, period, 1, 0));
        let mut departures: Vec<u64> = Vec::new();
        let mut now = START;
        for _ in 0..limit * 5 {
            let mut ticket = ledger.acquires(now, 1);
            let number = loop {
                match ledger.commit(&mut ticket, now) {
                    Ok(departed) => break departed.number,
                    Err(Verdict::NotUntil(at)) => now = at + LATE,
                    Err(verdict) => panic!("{verdict:?}"),
                }
            };
            departures.push(now);
            let counted = departures.iter().filter(|&&at| now - at < period);
            let oldest = counted.clone().next().copied().unwrap_or(now);
            let remaining = u64::from(limit).checked_sub(u64::try_from(counted.count()).unwrap());
            // In whole seconds after those of the reply's date, and one more for what that cuts off.
            let window = (oldest + period).div_ceil(SECOND) * SECOND;
            let resets_at = now + window - now / SECOND * SECOND + SECOND;
            let report = Report {
                limit: Some(limit.into()),
                remaining,
                resets_at,
                window,
                counts_requests: true,
            };
            ledger.observe(number, report, now);
            assert_eq!(
                ledger.paused_until(),
                None,
                "after {} of {limit}",
                departures.len()
            );
        }
        let took = now - START;
        assert!(
            took < period * 5 + period / 4,
            "{limit} in {period}: {took}"
        );
    }
}

/// T8: bursts of the whole limit, window after window, each as soon as the one before it has left.
#[test]
fn the_end_of_a_window_that_has_just_begun_is_a_window_away() {
    let hundred = quota(100, 4 * SECOND, 100, 0);
    let mut ledger = ledger(hundred);
    for burst in 0..3 {
        let now = START + burst * 4 * SECOND;
        for (n, mut ticket) in (0..).zip(join_all(&mut ledger, 100, now)) {
            let number = ledger.departs(&mut ticket, now).number;
            let resets_at = now + 6 * SECOND;
            let report = Report {
                limit: Some(100),
                remaining: Some(99 - n),
                resets_at,
                window: resets_at,
                counts_requests: true,
            };
            ledger.observe(number, report, now);
            assert_eq!(ledger.paused_until(), None, "{n} of burst {burst}");
        }
    }
}

/// T8: what is in flight is deducted from what a reply says remains, although the server may have counted it. That nothing is
/// left then is caution, and no reason to stop until the window ends, unless somebody else has used a part.
#[test]
fn what_is_in_flight_is_not_taken_for_somebody_elses() {
    let hundred = quota(100, 4 * SECOND, 100, 0);
    for (remaining, pauses) in [(5, false), (4, true), (0, true)] {
        let mut ledger = ledger(hundred);
        for mut ticket in join_all(&mut ledger, 95, START) {
            ledger.departs(&mut ticket, START);
        }
        // It answers the 80th, and has counted all 95.
        let report = Report {
            limit: Some(100),
            remaining: Some(remaining),
            resets_at: START + 6 * SECOND,
            window: START + 6 * SECOND,
            counts_requests: true,
        };
        ledger.observe(79, report, START);
        let until = pauses.then_some(START + 6 * SECOND);
        assert_eq!(ledger.paused_until(), until, "{remaining} remain");
    }
}

/// T8: who does not know of what so much is left does not know what was counted.
#[test]
fn what_is_left_of_an_unknown_limit_is_not_reckoned_from_ours() {
    let hundred = quota(100, 4 * SECOND, 100, 0);
    for (limit, pauses) in [(Some(100), false), (None, true)] {
        let mut ledger = ledger(hundred);
        for mut ticket in join_all(&mut ledger, 95, START) {
            ledger.departs(&mut ticket, START);
        }
        // It may be of ten.
        let report = Report {
            limit,
            remaining: Some(5),
            resets_at: START + 6 * SECOND,
            window: START + 6 * SECOND,
            counts_requests: true,
        };
        ledger.observe(79, report, START);
        let until = pauses.then_some(START + 6 * SECOND);
        assert_eq!(ledger.paused_until(), until, "{limit:?}");
    }
}

/// T8: a short window that we did not use up was used up by somebody else.
#[test]
fn a_short_window_that_others_have_used_up_pauses_everybody() {
    let fast = quota(600, SECOND, 600, 0);
    for (count, limit, why) in [
        (599, Some(600), "somebody else used one"),
        (300, Some(600), "somebody else used half"),
        (300, None, "it does not say of what, and we used less"),
        (600, Some(599), "it permits less than we do"),
    ] {
        let (ledger, _) = exhausted(fast, count, limit, 3 * SECOND);
        assert_eq!(ledger.paused_until(), Some(START + 3 * SECOND), "{why}");
    }
    // The window was full, but that is long ago.
    let (mut ledger, _) = exhausted(fast, 600, None, 3 * SECOND);
    let later = START + 4 * SECOND;
    let mut ticket = ledger.acquires(later, 1);
    let departed = ledger.departs(&mut ticket, later);
    let report = Report {
        limit: Some(600),
        remaining: Some(0),
        resets_at: later + SECOND,
        window: later + SECOND,
        counts_requests: true,
    };
    ledger.observe(departed.number, report, later);
    assert_eq!(ledger.paused_until(), Some(later + SECOND));
}

/// T9
#[test]
fn a_clock_that_steps_back_or_stands_still_gives_nobody_anything() {
    let mut ledger = one_a_second();
    let mut tickets = join_all(&mut ledger, 3, START);
    ledger.departs(&mut tickets[0], START);
    ledger.refuses(&mut tickets[1], START, START + SECOND);
    ledger.refuses(&mut tickets[1], START - 100 * SECOND, START + SECOND);
    ledger.departs(&mut tickets[1], START + SECOND);
    ledger.refuses(&mut tickets[2], 0, START + 2 * SECOND);
    ledger.departs(&mut tickets[2], START + 2 * SECOND);
}

/// T9
#[test]
fn times_at_the_end_of_the_world_saturate() {
    let leap_year = 366 * 24 * 3_600 * SECOND;
    for quota in [
        quota(1, leap_year, 1, leap_year),
        quota(u32::MAX, leap_year, u32::MAX, leap_year),
        quota(u32::MAX, u64::from(u32::MAX), 1, 0),
    ] {
        let mut ledger = ledger(quota);
        for now in [0, 1, u64::MAX - 1, u64::MAX] {
            let mut tickets = join_all(&mut ledger, 5, now);
            ledger.pause(u64::MAX, now);
            for ticket in &mut tickets {
                let _ = ledger.commit(ticket, now);
            }
            let _ = (ledger.quote(now, 1), ledger.available());
            ledger.cancels(&tickets[4], now);
        }
    }
}

/// T11
#[test]
fn a_costly_call_departs_with_its_last_unit_and_counts_as_many() {
    let mut ledger = ledger(quota(10, 10 * SECOND, 5, 0));
    let mut first = ledger.acquires(START, 5);
    ledger.departs(&mut first, START);
    let mut second = ledger.acquires(START, 3);
    ledger.refuses(&mut second, START, START + 3 * SECOND);
    ledger.departs(&mut second, START + 3 * SECOND);
    assert_eq!(ledger.quote(START + 3 * SECOND, 2), START + 5 * SECOND);
    assert_eq!(ledger.quote(START + 3 * SECOND, 3), START + 10 * SECOND);
}

/// T11
#[test]
fn a_raised_quota_moves_those_who_wait_forward_and_a_lowered_one_back() {
    let mut ledger = one_a_second();
    let mut tickets = join_all(&mut ledger, 4, START);
    ledger.departs(&mut tickets[0], START);
    ledger.change_quota(&quota(600, 60 * SECOND, 1, 0), START);
    ledger.refuses(&mut tickets[1], START, START + 100 * MILLI);
    ledger.refuses(&mut tickets[3], START, START + 300 * MILLI);
    ledger.change_quota(&quota(6, 60 * SECOND, 1, 0), START);
    ledger.refuses(&mut tickets[1], START, START + 10 * SECOND);
    ledger.departs(&mut tickets[1], START + 10 * SECOND);
}

/// T11: the plan repeats itself every period, but not at once: its first round follows a past without a spacing.
#[test]
fn a_past_without_a_spacing_is_no_pattern_for_a_plan_with_one() {
    let mut ledger = ledger(quota(4, 100 * MILLI, 4, 0));
    for at in [10, 97, 98, 99] {
        let mut ticket = ledger.acquires(START + at * MILLI, 1);
        ledger.departs(&mut ticket, START + at * MILLI);
    }
    let now = START + 100 * MILLI;
    ledger.change_quota(&quota(4, 100 * MILLI, 4, 10 * MILLI), now);
    let slots: Vec<_> = (0..12)
        .map(|_| {
            let at = ledger.quote(now, 1);
            ledger.acquires(now, 1);
            (at - START) / MILLI
        })
        .collect();
    assert_eq!(slots[..4], [110, 197, 207, 217]);
    assert_eq!(
        slots[4..8],
        [227, 297, 307, 317],
        "later than a period after the first"
    );
    assert_eq!(slots[8..], [327, 397, 407, 417], "now it repeats itself");
}

/// T11: what departed under another quota counts, also if a narrow quota was between.
#[test]
fn a_change_of_quota_forgets_no_departure() {
    let mut ledger = ledger(quota(5, 60 * SECOND, 5, 0));
    for mut ticket in join_all(&mut ledger, 5, START) {
        ledger.departs(&mut ticket, START);
    }
    let later = START + SECOND;
    ledger.change_quota(&quota(1, 60 * SECOND, 1, 0), later);
    ledger.change_quota(&quota(6, 60 * SECOND, 6, 0), later);
    assert_eq!(ledger.available(), 1);
    let mut last = ledger.joins(later, later);
    ledger.departs(&mut last, later);
    assert_eq!(ledger.quote(later, 1), START + 60 * SECOND);
}

/// T11, T12
#[test]
fn a_ticket_that_is_dearer_than_a_new_burst_is_told_so() {
    let mut ledger = ledger(quota(10, 10 * SECOND, 5, 0));
    let mut ticket = ledger.acquires(START, 5);
    ledger.change_quota(&quota(10, 10 * SECOND, 4, 0), START);
    assert_eq!(ledger.commit(&mut ticket, START), Err(Verdict::TooDear));
}

/// T1: the limit is so large that the window is coarse.
#[test]
fn a_coarse_window_never_lets_too_many_through() {
    let limit = 10_000;
    let mut window = Window::new(limit, SECOND);
    assert!(!window.is_exact());
    let fits = window.room(START, limit);
    assert!(fits <= limit && fits >= limit - 6, "{fits} of {limit}");
    window.push(START, fits);
    assert_eq!(window.room(START, limit), 0);
    assert_eq!(window.opens(1), START + SECOND);
}

/// T1: a plan with groups of units is one that departures agree with.
#[test]
fn a_coarse_plan_and_coarse_departures_agree() {
    let limit = 9_000;
    let mut ledger = ledger(quota(limit, SECOND, limit, 0));
    let mut departures = Vec::new();
    for _ in 0..30_000 {
        let at = ledger.quote(START, 1);
        departures.push((ledger.acquires(START, 1), at));
    }
    let mut times = Vec::new();
    for (ticket, at) in &mut departures {
        ledger.departs(ticket, *at);
        times.push(*at);
    }
    let limit = usize::try_from(limit).unwrap();
    for (early, late) in times.iter().zip(&times[limit..]) {
        assert!(late - early >= SECOND);
    }
    assert!(
        times[29_999] <= START + 3 * SECOND + 2 * MILLI,
        "98 % and more"
    );
}
