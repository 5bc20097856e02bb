//! What is said to those whose slot has passed.
//!
//! **Each has a time of its own, behind those before it in the line. It costs those behind it one slot's distance if it
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
    /// Then, if it takes the first place. It had one whose time has come, and goes as soon as departures allow.
    First(u64),
    /// Then, if it takes a place.
    Behind(u64),
}

impl Ledger {
    /// Tells whether one whose slot has passed may depart, and if not, when it could.
    pub(super) fn check_late(&self, ticket: &Ticket, now: u64) -> Verdict {
        match self.turn(ticket, now) {
            Turn::Now => Verdict::Due,
            Turn::Kept(at) => Verdict::NotUntil(at),
            Turn::First(at) | Turn::Behind(at) => Verdict::Late(at),
        }
    }

    /// Keeps the time for a ticket that was just found to be late.
    pub(crate) fn line_up(&mut self, ticket: &mut Ticket) {
        match self.turn(ticket, self.time.now()) {
            Turn::Now | Turn::Kept(_) => return,
            Turn::First(at) => self.line.advance(at),
            Turn::Behind(_) => {}
        }
        self.line.join(ticket);
        self.make_way();
    }

    /// Keeps the present time for a ticket that was just found to be due and will come back after so long a wait, if another
    /// would take it by then.
    pub(crate) fn hold(&mut self, ticket: &mut Ticket, wait: u64) {
        let now = self.time.now();
        let place = self.line.place_of(ticket);
        if self.line.has(place) || self.line.before(place) > 0 {
            return;
        }
        let next = match self.line.first() {
            Some(units) => self.late(0, units),
            None => self.plan.first(),
        };
        if next <= now.saturating_add(wait) {
            self.line.restart(self.line.floor().max(now));
            self.line.join(ticket);
            self.make_way();
            self.advance_line(now);
        }
    }

    fn turn(&self, ticket: &Ticket, now: u64) -> Turn {
        let (place, cost) = (self.line.place_of(ticket), ticket.cost);
        let before = self.line.before(place);
        if self.line.has(place) {
            return Turn::Kept(self.late(before, cost));
        }
        if ticket.place.is_some() && before == 0 {
            let alone = self.follows(cost).max(self.gate.paused_until());
            return if alone <= now {
                Turn::Now
            } else {
                Turn::First(alone)
            };
        }
        match self.late(before, cost) {
            at if at <= now => Turn::Now,
            at => Turn::Behind(at),
        }
    }

    /// Takes away the places whose time has come.
    pub(super) fn advance_line(&mut self, now: u64) {
        while let Some(units) = self.line.first()
            && self.late(0, units) <= now
        {
            let next = self.late(units.into(), 1);
            self.line.pass(next);
        }
    }

    /// Keeps the slots to come behind those in the line, and no further back than that.
    pub(super) fn make_way(&mut self) {
        let units = self.line.units();
        let last = units.checked_sub(1).map(|before| self.late(before, 1));
        let end = self.late(units, 1).max(self.time.now());
        let arrival = self
            .departures
            .arrival()
            .max(Fine::whole(self.line_starts()));
        let arrival = self.plan.pace().after(arrival, units);
        self.plan.stay_behind(last, end, arrival);
    }

    /// Returns the time of one whose place is behind so many units.
    ///
    /// As far as can be said in a few steps: departures obey more rules than this, and who comes too early for them
    /// is told so.
    fn late(&self, before: u64, cost: u32) -> u64 {
        let pace = self.plan.pace();
        let first = self.line_starts();
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

    /// Returns when the line can begin to move.
    fn line_starts(&self) -> u64 {
        (self.departures.spaced(self.plan.pace()))
            .max(self.gate.paused_until())
            .max(self.line.floor())
    }
}
