//! What a ledger tells of itself.

use super::{Counts, Ledger, Report, Ticket, server::View};

/// Of departures further apart than this, a millisecond is not worth much.
const FINE: u64 = 100_000_000;

impl Ledger {
    /// Whether a probe is out, so that nobody else may depart.
    pub(crate) const fn is_probing(&self) -> bool {
        self.gate.lapses().is_some()
    }

    /// When a probe that is out is taken as lost.
    pub(crate) const fn lapses(&self) -> Option<u64> {
        self.gate.lapses()
    }

    /// The latest time it was told.
    pub(crate) const fn now(&self) -> u64 {
        self.time.now()
    }

    /// The time at which the clock will show this.
    pub(crate) const fn of_clock(&self, clock: u64) -> u64 {
        self.time.of_clock(clock)
    }

    /// What the clock will show at this time.
    pub(crate) const fn on_clock(&self, time: u64) -> u64 {
        self.time.on_clock(time)
    }

    /// Whether a slot of this ticket is still to come.
    pub(crate) fn is_queued(&self, ticket: &Ticket) -> bool {
        self.queue.through(ticket.id).is_some()
    }

    /// Whether departures follow each other so closely that a timer's granularity costs some.
    pub(crate) fn is_fine(&self) -> bool {
        self.plan.pace().least_gap() < FINE
    }

    /// Returns how far apart departures are at least.
    pub(crate) fn least_gap(&self) -> u64 {
        self.plan.pace().least_gap()
    }

    pub(crate) fn paused_until(&self) -> Option<u64> {
        Some(self.gate.paused_until()).filter(|&until| until > self.time.now())
    }

    pub(crate) const fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Who is next, and when it may depart, which is with the last of its units.
    pub(crate) fn next(&mut self) -> Option<(u64, u64)> {
        let (id, units) = self.queue.front().zip(self.queue.front_units())?;
        Some((id, self.plan.slot(u64::from(units) - 1)))
    }

    /// When this ticket may depart, if its slot is to come.
    pub(crate) fn slot(&mut self, id: u64) -> Option<u64> {
        let units = self.queue.through(id)?;
        Some(self.plan.slot(units - 1))
    }

    pub(crate) const fn burst(&self) -> u32 {
        self.plan.pace().burst
    }

    pub(crate) const fn delays(&self) -> u64 {
        self.delays
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn view(&self) -> Option<&Report> {
        self.view.as_ref().map(View::report)
    }

    /// How many units could depart at once, apart from the spacing.
    pub(crate) fn available(&self) -> u32 {
        let now = self.time.now();
        let closed = self.is_probing() || self.gate.paused_until() > now;
        if closed || !self.queue.is_empty() || !self.line.is_empty() {
            return 0;
        }
        let tokens = self.plan.tokens(now);
        self.departures.room(self.plan.pace(), now, tokens)
    }
}
