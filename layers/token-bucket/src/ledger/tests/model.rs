//! The reference: the whole queue is planned anew after everything that happens, with no structure to go wrong.

use super::PATIENCE;
use crate::{
    Quota,
    ledger::{FLOAT, nanos},
};
use std::collections::{HashMap, VecDeque};

/// Everything that happened, oldest first, and how much that is forgotten was before it.
#[derive(Clone, Debug, Default)]
struct History(Vec<u64>, usize);

impl History {
    fn opens(&self, limit: u64, period: u64, units: u64) -> u64 {
        let back = usize::try_from(limit + 1 - units.min(limit)).unwrap();
        let left = self.0.len().checked_sub(back);
        left.map_or(0, |place| self.0[place] + period)
    }

    /// As if only the last `old` were known, and of the others the time of the last.
    fn resized(&self, old: u64, new: u64) -> Self {
        let old = usize::try_from(old).unwrap();
        let new = usize::try_from(new).unwrap();
        let Some(forgotten) = self.0.len().checked_sub(old + 1) else {
            return self.clone();
        };
        let known = &self.0[forgotten + 1..];
        let unknown = self.1 + forgotten + 1;
        let padding = unknown.min(1 + new.saturating_sub(known.len()));
        let mut times = vec![self.0[forgotten]; padding];
        times.extend_from_slice(known);
        Self(times, unknown - padding)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Gate {
    Open,
    Armed,
    Probing { number: u64, lapses: u64 },
}

#[derive(Clone, Debug, Default)]
struct State {
    /// In units of 1/limit nanoseconds.
    arrival: u128,
    spent: History,
}

#[derive(Debug)]
pub(super) struct Model {
    limit: u64,
    period: u64,
    burst: u64,
    spacing: u64,
    now: u64,
    base: State,
    floor: u64,
    /// No slot before this time, and none with an arrival before this one.
    barrier: (u64, u128),
    /// Those whose slot has passed and who have a place, in their order: who, and of how many units.
    line: Vec<(u64, u64)>,
    line_floor: u64,
    /// Who ever had a place in the line, and which.
    had_place: HashMap<u64, (u64, usize)>,
    /// Who has which slots to come.
    plan: Vec<(u64, VecDeque<u64>)>,
    /// Departures, as if they were slots.
    departures: State,
    departed: u64,
    gate: Gate,
    paused_until: u64,
    since: u64,
}

/// Which of the tickets are taken to be one of several.
pub(super) const fn is_shared(id: u64) -> bool {
    id.is_multiple_of(3)
}

impl Model {
    pub(super) fn new(quota: &Quota) -> Self {
        let mut model = Self {
            limit: 0,
            period: 0,
            burst: 0,
            spacing: 0,
            now: 0,
            base: State::default(),
            floor: 0,
            barrier: (0, 0),
            line: Vec::new(),
            line_floor: 0,
            had_place: HashMap::new(),
            plan: Vec::new(),
            departures: State::default(),
            departed: 0,
            gate: Gate::Open,
            paused_until: 0,
            since: 0,
        };
        model.set(quota);
        model
    }

    fn set(&mut self, quota: &Quota) {
        self.limit = quota.limit().into();
        self.period = nanos(quota.period());
        self.burst = quota.burst().into();
        self.spacing = nanos(quota.spacing());
    }

    fn conforms(&self, arrival: u128) -> u64 {
        let tolerance = u128::from(self.burst - 1) * u128::from(self.period);
        let conforms = arrival
            .saturating_sub(tolerance)
            .div_ceil(u128::from(self.limit));
        u64::try_from(conforms).unwrap()
    }

    fn spaced(&self, state: &State) -> u64 {
        state.spent.0.last().map_or(0, |last| last + self.spacing)
    }

    fn first(&self, state: &State, (floor, arrival): (u64, u128)) -> u64 {
        floor
            .max(self.spaced(state))
            .max(self.conforms(state.arrival.max(arrival)))
            .max(state.spent.opens(self.limit, self.period, 1))
    }

    fn step(&self, state: &mut State, at: u64) {
        let at_least = u128::from(at) * u128::from(self.limit);
        state.arrival = state.arrival.max(at_least) + u128::from(self.period);
        state.spent.0.push(at);
    }

    /// Returns the times of the next units.
    fn times(&self, count: usize) -> Vec<u64> {
        let mut state = self.base.clone();
        let (barrier, arrival) = self.barrier;
        (0..count)
            .map(|_| {
                let at = self.first(&state, (self.floor.max(barrier), arrival));
                state.arrival = state.arrival.max(arrival);
                self.step(&mut state, at);
                at
            })
            .collect()
    }

    fn replan(&mut self) {
        let count = self.plan.iter().map(|(_, units)| units.len()).sum();
        let mut times = self.times(count).into_iter();
        for unit in self.plan.iter_mut().flat_map(|(_, units)| units) {
            *unit = times.next().unwrap();
        }
    }

    fn spend(&mut self) {
        while let Some((_, units)) = self.plan.first_mut() {
            if units[0] > self.now {
                break;
            }
            let at = units.pop_front().unwrap();
            if units.is_empty() {
                self.plan.remove(0);
            }
            let mut base = self.base.clone();
            base.arrival = base.arrival.max(self.barrier.1);
            self.step(&mut base, at);
            self.base = base;
        }
        if self.plan.is_empty() {
            self.floor = self.floor.max(self.now);
        }
    }

    fn restart(&mut self, floor: u64) {
        self.floor = floor;
        self.replan();
    }

    fn restart_all(&mut self, floor: u64) {
        self.line_floor = floor;
        self.restart(floor);
        self.make_way();
    }

    fn in_line(&self) -> u64 {
        self.line.iter().map(|(_, units)| units).sum()
    }

    /// When the line can begin to move.
    fn line_starts(&self) -> u64 {
        let first = self.spaced(&self.departures).max(self.paused_until);
        first.max(self.line_floor)
    }

    /// The arrival that so many units after the first of the line have.
    fn line_arrival(&self, first: u64, units: u64) -> u128 {
        let first = u128::from(first) * u128::from(self.limit);
        self.departures.arrival.max(first) + u128::from(units) * u128::from(self.period)
    }

    /// When one departs who has so many units of the line before it.
    fn late(&self, before: u64, cost: u64) -> u64 {
        let first = self.line_starts();
        let last = before + cost - 1;
        let (rounds, place) = (last / self.limit, last % self.limit);
        let window = &self.departures.spent;
        let opens = window.opens(self.limit, self.period, place + 1).max(first);
        (first + before * self.spacing)
            .max(opens + rounds * self.period)
            .max(self.conforms(self.line_arrival(first, last)))
    }

    fn advance_line(&mut self) {
        while let Some(&(_, units)) = self.line.first()
            && self.late(0, units) <= self.now
        {
            self.line_floor = self.late(units, 1);
            self.line.remove(0);
        }
    }

    /// Slots stay behind the line, and no further.
    fn make_way(&mut self) {
        let units = self.in_line();
        let last = (units > 0).then(|| self.late(units - 1, 1));
        let mut end = self.late(units, 1).max(self.now);
        if let Some(last) = last {
            end = end.max(last + 1);
        }
        let collides = last.is_some_and(|last| self.times(1)[0] <= last);
        if collides || self.barrier.0 > end {
            self.barrier = (end, self.line_arrival(self.line_starts(), units));
            self.replan();
        }
    }

    fn leave_line(&mut self, id: u64) {
        self.line.retain(|(other, _)| *other != id);
        if self.had_place.contains_key(&id) && self.line.is_empty() {
            self.line_floor = self.line_floor.min(self.now);
        }
    }

    fn is_probing(&self) -> bool {
        matches!(self.gate, Gate::Probing { .. })
    }

    fn afloat(&self) -> u64 {
        self.now - self.now % FLOAT + FLOAT
    }

    pub(super) fn clock(&mut self, now: u64) {
        self.now = self.now.max(now);
        if matches!(self.gate, Gate::Probing { lapses, .. } if lapses <= self.now) {
            self.gate = Gate::Armed;
            self.restart_all(self.now);
        }
        if self.is_probing() {
            if self.times(1)[0] <= self.now {
                self.restart(self.afloat());
            }
        } else {
            self.spend();
            self.advance_line();
        }
    }

    fn follows(&self, cost: u32) -> u64 {
        let cost = u64::from(cost);
        let arrival = self.departures.arrival + u128::from(cost - 1) * u128::from(self.period);
        let opens = self.departures.spent.opens(self.limit, self.period, cost);
        opens
            .max(self.spaced(&self.departures))
            .max(self.conforms(arrival))
    }

    pub(super) fn quote(&mut self, now: u64, cost: u32) -> u64 {
        self.clock(now);
        let before: usize = self.plan.iter().map(|(_, units)| units.len()).sum();
        let times = self.times(before + usize::try_from(cost).unwrap());
        times.last().copied().unwrap().max(self.follows(cost))
    }

    pub(super) fn acquire(&mut self, now: u64, id: u64, cost: u32) {
        self.clock(now);
        let units = vec![0; usize::try_from(cost).unwrap()];
        self.plan.push((id, units.into()));
        self.replan();
        self.clock(now);
    }

    pub(super) fn slot(&self, id: u64) -> Option<u64> {
        let (_, units) = self.plan.iter().find(|(other, _)| *other == id)?;
        units.back().copied()
    }

    pub(super) fn queued(&self) -> usize {
        self.plan.len()
    }

    /// Returns the departure's number, or when to ask again.
    pub(super) fn commit(&mut self, now: u64, id: u64, cost: u32) -> Result<u64, u64> {
        self.clock(now);
        if let Some(at) = self.slot(id) {
            return Err(at);
        }
        if self.is_probing() {
            return Err(self.times(1)[0]);
        }
        let units = u64::from(cost);
        let alone = self.follows(cost).max(self.paused_until);
        let key = self.had_place.get(&id).copied().unwrap_or_else(|| {
            // Others than shared ones go to the end: behind the highest there ever was, as the next in its wake.
            let last = self.had_place.values().max().filter(|_| !is_shared(id));
            last.filter(|(of, _)| *of >= id)
                .map_or((id, 0), |(of, wake)| (*of, wake + 1))
        });
        let place = (self.line.iter())
            .take_while(|(other, _)| self.had_place[other] < key)
            .count();
        let before = self.line[..place].iter().map(|(_, units)| units).sum();
        let mut at = self.late(before, units);
        if self.line.iter().any(|(other, _)| *other == id) {
            return Err(at);
        }
        if self.had_place.contains_key(&id) && place == 0 {
            at = alone;
        }
        if at > self.now {
            if place == 0 && self.had_place.contains_key(&id) {
                self.line_floor = self.line_floor.min(alone);
            }
            self.had_place.insert(id, key);
            self.line.insert(place, (id, units));
            self.make_way();
            return Err(at);
        }
        let number = self.departed;
        self.departed += 1;
        self.leave_line(id);
        let mut departures = self.departures.clone();
        (0..cost).for_each(|_| self.step(&mut departures, self.now));
        self.departures = departures;
        if self.had_place.contains_key(&id) || !self.line.is_empty() {
            self.make_way();
        }
        if self.gate == Gate::Armed {
            let lapses = self.now + PATIENCE;
            self.gate = Gate::Probing { number, lapses };
            self.restart(self.afloat());
        }
        Ok(number)
    }

    pub(super) fn cancel(&mut self, now: u64, id: u64) {
        self.clock(now);
        self.plan.retain(|(other, _)| *other != id);
        self.replan();
        self.leave_line(id);
        if self.had_place.contains_key(&id) {
            self.make_way();
        }
    }

    pub(super) fn pause(&mut self, now: u64, until: u64) {
        self.clock(now);
        if until > self.now.max(self.paused_until) {
            self.paused_until = until;
            self.since = self.departed;
            self.gate = Gate::Armed;
            self.restart_all(until);
        }
    }

    pub(super) fn answer(&mut self, now: u64, number: u64, success: bool) {
        self.clock(now);
        let opens = success && self.gate != Gate::Open && number >= self.since;
        let is_probe = matches!(self.gate, Gate::Probing { number: probe, .. } if probe == number);
        if opens {
            self.gate = Gate::Open;
        } else if !success && is_probe {
            self.gate = Gate::Armed;
        } else {
            return;
        }
        self.restart_all(self.now.max(self.paused_until));
        self.clock(now);
    }

    pub(super) fn change_quota(&mut self, now: u64, quota: &Quota) {
        self.clock(now);
        let now = u128::from(self.now);
        let old = (self.limit, self.period);
        let in_use = |state: &State| {
            let (limit, period) = (u128::from(old.0), u128::from(old.1));
            let debt = state.arrival.saturating_sub(now * limit).div_ceil(limit);
            (debt * limit).div_ceil(period)
        };
        self.set(quota);
        for state in [&mut self.base, &mut self.departures] {
            let units = in_use(state);
            state.arrival = now * u128::from(self.limit) + units * u128::from(self.period);
            state.spent = state.spent.resized(old.0, self.limit);
        }
        self.barrier = (0, 0);
        let floor = if self.is_probing() {
            self.afloat()
        } else {
            self.now
        };
        self.restart_all(floor.max(self.paused_until));
        self.clock(self.now);
    }
}
