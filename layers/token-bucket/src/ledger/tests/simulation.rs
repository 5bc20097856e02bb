//! Many callers in virtual time: how much of what is permitted departs, and what the server sees.

use super::{MILLI, PATIENCE, SECOND, quota};
use crate::{
    Quota,
    ledger::{Departed, Ledger, Ticket, Verdict, nanos},
};
use std::{cmp::Reverse, collections::BinaryHeap};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const START: u64 = 1_000 * SECOND;

/// A caller's next event.
#[derive(Debug)]
enum Event {
    Ask(Ticket),
    Answer(Departed, Option<u64>),
}

/// Callers who each keep one call waiting or in flight, for ever.
struct Simulation<'a> {
    ledger: Ledger,
    quota: Quota,
    events: BinaryHeap<Reverse<(u64, usize)>>,
    callers: Vec<Option<Event>>,
    departures: Vec<u64>,
    refusals: usize,
    asked: usize,
    rng: fastrand::Rng,
    /// How late a timer fires, and how late an exact one.
    late: (u64, u64),
    latency: u64,
    /// What the server says: to stay away until then, or nothing.
    server: &'a dyn Fn(u64) -> Option<u64>,
    forgets: &'a dyn Fn(u64) -> bool,
}

impl<'a> Simulation<'a> {
    fn new(quota: Quota, callers: usize) -> Self {
        Self {
            ledger: Ledger::new(&quota, PATIENCE),
            quota,
            events: BinaryHeap::new(),
            callers: (0..callers).map(|_| None).collect(),
            departures: Vec::new(),
            refusals: 0,
            asked: 0,
            rng: fastrand::Rng::with_seed(7),
            late: (0, 0),
            latency: 0,
            server: &|_| None,
            forgets: &|_| false,
        }
    }

    fn join(&mut self, caller: usize, now: u64) {
        let at = self.ledger.quote(now, 1);
        let mut ticket = self.ledger.acquires(now, 1);
        while (self.forgets)(ticket.id) {
            ticket = self.ledger.acquires(now, 1);
        }
        self.sleep(caller, now, at, Event::Ask(ticket));
    }

    fn sleep(&mut self, caller: usize, now: u64, until: u64, event: Event) {
        let is_short = until.saturating_sub(now) <= 10 * MILLI;
        let late = if is_short { self.late.1 } else { self.late.0 };
        let at = until.max(now) + self.rng.u64(0..=late);
        self.callers[caller] = Some(event);
        self.events.push(Reverse((at, caller)));
    }

    fn run(&mut self, until: u64) {
        for caller in 0..self.callers.len() {
            self.join(caller, START);
        }
        while let Some(Reverse((now, caller))) = self.events.pop() {
            if now >= until {
                self.events.push(Reverse((now, caller)));
                return;
            }
            match self.callers[caller].take().unwrap() {
                Event::Ask(ticket) => self.ask(caller, ticket, now),
                Event::Answer(departed, refused) => self.answer(caller, departed, refused, now),
            }
        }
    }

    fn ask(&mut self, caller: usize, mut ticket: Ticket, now: u64) {
        self.asked += 1;
        match self.ledger.commit(&mut ticket, now) {
            Ok(departed) => {
                self.departures.push(now);
                let answer = Event::Answer(departed, (self.server)(now));
                self.callers[caller] = Some(answer);
                self.events.push(Reverse((now + self.latency, caller)));
            }
            Err(Verdict::NotUntil(at)) => self.sleep(caller, now, at, Event::Ask(ticket)),
            Err(verdict) => panic!("{verdict:?}"),
        }
    }

    fn answer(&mut self, caller: usize, departed: Departed, refused: Option<u64>, now: u64) {
        match refused {
            Some(until) => {
                self.refusals += 1;
                self.ledger.pause(until, now);
                self.ledger.lost(departed.number, now);
            }
            None if departed.is_probe => self.ledger.succeeded(departed.number, now),
            None => {}
        }
        self.join(caller, now);
    }

    /// T1
    fn obeyed(&self) {
        let limit = usize::try_from(self.quota.limit()).unwrap();
        let period = nanos(self.quota.period());
        for (early, late) in self
            .departures
            .iter()
            .zip(self.departures.iter().skip(limit))
        {
            assert!(
                late - early >= period,
                "more than {limit} from {early} to {late}"
            );
        }
        for pair in self.departures.windows(2) {
            assert!(pair[1] - pair[0] >= nanos(self.quota.spacing()));
        }
        // One more than the burst takes one call's share of the period, two more take two, and so on.
        let burst = u64::from(self.quota.burst());
        let mut arrival = 0;
        for at in self
            .departures
            .iter()
            .map(|at| at * u64::from(self.quota.limit()))
        {
            assert!(
                arrival <= at + (burst - 1) * period,
                "more than {burst} at once"
            );
            arrival = arrival.max(at) + period;
        }
    }
}

fn share(count: usize, of: u64) -> f64 {
    let number = |number: u64| f64::from(u32::try_from(number).unwrap());
    number(u64::try_from(count).unwrap()) / number(of)
}

/// T1: a token bucket of the same numbers lets 59 through in the worst window.
#[test]
fn github_never_sees_more_than_thirty_in_a_minute() {
    let mut simulation = Simulation::new(Quota::GITHUB, 50);
    simulation.run(START + 600 * SECOND);
    simulation.obeyed();
    assert_eq!(simulation.departures.len(), 300);
}

/// T1: a long run uses at least 98 % of what is permitted, with timers that are up to a millisecond late.
#[test]
fn almost_everything_that_is_permitted_departs() {
    for (quota, per_minute) in [
        (Quota::GITHUB, 30),
        (Quota::GITHUB_SEARCH, 10),
        (Quota::ANTHROPIC, 5),
        (Quota::EXTERNAL, 60),
        (quota(60, 60 * SECOND, 1, 0), 60),
        (quota(7, SECOND, 3, 0), 7 * 60),
        (quota(100, SECOND, 100, 0), 100 * 60),
        // The spacing limits: 200 a second.
        (quota(600, SECOND, 10, 5 * MILLI), 200 * 60),
        (quota(600, SECOND, 1, 5 * MILLI), 200 * 60),
        // The burst is what there is to make up for a late timer.
        (quota(200, SECOND, 1, 0), 200 * 60),
        (quota(200, SECOND, 2, 0), 200 * 60),
        (quota(600, SECOND, 2, 0), 600 * 60),
        (quota(600, SECOND, 10, 0), 600 * 60),
    ] {
        for late in [(0, 0), (MILLI, MILLI / 20)] {
            let mut simulation = Simulation::new(quota, 150);
            simulation.late = late;
            simulation.run(START + 300 * SECOND);
            simulation.obeyed();
            let share = share(simulation.departures.len(), per_minute * 5);
            assert!(share >= 0.98, "{share} of {quota:?} with {late:?}");
            let asks = share.max(1.0) * 3.0 * f64::from(u32::try_from(per_minute * 5).unwrap());
            let asked = f64::from(u32::try_from(simulation.asked).unwrap());
            assert!(asked < asks, "{asked} asked for {quota:?}: a herd");
        }
    }
}

/// T5
#[test]
fn one_in_twenty_who_is_forgotten_costs_one_slot_each() {
    let mut simulation = Simulation::new(Quota::GITHUB, 40);
    simulation.forgets = &|id| id % 20 == 0;
    simulation.run(START + 1_200 * SECOND);
    simulation.obeyed();
    let slots = simulation.ledger.counts().accepted - simulation.ledger.queued() as u64;
    let departed = simulation.departures.len() as u64;
    assert_eq!(slots, 600, "no slot was missed");
    assert_eq!(departed, slots - slots / 20);
}

/// T7: one refusal pauses everybody.
#[test]
fn forty_callers_meet_a_refusal_and_hardly_any_meets_another() {
    let refused = |from: u64| (START + 100 * SECOND..START + 130 * SECOND).contains(&from);
    let mut simulation = Simulation::new(Quota::EXTERNAL, 40);
    simulation.latency = 300 * MILLI;
    let server = |now: u64| refused(now).then_some(START + 130 * SECOND);
    simulation.server = &server;
    simulation.run(START + 600 * SECOND);
    simulation.obeyed();
    assert!(
        (1..=5).contains(&simulation.refusals),
        "{} refusals",
        simulation.refusals
    );
    assert!(simulation.departures.len() > 560);
}

/// T7
#[test]
fn probes_that_all_die_do_not_stop_the_rest() {
    let mut simulation = Simulation::new(Quota::GITHUB, 40);
    // Nobody is ever answered within the patience for a probe.
    simulation.latency = 60 * SECOND;
    simulation.ledger.pause(START + SECOND, START);
    simulation.run(START + 601 * SECOND);
    simulation.obeyed();
    // One in ten seconds for the first minute, until the first answer opens the gate.
    assert!(
        simulation.departures.len() >= 6 + 9 * 30,
        "{} departed",
        simulation.departures.len()
    );
}

/// T4: each of these costs O(log n), or the test would not end.
#[test]
fn a_hundred_thousand_wait_and_half_of_them_leave() {
    let count = 100_000;
    let mut ledger = Ledger::new(&quota(1_000, SECOND, 10, 0), PATIENCE);
    let mut tickets: Vec<_> = (0..count)
        .map(|_| Some(ledger.acquires(START, 1)))
        .collect();
    let mut order: Vec<_> = (0..count).collect();
    fastrand::Rng::with_seed(3).shuffle(&mut order);
    for &place in order.iter().filter(|&&place| place % 2 == 1) {
        ledger.cancel(&tickets[place].take().unwrap());
    }
    assert!(ledger.queued() <= count / 2);
    ledger.pause(START + SECOND, START);
    let mut latest = 0;
    for ticket in tickets.iter_mut().flatten() {
        if let Verdict::NotUntil(at) = ledger.asks(ticket, START) {
            assert!(at >= latest || at == START + SECOND, "in order");
            latest = at;
        }
    }
    // Fifty thousand at a thousand a second.
    assert!((START + 50 * SECOND..START + 52 * SECOND).contains(&latest));
    ledger.advance(latest);
    assert_eq!(ledger.queued(), 0);
}

/// T4: also of those whose slots have passed; else a program that was suspended would be busy with them for an hour.
#[test]
fn a_hundred_thousand_are_late_and_half_of_them_leave() {
    let count = 100_000;
    let mut ledger = Ledger::new(&quota(1_000, SECOND, 10, 0), PATIENCE);
    let mut tickets: Vec<_> = (0..count)
        .map(|_| Some(ledger.acquires(START, 1)))
        .collect();
    let resumed = START + 3_600 * SECOND;
    for ticket in tickets.iter_mut().flatten() {
        let _ = ledger.commit(ticket, resumed);
    }
    let departed = usize::try_from(ledger.counts().departed).unwrap();
    assert_eq!(departed, 10, "the burst");
    let mut order: Vec<_> = (departed..count).collect();
    fastrand::Rng::with_seed(3).shuffle(&mut order);
    for &place in order.iter().filter(|&&place| place % 2 == 1) {
        ledger.cancel(&tickets[place].take().unwrap());
    }
    // The others are as far in front as the rate allows, but for the burst that is in the first window.
    let mut told = Vec::new();
    for ticket in tickets[departed..].iter_mut().flatten() {
        match ledger.commit(ticket, resumed) {
            Err(Verdict::NotUntil(at)) => told.push(at),
            verdict => panic!("{verdict:?}"),
        }
    }
    assert!(told.is_sorted());
    for (place, at) in (1..).zip(told) {
        let at_the_rate = resumed + place * MILLI;
        assert!((at_the_rate..=at_the_rate + 10 * MILLI).contains(&at));
    }
    assert!(ledger.quote(resumed, 1) <= resumed + 50_010 * MILLI);
}
