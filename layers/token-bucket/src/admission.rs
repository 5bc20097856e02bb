//! Who may wait, and who is refused.

use crate::{Bucket, Cost, RateLimited, Reason, bucket::State, ledger::nanos};
use egress_time::Instant;
use std::{sync::Arc, time::Duration};

impl Bucket {
    /// Refuses who would wait too long. Else tells whether it need not wait at all.
    pub(crate) fn admit(
        &self,
        state: &mut State,
        cost: Cost,
        now: Instant,
        deadline: Instant,
        max_wait: Option<Duration>,
    ) -> Result<bool, RateLimited> {
        let (units, burst) = (cost.units(), state.ledger.burst());
        let config = self.config();
        let (at, reason) = if units > burst {
            let reason = Reason::CostAboveBurst { cost: units, burst };
            (u64::MAX, reason)
        } else {
            let at = state.ledger.quote(now.as_nanos(), units);
            let present = state.ledger.now();
            if at <= present {
                return Ok(true);
            }
            let max_wait = max_wait.unwrap_or(config.max_wait);
            let reason = if max_wait.is_zero() {
                Reason::NotNow
            } else if at > present.saturating_add(nanos(max_wait)) {
                Reason::WaitTooLong { max_wait }
            } else if state.ledger.on_clock(at) > deadline.as_nanos() {
                Reason::DeadlineTooSoon
            } else {
                match config.max_queued {
                    Some(max_queued) if state.ledger.queued() >= max_queued => {
                        Reason::QueueFull { max_queued }
                    }
                    _ => return Ok(false),
                }
            };
            (at, reason)
        };
        state.refused += 1;
        Err(self.refusal(state, reason, at, now))
    }

    /// Says why who could depart `at` this time of the ledger is refused.
    pub(crate) fn refusal(
        &self,
        state: &State,
        reason: Reason,
        at: u64,
        now: Instant,
    ) -> RateLimited {
        let retry_at = Instant::from_nanos(state.ledger.on_clock(at));
        RateLimited {
            bucket: Arc::clone(&self.config().name),
            reason,
            retry_at,
            retry_after: retry_at - now,
            queued: state.ledger.queued(),
            waited: Duration::ZERO,
        }
    }
}
