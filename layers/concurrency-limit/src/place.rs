//! A place in the queue: how it is taken, asked after, judged and left.

use crate::{
    ConcurrencyLimitError, Congestion, Limiter, Permit,
    holder::Names,
    open_bodies::Look,
    slots::{Outcome, Turn},
};
use egress_time::{Clock, Instant};
use std::task::Waker;

/// A place in the queue. Whoever has one asks until it is settled, or leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    ticket: u64,
    since: Instant,
    expires: Option<Instant>,
}

/// What somebody who comes for a permit is told.
pub(crate) enum Entry<T: Clock> {
    Permit(Permit<T>),
    Place(Place),
    Full(ConcurrencyLimitError),
}

/// What a waiter whose timer has fired is told.
pub(crate) enum Verdict<T: Clock> {
    Permit(Permit<T>),
    WaitUntil(Instant),
    GiveUp(ConcurrencyLimitError),
}

impl Place {
    /// Asks for a permit, and for a place in the queue if there is none.
    pub(crate) fn enter<T: Clock>(limiter: &Limiter<T>, waker: &Waker) -> Entry<T> {
        let now = limiter.now();
        let mut state = limiter.lock();
        if state.slots.submit(now) {
            return Entry::Permit(Permit::new(limiter.clone()));
        }
        match state.slots.queue_up(waker, limiter.config().max_queued()) {
            Some(ticket) => Entry::Place(Self {
                ticket,
                since: now,
                expires: limiter.config().queue_timeout().map(|wait| now + wait),
            }),
            None => Entry::Full(ConcurrencyLimitError::QueueFull {
                congestion: limiter.congestion(&state, now),
            }),
        }
    }

    /// Asks for the permit; `waker` is the one to wake from now on.
    pub(crate) fn ask<T: Clock>(&self, limiter: &Limiter<T>, waker: &Waker) -> Option<Permit<T>> {
        let turn = limiter.lock().slots.ask(self.ticket, waker);
        match turn {
            Turn::Come => Some(Permit::new(limiter.clone())),
            Turn::Wait(settle) => {
                settle.outside_the_lock();
                None
            }
        }
    }

    /// Returns when the waiter has to look after itself for the first time, if ever.
    pub(crate) fn first_look<T: Clock>(&self, limiter: &Limiter<T>) -> Option<Instant> {
        let look = limiter
            .config()
            .look_after()
            .map(|after| self.since + after);
        match (look, self.expires) {
            (Some(look), Some(expires)) => Some(look.min(expires)),
            (look, expires) => look.or(expires),
        }
    }

    /// Decides what becomes of the waiter, whose timer has fired.
    pub(crate) fn judge<T: Clock>(&self, limiter: &Limiter<T>) -> Verdict<T> {
        let config = limiter.config();
        let now = limiter.now();
        let mut state = limiter.lock();
        if !state.slots.is_waiting(self.ticket) {
            drop(state);
            return Verdict::Permit(Permit::new(limiter.clone()));
        }
        let limit = state.slots.limit().get();
        let look = config
            .look_after()
            .map_or(Look::NEVER, |after| state.bodies.look(now, limit, after));
        let fails = look.all_unread && config.fail_on_unread();
        let is_late = self.expires.is_some_and(|expires| now >= expires);
        // Only for somebody to read: most of those who look find nothing new and wait on.
        let congestion =
            (look.is_news || fails || is_late).then(|| limiter.congestion(&state, now));
        let withdrawn = if fails {
            state.slots.withdraw(self.ticket, Outcome::Refused)
        } else if is_late {
            state.slots.withdraw(self.ticket, Outcome::TimedOut)
        } else {
            None
        };
        drop(state);

        if let Some(congestion) = congestion.as_ref().filter(|_| look.is_news) {
            announce(congestion);
        }
        let waited = now - self.since;
        let (Some(settle), Some(congestion)) = (withdrawn, congestion) else {
            let expires = self.expires.unwrap_or(Instant::FAR_FUTURE);
            return Verdict::WaitUntil(expires.min(look.again_at));
        };
        settle.outside_the_lock();
        Verdict::GiveUp(if fails {
            ConcurrencyLimitError::BodiesHeld { waited, congestion }
        } else {
            ConcurrencyLimitError::QueueTimeout { waited, congestion }
        })
    }

    /// Leaves the queue; a permit that was given meanwhile goes to the next.
    pub(crate) fn leave<T: Clock>(&self, limiter: &Limiter<T>) {
        let now = limiter.now();
        let mut state = limiter.lock();
        let slots = &mut state.slots;
        let settle = slots
            .withdraw(self.ticket, Outcome::Cancelled)
            .unwrap_or_else(|| slots.give_back(now, Outcome::Cancelled));
        drop(state);
        settle.outside_the_lock();
    }
}

fn announce(congestion: &Congestion) {
    tracing::warn!(
        limit = congestion.limit,
        in_flight = congestion.in_flight,
        queued = congestion.queued,
        unread_bodies = congestion.unread_bodies,
        holders = %Names(&congestion.holders),
        "somebody waits for a permit, and nobody reads the response bodies that hold them all"
    );
}
