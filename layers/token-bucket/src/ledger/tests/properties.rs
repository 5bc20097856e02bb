//! Random histories: the ledger says what the model says, and no law is broken.

use super::{
    super::window::Window,
    MILLI, PATIENCE, SECOND,
    model::{Model, is_shared},
    quota,
};
use crate::{
    Quota,
    ledger::{Departed, Ledger, Ticket, Verdict, nanos, queue::Queue},
};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The clock moves, mostly forward.
    Clock(i64),
    /// The clock is set back by so many seconds, but time goes on.
    SetBack(u64),
    Acquire(u32),
    /// One asks whether it may depart; the ticket is picked by a random number.
    Commit(usize),
    /// All ask, from somewhere in the middle on.
    CommitAll(usize),
    /// The clock moves to when somebody was told to come, and on by a little.
    Wake(usize, u64),
    Cancel(usize),
    /// One is never heard of again.
    Forget(usize),
    Pause(u64),
    Answer(usize, bool),
    ChangeQuota(Quota),
}

const START: u64 = 100_000 * SECOND;

/// Small numbers, so that everything collides with everything.
fn quotas() -> impl Strategy<Value = Quota> {
    (1..8_u32, 1..8_u32, 1..200_u64, 0..40_u64, 0..3_u64).prop_map(
        |(limit, burst, period, spacing, nanos)| {
            // Odd nanoseconds, so that the rate is a fraction.
            let period = period * 10 * MILLI + nanos;
            quota(limit, period, burst.min(limit), spacing * MILLI)
        },
    )
}

fn steps(with_quota: bool) -> impl Strategy<Value = Step> {
    let weight = u32::from(with_quota);
    prop_oneof![
        5 => prop_oneof![
            4 => (-20..400_i64).prop_map(Step::Clock),
            1 => (2..1_000_u64).prop_map(Step::SetBack),
        ],
        8 => (1..4_u32).prop_map(Step::Acquire),
        3 => any::<usize>().prop_map(Step::Commit),
        4 => any::<usize>().prop_map(Step::CommitAll),
        6 => (any::<usize>(), 0..3_u64).prop_map(|(who, late)| Step::Wake(who, late)),
        4 => any::<usize>().prop_map(Step::Cancel),
        1 => any::<usize>().prop_map(Step::Forget),
        1 => (0..2_000_u64).prop_map(Step::Pause),
        2 => any::<(usize, bool)>().prop_map(|(who, success)| Step::Answer(who, success)),
        weight => quotas().prop_map(Step::ChangeQuota),
    ]
}

/// The ledger and the model side by side.
struct Pair {
    now: u64,
    latest: u64,
    /// By how much the clock is behind.
    set_back: u64,
    quota: Quota,
    ledger: Ledger,
    model: Model,
    tickets: BTreeMap<u64, (Ticket, u64)>,
    unanswered: Vec<Departed>,
    /// When, and how many units.
    departures: Vec<(u64, u32)>,
    /// How many of them were under another quota.
    of_old: usize,
    paused_until: u64,
}

impl Pair {
    fn new(quota: Quota) -> Self {
        let mut pair = Self {
            now: START,
            latest: START,
            set_back: 0,
            quota,
            ledger: Ledger::new(&quota, PATIENCE),
            model: Model::new(&quota),
            tickets: BTreeMap::new(),
            unanswered: Vec::new(),
            departures: Vec::new(),
            of_old: 0,
            paused_until: 0,
        };
        pair.compare();
        pair
    }

    /// What the clock shows.
    fn clock(&self) -> u64 {
        self.now - self.set_back
    }

    /// Time goes on. A clock that was set back, and is not behind any more when it is read again, seems never to have been.
    fn set(&mut self, now: u64) {
        self.now = now;
        if self.set_back > 0 && self.clock() + SECOND >= self.latest {
            self.now = self.clock().max(self.latest);
            self.set_back = 0;
        }
    }

    fn pick(&self, who: usize) -> Option<u64> {
        let count = self.tickets.len();
        (count > 0).then(|| *self.tickets.keys().nth(who % count).unwrap())
    }

    fn step(&mut self, step: Step) {
        self.latest = self.latest.max(self.now);
        match step {
            Step::Clock(millis) => {
                let by = millis.unsigned_abs() * MILLI;
                self.set(if millis < 0 {
                    self.now - by
                } else {
                    self.now + by
                });
            }
            Step::SetBack(seconds) => {
                if seconds * SECOND < self.clock() / 2 {
                    self.now = self.latest;
                    self.set_back += seconds * SECOND;
                }
            }
            Step::Acquire(cost) => {
                let cost = cost.min(self.quota.burst());
                let quote = self.ledger.quote(self.clock(), cost);
                assert_eq!(quote, self.model.quote(self.now, cost), "quote");
                let mut ticket = self.ledger.acquires(self.clock(), cost);
                if is_shared(ticket.id) {
                    ticket = ticket.shared();
                }
                self.model.acquire(self.now, ticket.id, cost);
                self.tickets.insert(ticket.id, (ticket, quote));
            }
            Step::Commit(who) => {
                if let Some(id) = self.pick(who) {
                    self.commit(id);
                }
            }
            Step::CommitAll(from) => {
                let mut ids: Vec<_> = self.tickets.keys().copied().collect();
                if !ids.is_empty() {
                    let middle = from % ids.len();
                    ids.rotate_left(middle);
                    ids.into_iter().for_each(|id| self.commit(id));
                }
            }
            Step::Wake(who, late) => {
                if let Some(id) = self.pick(who) {
                    self.set(self.now.max(self.tickets[&id].1) + late * MILLI / 2);
                    self.commit(id);
                }
            }
            Step::Cancel(who) => {
                if let Some(id) = self.pick(who) {
                    let (ticket, _) = self.tickets.remove(&id).unwrap();
                    self.ledger.cancels(&ticket, self.clock());
                    self.model.cancel(self.now, id);
                }
            }
            Step::Forget(who) => {
                if let Some(id) = self.pick(who) {
                    self.tickets.remove(&id);
                }
            }
            Step::Pause(millis) => {
                let until = self.latest + millis * MILLI;
                self.paused_until = self.paused_until.max(until);
                self.ledger
                    .pause(self.clock() + millis * MILLI, self.clock());
                self.model.pause(self.now, until);
            }
            Step::Answer(who, success) => {
                if !self.unanswered.is_empty() {
                    let who = who % self.unanswered.len();
                    self.answer(who, success);
                }
            }
            Step::ChangeQuota(quota) => {
                self.ledger.change_quota(&quota, self.clock());
                self.model.change_quota(self.now, &quota);
                self.quota = quota;
                self.of_old = self.departures.len();
            }
        }
        self.compare();
    }

    fn commit(&mut self, id: u64) {
        let clock = self.clock();
        let (ticket, wake) = self.tickets.get_mut(&id).unwrap();
        let cost = ticket.cost;
        if cost > self.quota.burst() {
            let result = self.ledger.commit(ticket, clock);
            assert_eq!(result, Err(Verdict::TooDear));
            return;
        }
        // T5: to ask changes nothing, so the model does not know of it.
        let _ = self.ledger.check(ticket, clock);
        let expected = self.model.commit(self.now, id, cost);
        match self.ledger.commit(ticket, clock) {
            Ok(departed) => {
                assert_eq!(Ok(departed.number), expected);
                self.tickets.remove(&id);
                self.overtook_nobody(id);
                self.unanswered.push(departed);
                self.departed(cost);
            }
            Err(Verdict::NotUntil(at)) => {
                assert_eq!(Err(at), expected);
                *wake = at;
                // T9: a clock that jumped back is behind the ledger's.
                let now = self.now.max(self.latest);
                assert!(at > now, "told to come at {at}, and it is {now}");
            }
            Err(verdict) => panic!("{verdict:?}"),
        }
    }

    /// T3: of those who are one of several, whoever came before this one has left, or has let its time pass.
    fn overtook_nobody(&mut self, id: u64) {
        for (&other, (ticket, _)) in self.tickets.range(..id) {
            let ledger = &mut self.ledger;
            let place = ticket.place.filter(|place| ledger.line.has(*place));
            let waits = ledger.slot(other).is_some() || place.is_some();
            assert!(
                !(is_shared(id) && is_shared(other) && waits),
                "{id} overtook {other}"
            );
        }
    }

    fn answer(&mut self, who: usize, success: bool) {
        let departed = self.unanswered.swap_remove(who);
        if success {
            self.ledger.succeeded(departed.number, self.clock());
        } else {
            self.ledger.lost(departed.number, self.clock());
        }
        self.model.answer(self.now, departed.number, success);
    }

    /// T1 and T7, as they look to the server.
    fn departed(&mut self, cost: u32) {
        let now = self.now.max(self.latest);
        if let Some(&(last, _)) = self.departures.last() {
            let spacing = nanos(self.quota.spacing());
            assert!(now >= last + spacing, "{now} is too close to {last}");
        }
        assert!(now >= self.paused_until, "departed in a pause");
        self.departures.push((now, cost));
        let window = now.saturating_sub(nanos(self.quota.period()));
        let units: u32 = self
            .departures
            .iter()
            .filter(|(at, _)| *at > window)
            .map(|(_, cost)| cost)
            .sum();
        let limit = self.quota.limit();
        assert!(units <= limit, "{units} in a window, the limit is {limit}");
        conforms(&self.quota, &self.departures[self.of_old..]);
    }

    fn compare(&mut self) {
        self.latest = self.latest.max(self.now);
        self.ledger.advance(self.clock());
        self.model.clock(self.now);
        assert_eq!(self.ledger.queued(), self.model.queued(), "queue length");
        for (&id, (ticket, _)) in &self.tickets {
            let slot = self.ledger.slot(ticket.id);
            assert_eq!(slot, self.model.slot(id), "slot of {id}");
        }
    }

    /// All who are left depart, if they only come when they are told to, and each probe is answered.
    fn drain(mut self) {
        self.tickets
            .retain(|_, (ticket, _)| ticket.cost <= self.quota.burst());
        let rounds = 20 * (self.tickets.len() + 2);
        for _ in 0..rounds {
            let Some((&id, _)) = self.tickets.iter().min_by_key(|(_, (_, wake))| *wake) else {
                return;
            };
            self.set(self.now.max(self.tickets[&id].1));
            self.commit(id);
            while let Some(last) = self.unanswered.len().checked_sub(1) {
                self.answer(last, true);
            }
            self.compare();
        }
        panic!("{} never departed", self.tickets.len());
    }
}

/// T1: what goes beyond the burst takes its share of the period, from any departure to the last.
fn conforms(quota: &Quota, departures: &[(u64, u32)]) {
    let (period, limit) = (nanos(quota.period()), u64::from(quota.limit()));
    let mut units = 0;
    for (at, cost) in departures.iter().rev() {
        units += u64::from(*cost);
        let passed = departures.last().unwrap().0 - at;
        let refills = units.saturating_sub(quota.burst().into());
        assert!(refills * period <= passed * limit, "{departures:?}");
    }
}

/// A ledger that knows of departures and of nobody who ever waited.
fn replay(quota: &Quota, departures: &[(u64, u32)]) -> Ledger {
    let mut ledger = Ledger::new(quota, PATIENCE);
    for &(at, cost) in departures {
        ledger.departures.push(ledger.plan.pace(), at, cost);
    }
    ledger
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// T1, T3, T4, T5, T7, T9: the same slots and answers as the model, and then everybody departs.
    #[test]
    fn the_ledger_does_what_the_model_does(quota in quotas(), steps in vec(steps(false), 1..80)) {
        let mut pair = Pair::new(quota);
        steps.into_iter().for_each(|step| pair.step(step));
        pair.drain();
    }

    /// T4, T5: those who leave, and were late for their slots, leave nothing behind.
    #[test]
    fn when_all_have_left_only_departures_count(
        quota in quotas(),
        steps in vec(steps(false), 1..80),
        cost in 1..8_u32,
    ) {
        let mut pair = Pair::new(quota);
        for step in steps {
            match step {
                // Of those no ledger can know that they have left.
                Step::Forget(_) | Step::Pause(_) => {}
                step => pair.step(step),
            }
        }
        while !pair.tickets.is_empty() {
            pair.step(Step::Cancel(0));
        }
        // Slots that have passed are spent; that is forgotten after a period, or the spacing if that is longer.
        pair.step(Step::Clock(0));
        let later = nanos(quota.period().max(quota.spacing())).max(20 * MILLI);
        pair.set(pair.now + later);
        pair.compare();
        pair.set(pair.now + later);
        let mut fresh = replay(&quota, &pair.departures);
        let cost = cost.min(quota.burst());
        let quote = pair.ledger.quote(pair.clock(), cost);
        prop_assert_eq!(quote.max(pair.now), fresh.quote(pair.now, cost).max(pair.now));
        prop_assert_eq!(pair.ledger.available(), fresh.available());
    }

    /// T4: whoever asks, is told to wait, and leaves, has kept nobody waiting by asking.
    #[test]
    fn who_asks_in_vain_and_leaves_has_made_nobody_later(
        quota in quotas(),
        steps in vec(steps(false), 1..80),
    ) {
        let [mut asked, mut silent] = [(); 2].map(|()| Pair::new(quota));
        for step in steps {
            // Those who are never heard of again stay, and have other slots when others are before them.
            if !matches!(step, Step::Forget(_)) {
                asked.step(step);
                silent.step(step);
            }
        }
        let ids: Vec<_> = asked.tickets.keys().copied().collect();
        for id in ids {
            let before = asked.departures.len();
            asked.commit(id);
            if asked.departures.len() > before {
                silent.commit(id);
            }
        }
        for pair in [&mut asked, &mut silent] {
            // Those with slots to come first, or they get those that become free, and have spent them when they leave.
            while let Some(last) = pair.tickets.len().checked_sub(1) {
                pair.step(Step::Cancel(last));
            }
        }
        let [asked, silent] =
            [asked, silent].map(|mut pair| pair.ledger.quote(pair.clock(), 1));
        // It may be the other way round: a cancel has the plan look at what was only estimated.
        prop_assert!(asked <= silent, "{asked}, or {silent} if nobody asked");
    }

    /// T11
    #[test]
    fn also_when_the_quota_changes(quota in quotas(), steps in vec(steps(true), 1..80)) {
        let mut pair = Pair::new(quota);
        steps.into_iter().for_each(|step| pair.step(step));
        pair.drain();
    }

    /// T4: the plan of a long queue by rounds is that of the model unit by unit.
    #[test]
    fn a_long_queue_has_the_slots_of_the_model(
        before in quotas(),
        steps in vec(steps(false), 0..20),
        quota in quotas(),
        waiting in 1..60_usize,
    ) {
        let mut pair = Pair::new(before);
        steps.into_iter().for_each(|step| pair.step(step));
        // A past that another quota has made: no rule of this one holds in it.
        pair.step(Step::ChangeQuota(quota));
        for _ in 0..waiting {
            pair.step(Step::Acquire(1));
        }
    }

    /// T4: the order structure against a plain list, over many who come and leave.
    #[test]
    fn a_queue_knows_how_many_come_before(actions in vec((0..10_u8, any::<usize>(), 1..4_u32), 1..600)) {
        let mut queue = Queue::default();
        let mut list: Vec<(u64, u32)> = Vec::new();
        for (id, (action, who, units)) in (1..).zip(actions) {
            match action {
                0..=4 => {
                    queue.push(id, units);
                    list.push((id, units));
                }
                5 | 6 if !list.is_empty() => {
                    queue.spend();
                    list[0].1 -= 1;
                    if list[0].1 == 0 {
                        list.remove(0);
                    }
                }
                _ if !list.is_empty() => {
                    let (gone, _) = list.remove(who % list.len());
                    prop_assert!(queue.cancel(gone));
                    prop_assert!(!queue.cancel(gone));
                    prop_assert_eq!(queue.through(gone), None);
                }
                _ => {}
            }
            let mut through = 0;
            for (id, units) in &list {
                through += u64::from(*units);
                prop_assert_eq!(queue.through(*id), Some(through));
            }
            prop_assert_eq!(queue.units(), through);
            prop_assert_eq!(queue.len(), list.len());
            prop_assert_eq!(queue.front(), list.first().map(|(id, _)| *id));
        }
    }
}

proptest! {
    // Each of these has many thousand steps.
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// T1: above some thousands, times are remembered in groups; late, but not by more than a group.
    #[test]
    fn a_coarse_window_errs_on_the_safe_side(
        limit in 4_000..13_000_u32,
        gaps in vec(0..1_000_u64, 1..40),
        units in 1..2_000_u32,
    ) {
        let mut window = Window::new(limit, 1_000_000);
        let mut times = Vec::new();
        let mut now = 0;
        for gap in gaps.iter().cycle().take(20_000) {
            now += gap;
            window.push(now, 1);
            times.push(now);
        }
        let group = limit.div_ceil(4096);
        let must_leave = |limit: u32| {
            let back = usize::try_from(limit - units + 1).unwrap();
            times[times.len() - back] + 1_000_000
        };
        let opens = window.opens(units);
        prop_assert!(opens >= must_leave(limit), "too early");
        prop_assert!(opens <= must_leave(limit - 2 * group), "later than two groups explain");
        prop_assert!(window.is_exact() == (limit <= 4096));
    }

    /// T1: also where those that must leave are themselves still to come.
    #[test]
    fn a_coarse_plan_waits_for_the_whole_group_that_must_leave(
        past in 0..9_000_usize,
        ahead in 1..10_000_usize,
        gaps in vec(0..1_000_u64, 1..40),
    ) {
        // Groups of three.
        const LIMIT: u32 = 8_193;
        let mut window = Window::new(LIMIT, 1_000_000);
        let mut now = 0;
        let mut times = Vec::new();
        for gap in gaps.iter().cycle().take(past + ahead) {
            now += gap;
            times.push(now);
        }
        times[..past].iter().for_each(|at| window.push(*at, 1));
        let planned = times[past..].iter().copied().collect();
        let must_leave = times.len().checked_sub(usize::try_from(LIMIT).unwrap());
        let group_ends = must_leave.map(|place| place / 3 * 3 + 2);
        let opens = group_ends.map_or(0, |place| times[place] + 1_000_000);
        prop_assert_eq!(window.opens_after(&planned), opens);
    }
}
