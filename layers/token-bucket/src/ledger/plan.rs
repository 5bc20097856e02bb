//! When the units to come may depart, whoever they are.
//!
//! **The times depend on those before them, not on who waits: a cancel changes none of them, it only moves people.**
//!
//! # The plan of a long queue
//!
//! The time `x[k]` of the k-th unit from now (k from 0) is the earliest that is
//! - not before `x[k−1] + s`, with the spacing `s`;
//! - not before `x[k−N] + P`: the window of N units in a period P is strict;
//! - not before what the rate allows, which unfolds to `x[k−d] + g(d)` with `g(d) = ⌈(d − B + 1)·P/N⌉` for a burst B;
//! - for the first N units, not before what departures of the past ask for.
//!
//! From k = 2N on, **`x[k] = x[k−N] + R` with `R = max(P, N·s)`**, so a plan never needs more than 2N times, however
//! long the queue. Call "short" the steps of the first and the third kind, of fewer than N places (one of N or more is
//! implied by the second kind and shorter ones). A short step over d places is never worth more than `d·R/N`: `s` is
//! not, by definition, and `g(d) < (d − B + 1)·P/N + 1 ≤ d·P/N` when B ≥ 2, since a quota has a nanosecond for each
//! call; when B = 1 the rate always binds and is itself a spacing of `⌈P/N⌉`, which `s` then includes.
//!
//! `x[k]` is reached from its predecessors by steps that bind. Let k ≥ 2N and follow them back from k as long as they
//! are short and k−N is not reached. All units met have places above k−N ≥ N, so nothing else binds them.
//!
//! 1. The walk meets the place k−N. Then `x[k] ≤ x[k−N] + N·R/N`.
//! 2. It jumps over k−N, from i = k−N−m with a step `g(d)`. A whole number of at most `(N+m−d)·P/N` and `g(d)` make at
//!    most `⌈(m − B + 1)·P/N⌉ + P`, which is `g(m) + P`, and `x[k−N] ≥ x[i] + g(m)`; if the spacing is what binds in the
//!    long run, the steps make at most `(N+m)·s`, and `x[k−N] ≥ x[i] + m·s`. Either way `x[k] ≤ x[k−N] + R`.
//! 3. It stops at i > k−N because a step of the second kind binds there. Then `x[i] = x[i−N] + P`, and the short steps
//!    from i to k also lead from i−N to k−N, so `x[k] ≤ x[k−N] + P`.
//!
//! The other direction: `x[k] ≥ x[k−N] + P` is a rule, and `x[k] ≥ x[k−N] + N·s` are N steps of the first kind. ∎
//!
//! A window with groups (see [`Window`]) has other rounds; there the plan is as long as the queue.

use super::{fine::Fine, pace::Pace, window::Window};
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Plan {
    pace: Pace,
    /// The theoretical arrival time of the first unit to come, as in GCRA.
    arrival: Fine,
    /// Units whose time has come, used or not.
    spent: Window,
    /// No unit before this.
    floor: u64,
    /// No unit before this either, whatever becomes of the floor: others go first.
    barrier: u64,
    /// The theoretical arrival time after those.
    barrier_arrival: Fine,
    /// The first units to come; worked out when asked for.
    ahead: VecDeque<u64>,
    /// The theoretical arrival time after those.
    ahead_arrival: Fine,
}

impl Plan {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            arrival: Fine::default(),
            spent: Window::new(pace.limit, pace.period),
            floor: 0,
            barrier: 0,
            barrier_arrival: Fine::default(),
            ahead: VecDeque::new(),
            ahead_arrival: Fine::default(),
        }
    }

    pub(super) const fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Returns the time of the first unit to come.
    pub(super) fn first(&self) -> u64 {
        if let Some(&first) = self.ahead.front() {
            return first;
        }
        let spaced = self.spaced(self.spent.newest());
        (self.floor.max(self.barrier).max(spaced))
            .max(self.pace.conforms(self.arrives()))
            .max(self.spent.opens(1))
    }

    /// Returns the time of the unit that `before` others come before.
    pub(super) fn slot(&mut self, before: u64) -> u64 {
        let limit = u64::from(self.pace.limit);
        let (place, rounds) = if before < 2 * limit || !self.spent.is_exact() {
            (before, 0)
        } else {
            let place = limit + before % limit;
            (place, (before - place) / limit)
        };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        while self.ahead.len() <= place {
            self.extend();
        }
        let late = rounds.saturating_mul(self.pace.round);
        self.ahead[place].saturating_add(late)
    }

    fn extend(&mut self) {
        let (at, arrival) = match self.ahead.back() {
            None => (self.first(), self.arrives()),
            Some(&last) => {
                let arrival = self.ahead_arrival;
                let at = self
                    .spaced(Some(last))
                    .max(self.pace.conforms(arrival))
                    .max(self.spent.opens_after(&self.ahead));
                (at, arrival)
            }
        };
        self.ahead_arrival = self.pace.step(arrival, at);
        self.ahead.push_back(at);
    }

    /// The time of the first unit, which is this, has come.
    pub(super) fn spend(&mut self, at: u64) {
        self.ahead.pop_front();
        self.arrival = self.pace.step(self.arrives(), at);
        self.spent.push(at, 1);
    }

    /// Spends the first unit if its time has come and nobody waits, which is nearly always.
    pub(super) fn spend_at_once(&mut self, now: u64) -> bool {
        let is_due = self.ahead.is_empty()
            && self.floor <= now
            && self.barrier <= now
            && self.spaced(self.spent.newest()) <= now
            && self.pace.permits(self.arrival, now)
            && self.pace.permits(self.barrier_arrival, now)
            && self.spent.fits(now);
        if is_due {
            self.floor = now;
            self.arrival = if self.barrier_arrival.is_before(now) {
                self.pace.step(self.arrival, now)
            } else {
                self.pace.step(self.arrives(), now)
            };
            self.spent.push(now, 1);
        }
        is_due
    }

    /// Nobody waits: a time that has passed unused is nobody's.
    pub(super) fn idle(&mut self, now: u64) {
        self.floor = self.floor.max(now);
        if self.ahead.front().is_some_and(|&first| first < now) {
            self.ahead.clear();
        }
    }

    /// Puts the first unit at `floor`, or as soon after it as may be.
    pub(super) fn restart(&mut self, floor: u64) {
        self.floor = floor;
        self.ahead.clear();
    }

    /// Puts all units behind others that have no slots here, of which the `last` departs then, so that one more could
    /// follow at the `end` and has this `arrival`. If they were put further back, they move forward again.
    ///
    /// Those that are only just behind the last stay where they are: in a long run of departures that are each a little
    /// late, the plan is made anew once in a slot's worth of lateness and not at each of them.
    pub(super) fn stay_behind(&mut self, last: Option<u64>, end: u64, arrival: Fine) {
        let end = last.map_or(end, |last| end.max(last.saturating_add(1)));
        let collides = last.is_some_and(|last| self.first() <= last);
        if collides || self.barrier > end {
            self.barrier = end;
            self.barrier_arrival = arrival;
            self.ahead.clear();
        }
    }

    /// Returns how many units rate and window allow at `now`, apart from the spacing.
    pub(super) fn tokens(&self, now: u64) -> u32 {
        let tokens = self.pace.tokens(self.arrives(), now);
        self.spent.room(now, tokens)
    }

    pub(super) fn change_pace(&mut self, pace: Pace, now: u64) {
        self.arrival = pace.take_over(&self.pace, self.arrival, now);
        self.spent = self.spent.resized(pace.limit, pace.period);
        self.pace = pace;
        self.barrier = 0;
        self.barrier_arrival = Fine::default();
        self.ahead.clear();
    }

    /// The theoretical arrival time of the first unit to come, if others may go before it.
    fn arrives(&self) -> Fine {
        self.arrival.max(self.barrier_arrival)
    }

    fn spaced(&self, after: Option<u64>) -> u64 {
        after.map_or(0, |at| at.saturating_add(self.pace.spacing))
    }
}
