//! What is said to those whose slot has passed.
//!
//! **Each has a time of its own, behind those who asked before it. It costs those behind it one slot's distance if it
//! lines up for it, and nothing if it only asks.**
//!
//! A time that nobody comes for is lost to all. So who waits for something else, too, lines up when it waits for this
//! the longest, and not before.

use super::{Ledger, Ticket, Verdict, fine::Fine};

/// When one whose slot has passed may depart, and what has that time kept for it.
enum Turn {
    Now,
    /// Then, by the place that it has.
    Kept(u64),
    /// Then, if it waits before all places: its own has lapsed.
    First(u64),
    /// Then, if it takes a place at the end.
    Last(u64),
}

impl Ledger {
    /// Tells whether one whose slot has passed may depart, and if not, when it could.
    pub(super) fn check_late(&self, ticket: &Ticket, now: u64) -> Verdict {
        match self.turn(ticket, now) {
            Turn::Now => Verdict::Due,
            Turn::Kept(at) => Verdict::NotUntil(at),
            Turn::First(at) | Turn::Last(at) => Verdict::Late(at),
        }
    }

    /// Keeps the time for a ticket that was just found to be late.
    pub(crate) fn line_up(&mut self, ticket: &mut Ticket) {
        match self.turn(ticket, self.time.now()) {
            Turn::Now | Turn::Kept(_) => return,
            Turn::First(at) => self.line.delay(ticket.id, at, ticket.cost),
            Turn::Last(_) => ticket.place = Some(self.line.join(ticket.cost)),
        }
        self.make_way();
    }

    fn turn(&self, ticket: &Ticket, now: u64) -> Turn {
        let cost = ticket.cost;
        if let Some(place) = ticket.place {
            if let Some(through) = self.line.through(place) {
                return Turn::Kept(self.late(through - u64::from(cost), cost));
            }
            let alone = self.follows(cost).max(self.gate.paused_until());
            if alone <= now {
                return Turn::Now;
            }
            // Not all of them at once: after another stall they are all there.
            if self.line.may_delay(ticket.id) {
                return Turn::First(alone);
            }
        }
        match self.late(self.line.units(), cost) {
            at if at <= now => Turn::Now,
            at => Turn::Last(at),
        }
    }

    /// Takes away the places whose time has come.
    pub(super) fn advance_line(&mut self, now: u64) {
        self.line.lapse(now, self.plan.pace().spacing);
        while let Some(units) = self.line.first()
            && self.late(0, units) <= now
        {
            let next = self.late(units.into(), 1);
            self.line.pass(units, next);
        }
    }

    /// Keeps the slots to come behind those in the line, and no further back than that.
    pub(super) fn make_way(&mut self) {
        let units = self.line.units();
        let last = match units.checked_sub(1) {
            Some(before) => Some(self.late(before, 1)),
            None => self.line.delayed().map(|(until, _)| until),
        };
        let end = self.late(units, 1).max(self.time.now());
        let (first, before) = self.line_starts(units);
        let arrival = self.departures.arrival().max(Fine::whole(first));
        let arrival = self.plan.pace().after(arrival, before);
        self.plan.stay_behind(last, end, arrival);
    }

    /// Returns the time of one whose place is behind so many units.
    ///
    /// As far as can be said in a few steps: departures obey more rules than this, and who comes too early for them
    /// is told so.
    fn late(&self, before: u64, cost: u32) -> u64 {
        let pace = self.plan.pace();
        let (first, before) = self.line_starts(before);
        let spaced = first.saturating_add(before.saturating_mul(pace.spacing));
        let last = before + u64::from(cost) - 1;
        let arrival = self.departures.arrival().max(Fine::whole(first));
        let conforms = pace.conforms(pace.after(arrival, last));
        let limit = u64::from(pace.limit);
        let (rounds, place) = (last / limit, last % limit);
        let place = u32::try_from(place + 1).unwrap_or(pace.limit);
        let opens = self.departures.window().opens(place).max(first);
        let opens = opens.saturating_add(rounds.saturating_mul(pace.period));
        spaced.max(conforms).max(opens)
    }

    /// Returns when the line can begin to move, and how many units are then before a place with so many before it.
    fn line_starts(&self, before: u64) -> (u64, u64) {
        let (until, units) = self.line.delayed().unwrap_or_default();
        let first = (self.departures.spaced(self.plan.pace()))
            .max(self.gate.paused_until())
            .max(self.line.floor())
            .max(until);
        (first, before + u64::from(units))
    }
}
