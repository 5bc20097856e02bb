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

#[derive(Clone, Debug)]
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
    barrier: u64,
    /// Times promised to those whose slot has passed, and their units.
    line: Vec<(u64, u64)>,
    /// Who has which slots to come.
    plan: Vec<(u64, VecDeque<u64>)>,
    /// What those were promised whose slot has passed.
    promises: HashMap<u64, u64>,
    departures: History,
    departed: u64,
    gate: Gate,
    paused_until: u64,
    since: u64,
}

impl Model {
    pub(super) fn new(quota: &Quota) -> Self {
        let mut model = Self {
            limit: 0,
            period: 0,
            burst: 0,
            spacing: 0,
            now: 0,
            base: State {
                arrival: 0,
                spent: History::default(),
            },
            floor: 0,
            barrier: 0,
            line: Vec::new(),
            plan: Vec::new(),
            promises: HashMap::new(),
            departures: History::default(),
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

    fn first(&self, state: &State, floor: u64) -> u64 {
        let tolerance = u128::from(self.burst - 1) * u128::from(self.period);
        let conforms = state
            .arrival
            .saturating_sub(tolerance)
            .div_ceil(u128::from(self.limit));
        let spaced = state.spent.0.last().map_or(0, |last| last + self.spacing);
        floor
            .max(spaced)
            .max(u64::try_from(conforms).unwrap())
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
        (0..count)
            .map(|_| {
                let at = self.first(&state, self.floor.max(self.barrier));
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
            self.restart(self.now);
        }
        if self.is_probing() {
            if self.times(1)[0] <= self.now {
                self.restart(self.afloat());
            }
        } else {
            self.spend();
        }
    }

    fn follows(&self, cost: u32) -> u64 {
        let spaced = self
            .departures
            .0
            .last()
            .map_or(0, |last| last + self.spacing);
        let opens = self.departures.opens(self.limit, self.period, cost.into());
        opens.max(spaced)
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
        let mut earliest = self.follows(cost).max(self.paused_until);
        let promised = self.promises.get(&id).copied();
        if let Some(promised) = promised
            && promised > self.now
        {
            return Err(earliest.max(promised));
        }
        let is_its_turn = promised.is_some() && earliest <= self.now + self.spacing;
        self.line.retain(|(at, _)| *at >= self.now);
        if !is_its_turn && let Some(&(last, _)) = self.line.last() {
            let units: u64 = self.line.iter().map(|(_, units)| units).sum();
            let units = units + u64::from(cost);
            let opens = self.departures.opens(self.limit, self.period, units);
            earliest = earliest.max(last + self.spacing).max(opens);
        }
        if earliest > self.now {
            if !is_its_turn {
                self.promises.insert(id, earliest);
                self.line.push((earliest, cost.into()));
                let collides = self.times(1)[0] <= earliest;
                let behind = if collides { self.spacing.max(1) } else { 1 };
                self.barrier = self.barrier.max(earliest + behind);
                self.replan();
            }
            return Err(earliest);
        }
        let number = self.departed;
        self.departed += 1;
        for _ in 0..cost {
            self.departures.0.push(self.now);
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
    }

    pub(super) fn pause(&mut self, now: u64, until: u64) {
        self.clock(now);
        if until > self.now.max(self.paused_until) {
            self.paused_until = until;
            self.since = self.departed;
            self.gate = Gate::Armed;
            self.restart(until);
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
        self.restart(self.now.max(self.paused_until));
        self.clock(now);
    }

    pub(super) fn change_quota(&mut self, now: u64, quota: &Quota) {
        self.clock(now);
        let now = u128::from(self.now);
        let old = (self.limit, self.period);
        let debt = self
            .base
            .arrival
            .saturating_sub(now * u128::from(old.0))
            .div_ceil(u128::from(old.0));
        let units = (debt * u128::from(old.0)).div_ceil(u128::from(old.1));
        self.set(quota);
        self.base.arrival = now * u128::from(self.limit) + units * u128::from(self.period);
        self.base.spent = self.base.spent.resized(old.0, self.limit);
        self.departures = self.departures.resized(old.0, self.limit);
        let floor = if self.is_probing() {
            self.afloat()
        } else {
            self.now
        };
        self.restart(floor.max(self.paused_until));
        self.clock(self.now);
    }
}
