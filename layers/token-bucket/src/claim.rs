//! A place in the queue of one bucket, and how to wait for it.

use crate::{
    Bucket, Reason,
    bucket::State,
    each::Each,
    ledger::{Ticket, Verdict, nanos},
    wakers::Alarm,
};
use std::{task::Waker, time::Duration};

/// In the order of the set's buckets.
pub(crate) type Claims = Each<Claim>;

/// A place in one queue.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) ticket: Ticket,
    /// Its wait is too long if it cannot depart by then.
    pub(crate) latest: u64,
    /// What had moved everybody back when it was accepted. Its wait is looked at again only if there was more since:
    /// that a timer was late is no reason to throw somebody out.
    pub(crate) delays: u64,
}

/// How to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    /// How long to sleep before asking again.
    pub(crate) sleep: u64,
    /// When that is over.
    until: u64,
    /// How long it is until the departure, as far as is known.
    pub(crate) left: u64,
    /// Whether nobody knows, since a probe is out.
    pub(crate) is_open: bool,
    /// Whether it has to line up to be sure of that.
    pub(crate) is_late: bool,
    /// Whether it is worth while to be on time to less than a timer's granularity.
    pub(crate) is_fine: bool,
}

/// The shortest and the longest time after which a waiter that nobody wakes asks again.
const RECHECK: (u64, u64) = (20_000_000, 1_000_000_000);
/// A wait that is short enough to be worth some precision.
const SHORT: u64 = 10_000_000;

impl Claim {
    /// Takes care of a ticket that was just acquired.
    pub(crate) fn new(bucket: &Bucket, state: &State, ticket: Ticket) -> Self {
        let ledger = &state.ledger;
        let max_wait = nanos(bucket.config().max_wait);
        Self {
            ticket,
            latest: ledger.now().saturating_add(max_wait),
            delays: ledger.delays(),
        }
    }

    /// Asks whether it may depart; if so, returns nothing.
    pub(crate) fn ask(
        &self,
        state: &mut State,
        max_wait: Duration,
        deadline: u64,
        now: u64,
    ) -> Result<Option<Pause>, (Reason, u64)> {
        let (due, is_late) = match state.ledger.check(&self.ticket, now) {
            Verdict::Due => return Ok(None),
            Verdict::NotUntil(due) => (due, false),
            Verdict::Late(due) => (due, true),
            Verdict::TooDear => {
                let (cost, burst) = (self.ticket.cost(), state.ledger.burst());
                return Err((Reason::CostAboveBurst { cost, burst }, u64::MAX));
            }
        };
        if due > self.latest && self.delays != state.ledger.delays() {
            return Err((Reason::WaitTooLong { max_wait }, due));
        }
        // The deadline is the caller's, and so by the clock.
        if state.ledger.on_clock(due) > deadline {
            return Err((Reason::DeadlineTooSoon, due));
        }
        Ok(Some(self.pause(state, due, is_late)))
    }

    fn pause(&self, state: &State, due: u64, is_late: bool) -> Pause {
        let ledger = &state.ledger;
        let now = ledger.now();
        // Those whose slot has passed are in no queue, so nobody becomes aware that they are next.
        let is_woken = state.wakers.is_enabled() && ledger.is_queued(&self.ticket);
        let left = due.saturating_sub(now);
        let sleep = match ledger.lapses() {
            // Whoever is woken first may have slept and be gone, and then nobody wakes the next.
            Some(lapses) if is_woken => {
                let open = lapses.max(due) - now;
                (open / 2).max(RECHECK.1).min(open)
            }
            Some(_) => (left / 2).clamp(RECHECK.0, RECHECK.1),
            // A slot may become earlier by any number of cancels. Whoever asks again when half of its wait is over
            // learns of it with a delay of that at most, even if nobody is there to wake it.
            None if is_woken => (left / 2).max(RECHECK.1).min(left),
            None => (left / 2).clamp(RECHECK.0, RECHECK.1).min(left),
        };
        Pause {
            sleep,
            until: now.saturating_add(sleep),
            left,
            is_open: ledger.is_probing(),
            is_late,
            is_fine: left <= SHORT && sleep == left && ledger.is_fine(),
        }
    }

    /// Has the waker called when it is next and its slot is before the end of the pause. Returns false if that takes a
    /// `spare` of it and there is none.
    pub(crate) fn sleep(
        &self,
        state: &mut State,
        pause: Pause,
        deadline: u64,
        waker: &Waker,
        spare: &mut Option<Waker>,
    ) -> bool {
        if !state.wakers.is_enabled() || !state.ledger.is_queued(&self.ticket) {
            return true;
        }
        let latest = self.latest.min(state.ledger.of_clock(deadline));
        let until = pause.until;
        (state.wakers).sleeps(self.ticket.id(), waker, spare, Alarm { until, latest })
    }

    /// Gives the place back.
    pub(crate) fn cancel(&self, state: &mut State) {
        state.wakers.forget(self.ticket.id());
        state.ledger.cancel(&self.ticket);
    }
}
