//! How many retries a client may spend: withdrawals never exceed what was there and what successes paid in, plus
//! one retry per interval.

use crate::Cause;
use egress_time::Instant;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A purse of tokens that pays for the retries of one client; clones share it.
///
/// # Why a budget, and not only a maximum of retries
///
/// A maximum bounds what one request may do. When everything fails, three retries each make four times the
/// traffic, just when the server can stand it least. A budget bounds the whole client: a retry costs
/// tokens, a retry that succeeds gets its tokens back, a first attempt that succeeds earns one. While requests
/// mostly succeed it is never felt; when they mostly fail it is soon empty and requests are sent once.
///
/// A client with little traffic would take long to earn a retry, so one per second is free whatever the balance.
///
/// # Defaults
///
/// - 500 tokens
/// - a retry costs 14 when transient, 5 when throttled: a server that says "later" still works
/// - one free retry per second when the tokens do not suffice
///
/// # Example
///
/// ```
/// use egress_backoff::{Budget, Cause};
/// use egress_time::Instant;
///
/// let budget = Budget::default();
/// let retry = budget.withdraw(Cause::Transient, Instant::ORIGIN).expect("it is full");
/// assert_eq!(budget.available(), 486);
/// drop(retry); // never sent
/// assert_eq!(budget.available(), 500);
/// ```
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

struct Shared {
    rules: Rules,
    tokens: AtomicU32,
    /// When the next free retry is due, in nanoseconds since the clock's origin.
    next_free: AtomicU64,
}

#[derive(Clone, Copy)]
struct Rules {
    capacity: u32,
    transient: u32,
    throttled: u32,
    free_every: Option<Duration>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(500)
    }
}

impl Budget {
    /// Makes a full budget of `capacity` tokens.
    pub fn new(capacity: u32) -> Self {
        Self::full(Rules {
            capacity,
            transient: 14,
            throttled: 5,
            free_every: Some(Duration::from_secs(1)),
        })
    }

    /// Makes a budget that never runs out.
    pub fn unlimited() -> Self {
        Self::new(u32::MAX).with_costs(0, 0)
    }

    /// Makes a full budget with these costs, apart from this one.
    #[must_use]
    pub fn with_costs(&self, transient: u32, throttled: u32) -> Self {
        Self::full(Rules {
            transient,
            throttled,
            ..self.0.rules
        })
    }

    /// Makes a full budget with a free retry this often, or never; apart from this one.
    #[must_use]
    pub fn with_free_every(&self, interval: Option<Duration>) -> Self {
        Self::full(Rules {
            free_every: interval,
            ..self.0.rules
        })
    }

    fn full(rules: Rules) -> Self {
        Self(Arc::new(Shared {
            rules,
            tokens: AtomicU32::new(rules.capacity),
            next_free: AtomicU64::new(0),
        }))
    }

    /// Returns how many tokens are left.
    pub fn available(&self) -> u32 {
        self.0.tokens.load(Relaxed)
    }

    /// Returns how many tokens there are when it is full.
    pub fn capacity(&self) -> u32 {
        self.0.rules.capacity
    }

    /// Returns what a retry costs.
    pub fn cost(&self, cause: Cause) -> u32 {
        match cause {
            Cause::Transient => self.0.rules.transient,
            Cause::Throttled => self.0.rules.throttled,
        }
    }

    /// Returns how often a retry is free, if ever.
    pub fn free_every(&self) -> Option<Duration> {
        self.0.rules.free_every
    }

    /// Takes what a retry costs; `None` when it cannot be paid.
    pub fn withdraw(&self, cause: Cause, now: Instant) -> Option<Withdrawal> {
        let amount = self.cost(cause);
        let taken = self
            .0
            .tokens
            .fetch_update(Relaxed, Relaxed, |tokens| tokens.checked_sub(amount));
        let amount = match taken {
            Ok(_) => amount,
            Err(_) if self.0.take_free(now) => 0,
            Err(_) => return None,
        };
        Some(Withdrawal {
            budget: self.clone(),
            amount,
        })
    }

    /// Takes note of a success that cost `spent`: it is paid back, or one token is earned if it was free.
    pub fn succeed(&self, spent: u32) {
        self.deposit(spent.max(1));
    }

    /// Gives back what was taken for a retry that was not sent.
    pub(crate) fn deposit(&self, amount: u32) {
        let capacity = self.capacity();
        // A full budget is not written to, so that successes on several threads do not contend for it.
        let _ = self.0.tokens.fetch_update(Relaxed, Relaxed, |tokens| {
            (tokens < capacity && amount > 0).then(|| tokens.saturating_add(amount).min(capacity))
        });
    }
}

impl Shared {
    /// Takes the free retry of this interval, if it is still there. Free ones do not add up.
    fn take_free(&self, now: Instant) -> bool {
        let Some(interval) = self.rules.free_every else {
            return false;
        };
        let following = (now + interval).as_nanos();
        let latest = (now + interval + interval).as_nanos();
        let now = now.as_nanos();
        let taken = self.next_free.fetch_update(Relaxed, Relaxed, |next| {
            // One that is far ahead was set before the clock stepped back. One interval is not far: another
            // thread may have read the clock a moment later.
            (next <= now || next > latest).then_some(following)
        });
        taken.is_ok()
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("available", &self.available())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// What was taken for a retry that is planned; dropping it gives it back, since the retry was never sent.
#[derive(Debug)]
#[must_use = "dropping it gives the tokens back"]
pub struct Withdrawal {
    budget: Budget,
    amount: u32,
}

impl Withdrawal {
    /// Says that the retry is sent now; returns what it cost, for [`Budget::succeed`].
    pub fn spend(mut self) -> u32 {
        std::mem::take(&mut self.amount)
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        self.budget.deposit(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    /// B5
    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let budget = Budget::default();
        assert_eq!(budget.capacity(), 500);
        assert_eq!(budget.available(), 500);
        assert_eq!(budget.cost(Cause::Transient), 14);
        assert_eq!(budget.cost(Cause::Throttled), 5);
        assert_eq!(budget.free_every(), Some(SECOND));
    }

    /// B5
    #[test]
    fn it_runs_out_and_is_earned_back() {
        let budget = Budget::new(20).with_free_every(None);
        let spent = budget.withdraw(Cause::Transient, at(0)).unwrap().spend();
        assert_eq!((spent, budget.available()), (14, 6));
        assert!(budget.withdraw(Cause::Transient, at(0)).is_none());
        let cheap = budget.withdraw(Cause::Throttled, at(0)).unwrap().spend();
        assert_eq!((cheap, budget.available()), (5, 1));
        budget.succeed(cheap);
        assert_eq!(budget.available(), 6, "a success pays back what it cost");
        budget.succeed(0);
        assert_eq!(budget.available(), 7, "a success without a retry earns one");
        for _ in 0..100 {
            budget.succeed(14);
        }
        assert_eq!(budget.available(), 20, "and never more than fits");
    }

    /// B5: what is planned and given up costs nothing, or cancelled requests would use up the budget.
    #[test]
    fn a_retry_that_is_never_sent_is_given_back() {
        let budget = Budget::new(20);
        let planned = budget.withdraw(Cause::Transient, at(0)).unwrap();
        assert_eq!(budget.available(), 6);
        drop(planned);
        assert_eq!(budget.available(), 20);
    }

    /// B5
    #[test]
    fn one_retry_a_second_is_free_when_it_is_empty() {
        let budget = Budget::new(0);
        assert_eq!(
            budget
                .withdraw(Cause::Transient, at(5))
                .map(Withdrawal::spend),
            Some(0)
        );
        let soon = at(5) + SECOND / 2;
        assert!(
            budget.withdraw(Cause::Transient, soon).is_none(),
            "not another within the second"
        );
        assert!(budget.withdraw(Cause::Transient, at(6)).is_some());
        assert_eq!(budget.available(), 0, "a free one pays nothing back");
    }

    /// B5: tower's budget walks through every slot that has passed; a week of idling takes it 270 ms.
    #[test]
    fn free_retries_do_not_add_up_over_idle_time() {
        let budget = Budget::new(0);
        let week = at(7 * 24 * 3600);
        assert!(budget.withdraw(Cause::Throttled, week).is_some());
        assert!(budget.withdraw(Cause::Throttled, week).is_none());
    }

    /// B9
    #[test]
    fn a_clock_that_steps_back_does_not_end_the_free_retries() {
        let budget = Budget::new(0);
        assert!(budget.withdraw(Cause::Transient, at(1_000)).is_some());
        assert!(budget.withdraw(Cause::Transient, at(10)).is_some());
        assert!(budget.withdraw(Cause::Transient, at(10)).is_none());
        assert!(
            budget
                .withdraw(Cause::Transient, Instant::FAR_FUTURE)
                .is_some()
        );
    }

    #[test]
    fn clones_share_and_settings_do_not() {
        let budget = Budget::new(20);
        let clone = budget.clone();
        let _spent = clone.withdraw(Cause::Transient, at(0)).unwrap().spend();
        assert_eq!(budget.available(), 6);
        assert_eq!(budget.with_costs(1, 1).available(), 20);
    }

    #[test]
    fn an_unlimited_one_never_runs_out() {
        let budget = Budget::unlimited();
        for _ in 0..10_000 {
            let _spent = budget.withdraw(Cause::Transient, at(0)).unwrap().spend();
        }
        assert_eq!(budget.available(), u32::MAX);
    }
}
