//! The slot ledger: who may depart when.
//!
//! It knows no HTTP, no clock and no wakers: the time is an argument, in nanoseconds, and an answer is a time. Two
//! histories are kept apart:
//!
//! - the [plan](Plan): the rate, the spacing and the window applied to *slots*. A slot is somebody's right to depart. When
//!   its time has come it is spent, used or not, so that whoever is forgotten costs one slot and stalls nobody. Until
//!   then it goes back when its owner leaves, and everybody behind moves forward.
//! - the [departures](Departures): the same three once more, applied to what really departs. It may be later than its
//!   slot: the timer was late, the inner service was not ready, the server asked for a pause.
//!
//! # Those whose slot has passed
//!
//! They wait for nothing but the departures before them. Told all the same time, they would all come at that time
//! and all but one in vain. So they [line](Line) up, each with a time behind those before it, and the plan keeps its
//! slots behind them all: after a stall of the whole program they depart at the permitted pace, in the order in which they
//! ask; those who pay several buckets go in the order of their arrival. Times follow from places, so one who leaves moves
//! those behind it forward here, too. Whoever could not use such a time, because another bucket has it wait for longer,
//! only asks: that costs nobody anything.

mod ticket;

mod departures;
mod figures;
mod gate;
mod late;
mod line;
mod plan;
mod queue;
mod replies;
mod server;

mod fine;
mod pace;
mod time;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    pace::nanos,
    server::Report,
    ticket::{Counts, Departed, Ticket, Verdict},
};

use self::{
    departures::Departures, gate::Gate, line::Line, pace::Pace, plan::Plan, queue::Queue,
    server::View, time::Time,
};
use crate::Quota;

/// How finely the plan follows the clock while a probe is out. Then nobody knows when the others will go; the
/// plan says "now", and is not made anew more often than this.
const FLOAT: u64 = 10_000_000;

/// The accounts of one bucket.
#[derive(Debug)]
pub(crate) struct Ledger {
    time: Time,
    plan: Plan,
    queue: Queue,
    departures: Departures,
    line: Line,
    gate: Gate,
    view: Option<View>,
    counts: Counts,
    /// How often something other than the clock moved everybody back.
    delays: u64,
    strikes: u32,
    struck: u64,
}

impl Ledger {
    /// Makes an idle ledger; `patience` is how long a probe may be silent.
    pub(crate) fn new(quota: &Quota, patience: u64) -> Self {
        let pace = Pace::new(quota);
        Self {
            time: Time::default(),
            plan: Plan::new(pace),
            queue: Queue::default(),
            departures: Departures::new(&pace),
            line: Line::default(),
            gate: Gate::new(patience),
            view: None,
            counts: Counts::default(),
            delays: 0,
            strikes: 0,
            struck: 0,
        }
    }

    /// Joins and has a slot at once, if nothing is in the way: what most calls come to, and no more work than that.
    /// Then it may depart, too.
    pub(crate) fn acquire_at_once(&mut self, now: u64) -> Option<Ticket> {
        let now = self.time.read(now);
        let is_free = self.queue.is_empty() && self.gate.is_open() && self.line.is_empty();
        if !is_free
            || !self.departures.permit(self.plan.pace(), now)
            || !self.plan.spend_at_once(now)
        {
            return None;
        }
        self.counts.accepted += 1;
        Some(Ticket {
            id: self.counts.accepted,
            cost: 1,
            place: None,
            is_shared: false,
        })
    }

    /// Returns when a newcomer could depart at the earliest.
    pub(crate) fn quote(&mut self, now: u64, cost: u32) -> u64 {
        self.advance(now);
        let before = self.queue.units() + u64::from(cost) - 1;
        let slot = if before == 0 {
            self.plan.first()
        } else {
            self.plan.slot(before)
        };
        slot.max(self.follows(cost))
    }

    /// Joins the end of the queue, at the time that was told last.
    pub(crate) fn acquire(&mut self, cost: u32) -> Ticket {
        let now = self.time.now();
        self.counts.accepted += 1;
        let id = self.counts.accepted;
        let is_first = cost == 1 && self.queue.is_empty() && !self.is_probing();
        let first = self.plan.first();
        if is_first && first <= now {
            self.plan.spend(first);
        } else {
            self.queue.push(id, cost);
            self.follow(now);
        }
        Ticket {
            id,
            cost,
            place: None,
            is_shared: false,
        }
    }

    /// Tells whether a ticket may depart now, and if not, when to ask again. Beyond following the clock, to ask changes nothing for anybody.
    pub(crate) fn check(&mut self, ticket: &Ticket, now: u64) -> Verdict {
        let now = self.advance(now);
        if ticket.cost > self.burst() {
            return Verdict::TooDear;
        }
        if let Some(units) = self.queue.through(ticket.id) {
            return Verdict::NotUntil(self.plan.slot(units - 1));
        }
        if self.is_probing() {
            return Verdict::NotUntil(self.plan.first());
        }
        self.check_late(ticket, now)
    }

    /// Notes the departure of a ticket that was just found to be due.
    #[inline]
    pub(crate) fn depart(&mut self, ticket: &Ticket) -> Departed {
        let (now, number) = (self.time.now(), self.counts.departed);
        self.departures.push(self.plan.pace(), now, ticket.cost);
        self.counts.departed += 1;
        if let Some(place) = ticket.place {
            self.line.leave(place, now);
        }
        if ticket.place.is_some() || !self.line.is_empty() {
            self.make_way();
        }
        let is_probe = self.gate.pass(number, now);
        if is_probe {
            self.plan.restart(afloat(now));
        }
        self.count_down();
        Departed { number, is_probe }
    }

    /// Gives back a ticket that did not depart: its slots to come go to those behind it, and its place if it had one.
    pub(crate) fn cancel(&mut self, ticket: &Ticket) {
        self.counts.cancelled += 1;
        self.queue.cancel(ticket.id);
        if let Some(place) = ticket.place {
            self.line.leave(place, self.time.now());
            self.make_way();
        }
    }

    /// Applies another quota to everybody, those who wait too. What has departed counts in it.
    pub(crate) fn change_quota(&mut self, quota: &Quota, now: u64) {
        let now = self.advance(now);
        let pace = Pace::new(quota);
        self.departures.change_pace(self.plan.pace(), &pace, now);
        self.plan.change_pace(pace, now);
        self.delays += 1;
        self.reopen(now);
    }

    /// Reads the clock, and follows it.
    pub(crate) fn advance(&mut self, clock: u64) -> u64 {
        let now = self.time.read(clock);
        self.follow(now);
        now
    }

    /// Slots whose time has come are spent.
    fn follow(&mut self, now: u64) {
        if self.gate.lapse(now) {
            self.restart(now);
        }
        if self.is_probing() {
            // Nobody can use a slot now, so none passes.
            if self.plan.first() <= now {
                self.plan.restart(afloat(now));
            }
            return;
        }
        if self.queue.is_empty() {
            self.plan.idle(now);
        }
        while !self.queue.is_empty() {
            let first = self.plan.first();
            if first > now {
                break;
            }
            self.plan.spend(first);
            self.queue.spend();
        }
        if !self.line.is_empty() {
            self.advance_line(now);
        }
    }

    /// Makes the plan anew, from now on or from the end of the pause.
    fn reopen(&mut self, now: u64) {
        let floor = if self.is_probing() { afloat(now) } else { now };
        self.restart(floor.max(self.gate.paused_until()));
        self.follow(now);
    }

    fn restart(&mut self, floor: u64) {
        self.plan.restart(floor);
        self.line.restart(floor);
        self.make_way();
    }

    /// When departures allow the next one of this cost.
    fn follows(&self, cost: u32) -> u64 {
        self.departures.follows(self.plan.pace(), cost)
    }
}

/// The next moment after now at which the plan is made anew.
const fn afloat(now: u64) -> u64 {
    (now / FLOAT + 1).saturating_mul(FLOAT)
}
