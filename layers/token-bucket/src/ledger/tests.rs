//! The ledger's laws: by example, and against a slow model.

mod examples;
#[cfg(not(target_arch = "wasm32"))]
mod model;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
mod simulation;

use super::{Departed, Ledger, Ticket, Verdict};
use crate::Quota;
use std::time::Duration;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
const PATIENCE: u64 = 10 * SECOND;

fn quota(limit: u32, period: u64, burst: u32, spacing: u64) -> Quota {
    Quota::new(limit, Duration::from_nanos(period))
        .and_then(|quota| quota.with_burst(burst))
        .and_then(|quota| quota.with_spacing(Duration::from_nanos(spacing)))
        .unwrap()
}

impl Ledger {
    /// Departs, unless something speaks against it.
    fn commit(&mut self, ticket: &mut Ticket, now: u64) -> Result<Departed, Verdict> {
        match self.asks(ticket, now) {
            Verdict::Due => Ok(self.depart(ticket)),
            verdict => Err(verdict),
        }
    }

    /// Asks, and lines up if it is late, as one that waits for nothing else.
    fn asks(&mut self, ticket: &mut Ticket, now: u64) -> Verdict {
        match self.check(ticket, now) {
            Verdict::Late(at) => {
                self.line_up(ticket);
                Verdict::NotUntil(at)
            }
            verdict => verdict,
        }
    }

    /// Joins, and must have a slot at this time.
    fn joins(&mut self, now: u64, at: u64) -> Ticket {
        assert_eq!(self.quote(now, 1), at, "the newcomer's slot");
        self.acquires(now, 1)
    }

    /// Joins, the short way if that is open.
    fn acquires(&mut self, now: u64, cost: u32) -> Ticket {
        let at_once = (cost == 1).then(|| self.acquire_at_once(now)).flatten();
        at_once.unwrap_or_else(|| {
            self.advance(now);
            self.acquire(cost)
        })
    }

    fn departs(&mut self, ticket: &mut Ticket, now: u64) -> Departed {
        self.commit(ticket, now).expect("it may depart")
    }

    fn refuses(&mut self, ticket: &mut Ticket, now: u64, until: u64) {
        assert_eq!(self.commit(ticket, now), Err(Verdict::NotUntil(until)));
    }

    /// Takes the time as passed, and gives back.
    fn cancels(&mut self, ticket: &Ticket, now: u64) {
        self.advance(now);
        self.cancel(ticket);
    }
}
