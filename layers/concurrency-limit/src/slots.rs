//! Who has a permit and who waits for one. Law: never more permits than the limit, each to the one who came first.

use crate::{Stats, queue::Queue};
use egress_time::Instant;
use std::{mem, num::NonZeroUsize, task::Waker, time::Duration};

/// The permits and the queue of one limiter. Knows no clock: every call brings the time.
///
/// While anybody waits, no permit is free: what comes back is handed on in the same step.
#[derive(Debug)]
pub(crate) struct Slots {
    limit: NonZeroUsize,
    in_flight: usize,
    /// A waiter who is not here was given a permit: that is all there is to tell.
    waiting: Queue,
    /// Only counts and peaks; the rest is filled in when somebody asks.
    tally: Stats,
    made_at: Instant,
    /// Nanoseconds times permits, up to `changed_at`.
    permit_time: u128,
    changed_at: Instant,
}

/// How a request for a permit was settled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Served,
    TimedOut,
    Refused,
    Cancelled,
}

/// What a waiter who comes back is told.
#[derive(Debug)]
pub(crate) enum Turn {
    Come,
    Wait(Settle),
}

/// A waker that leaves the queue. It is woken or dropped outside the lock: either may run code that comes back here.
#[derive(Debug)]
#[must_use = "somebody may have to be woken"]
pub(crate) enum Settle {
    Nobody,
    Wake(Waker),
    Discard(Waker),
}

impl Settle {
    pub(crate) fn outside_the_lock(self) {
        match self {
            Self::Wake(waker) => waker.wake(),
            Self::Discard(waker) => drop(waker),
            Self::Nobody => {}
        }
    }
}

impl Slots {
    pub(crate) fn new(now: Instant, limit: NonZeroUsize) -> Self {
        Self {
            limit,
            in_flight: 0,
            waiting: Queue::default(),
            tally: Stats::default(),
            made_at: now,
            permit_time: 0,
            changed_at: now,
        }
    }

    pub(crate) const fn limit(&self) -> NonZeroUsize {
        self.limit
    }

    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// Asks for a permit. Whoever gets none queues up or is refused next.
    pub(crate) fn submit(&mut self, now: Instant) -> bool {
        self.tally.submitted += 1;
        let free = self.in_flight < self.limit.get();
        if free {
            self.give_out(now, 1);
        }
        free
    }

    /// Queues up if there is `room`, and returns the ticket to ask with; `None` is a refusal.
    pub(crate) fn queue_up(&mut self, waker: &Waker, room: Option<usize>) -> Option<u64> {
        if room.is_some_and(|room| self.waiting.len() >= room) {
            self.refuse();
            return None;
        }
        let ticket = self.waiting.join(waker.clone());
        self.tally.peak_queued = self.tally.peak_queued.max(self.waiting.len());
        Some(ticket)
    }

    /// Turns away one who got no permit and does not queue.
    pub(crate) fn refuse(&mut self) {
        self.count(Outcome::Refused);
    }

    /// Asks a second time; `waker` is the one that counts from now on.
    pub(crate) fn ask(&mut self, ticket: u64, waker: &Waker) -> Turn {
        match self.waiting.get_mut(ticket) {
            None => Turn::Come,
            Some(current) if current.will_wake(waker) => Turn::Wait(Settle::Nobody),
            Some(current) => Turn::Wait(Settle::Discard(mem::replace(current, waker.clone()))),
        }
    }

    /// Takes a waiter out of the queue; `None` if it has been given a permit.
    pub(crate) fn withdraw(&mut self, ticket: u64, outcome: Outcome) -> Option<Settle> {
        let waker = self.waiting.leave(ticket)?;
        self.count(outcome);
        Some(Settle::Discard(waker))
    }

    /// Tells whether a waiter is still in the queue.
    pub(crate) fn is_waiting(&mut self, ticket: u64) -> bool {
        self.waiting.get_mut(ticket).is_some()
    }

    /// Takes a permit back and hands it to the head of the queue, if the limit allows.
    pub(crate) fn give_back(&mut self, now: Instant, outcome: Outcome) -> Settle {
        self.count(outcome);
        if self.in_flight <= self.limit.get()
            && let Some(waker) = self.waiting.pop()
        {
            return Settle::Wake(waker);
        }
        self.let_time_pass(now);
        self.in_flight -= 1;
        Settle::Nobody
    }

    /// Changes the limit and returns those to wake: as many as fit, and no permit is taken away.
    pub(crate) fn set_limit(&mut self, now: Instant, limit: NonZeroUsize) -> Vec<Waker> {
        self.limit = limit;
        let free = limit.get().saturating_sub(self.in_flight);
        let next = free.min(self.waiting.len());
        self.give_out(now, next);
        (0..next).filter_map(|_| self.waiting.pop()).collect()
    }

    pub(crate) fn stats(&self, now: Instant) -> Stats {
        Stats {
            limit: self.limit.get(),
            in_flight: self.in_flight,
            permit_time: duration(self.permit_time_at(now)),
            elapsed: now - self.made_at,
            queued: self.waiting.len(),
            ..self.tally
        }
    }

    fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Served => &mut self.tally.served,
            Outcome::TimedOut => &mut self.tally.timed_out,
            Outcome::Refused => &mut self.tally.refused,
            Outcome::Cancelled => &mut self.tally.cancelled,
        } += 1;
    }

    fn give_out(&mut self, now: Instant, permits: usize) {
        self.let_time_pass(now);
        self.in_flight += permits;
        self.tally.peak_in_flight = self.tally.peak_in_flight.max(self.in_flight);
    }

    fn let_time_pass(&mut self, now: Instant) {
        self.permit_time = self.permit_time_at(now);
        self.changed_at = self.changed_at.max(now);
    }

    fn permit_time_at(&self, now: Instant) -> u128 {
        // Saturating: threads may take the lock in another order than that in which they read the clock.
        let passed = now.as_nanos().saturating_sub(self.changed_at.as_nanos());
        self.permit_time + u128::from(passed) * self.in_flight as u128
    }
}

fn duration(nanos: u128) -> Duration {
    const NANOS_PER_SEC: u128 = 1_000_000_000;
    match (
        u64::try_from(nanos / NANOS_PER_SEC),
        u32::try_from(nanos % NANOS_PER_SEC),
    ) {
        (Ok(secs), Ok(nanos)) => Duration::new(secs, nanos),
        _ => Duration::MAX,
    }
}
