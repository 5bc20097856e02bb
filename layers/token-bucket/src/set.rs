//! The buckets that one request pays.

use crate::{
    Bucket, Cost, Departure, RateLimited, Reason, Reservation,
    bucket::State,
    claim::{Claim, Claims, refusal},
    ledger::nanos,
    wakers::Wakes,
};
use egress_hints::Dialect;
use egress_time::Instant;
use smallvec::SmallVec;
use std::{
    slice,
    sync::{Arc, MutexGuard},
    time::Duration,
};

/// The buckets that a request belongs to. Cheap to clone; made once and kept, for each kind of request.
///
/// A call to GitHub's search pays GitHub's bucket and that of the search. It departs when both agree, and when one
/// refuses it the other is as it was.
#[derive(Clone, Debug)]
pub struct BucketSet(Buckets);

#[derive(Clone, Debug)]
enum Buckets {
    One(Bucket),
    /// Each once, in the order of their addresses: whoever needs several locks takes them in this order.
    Many(Arc<[Bucket]>),
}

/// The locked states of a set, in its order.
pub(crate) type States<'a> = SmallVec<[MutexGuard<'a, State>; 2]>;

impl BucketSet {
    /// Makes a set; a bucket that is there twice counts once. A request of an empty set waits for nothing.
    pub fn new(buckets: impl IntoIterator<Item = Bucket>) -> Self {
        let mut buckets: Vec<_> = buckets.into_iter().collect();
        buckets.sort_by_key(Bucket::address);
        buckets.dedup_by_key(|bucket| bucket.address());
        Self(Buckets::Many(buckets.into()))
    }

    /// Takes a place in the queue of each.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] by the first that refuses; nothing is spent in any of them.
    pub fn reserve(&self, cost: Cost, now: Instant) -> Result<Reservation, RateLimited> {
        self.reserve_until(cost, now, Instant::FAR_FUTURE)
    }

    /// Takes a place in the queue of each, unless that is after a deadline.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] by the first that refuses; nothing is spent in any of them.
    pub fn reserve_until(
        &self,
        cost: Cost,
        now: Instant,
        deadline: Instant,
    ) -> Result<Reservation, RateLimited> {
        let mut states = self.lock();
        let (claims, is_due) = self.admit(&mut states, cost, now, deadline, None)?;
        self.unlock(states);
        let buckets = self.clone();
        Ok(Reservation::new(buckets, claims, now, deadline, is_due))
    }

    /// Departs at once from all, or from none.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] by the first that would make it wait; nothing is spent in any of them.
    pub fn try_depart(&self, cost: Cost, now: Instant) -> Result<Departure, RateLimited> {
        let at_once = Some(Duration::ZERO);
        let mut states = self.lock();
        let (claims, _) = self.admit(&mut states, cost, now, Instant::FAR_FUTURE, at_once)?;
        let departed = states
            .iter_mut()
            .zip(&claims)
            .map(|(state, claim)| state.ledger.depart(&claim.ticket))
            .collect();
        self.unlock(states);
        Ok(Departure::new(self.clone(), departed))
    }

    /// Returns the buckets, in no particular order.
    pub fn buckets(&self) -> &[Bucket] {
        match &self.0 {
            Buckets::One(bucket) => slice::from_ref(bucket),
            Buckets::Many(buckets) => buckets,
        }
    }

    /// How replies are to be read: as the first bucket with an opinion says.
    pub(crate) fn dialect(&self) -> Dialect {
        let dialects = self.buckets().iter().map(|bucket| bucket.config().dialect);
        let mut known = dialects.filter(|dialect| *dialect != Dialect::Generic);
        known.next().unwrap_or_default()
    }

    pub(crate) fn lock(&self) -> States<'_> {
        self.buckets().iter().map(Bucket::lock).collect()
    }

    /// Unlocks, and wakes whom it concerns.
    pub(crate) fn unlock(&self, mut states: States<'_>) {
        let mut wakes = Wakes::default();
        for state in &mut states {
            state.collect(&mut wakes);
        }
        drop(states);
        wakes.wake();
    }

    /// Takes tickets from all, or from none. Tells also whether they are all due now; if so, nothing speaks against a
    /// departure under the same lock.
    fn admit(
        &self,
        states: &mut States<'_>,
        cost: Cost,
        now: Instant,
        deadline: Instant,
        max_wait: Option<Duration>,
    ) -> Result<(Claims, bool), RateLimited> {
        let (units, nanos_now) = (cost.units(), now.as_nanos());
        let mut are_due = true;
        for (bucket, state) in self.buckets().iter().zip(states.iter_mut()) {
            let burst = state.ledger.burst();
            let max_wait = max_wait.unwrap_or(bucket.config().max_wait);
            let (at, refused) = if units > burst {
                let reason = Reason::CostAboveBurst { cost: units, burst };
                (u64::MAX, Some(reason))
            } else {
                let at = state.ledger.quote(nanos_now, units);
                let present = state.ledger.now();
                let refused = if at <= present {
                    None
                } else if max_wait.is_zero() {
                    Some(Reason::NotNow)
                } else if at > present.saturating_add(nanos(max_wait)) {
                    Some(Reason::WaitTooLong { max_wait })
                } else if at > deadline.as_nanos() {
                    Some(Reason::DeadlineTooSoon)
                } else {
                    let full = bucket.config().max_queued;
                    full.filter(|&max_queued| state.ledger.queued() >= max_queued)
                        .map(|max_queued| Reason::QueueFull { max_queued })
                };
                (at, refused)
            };
            if let Some(reason) = refused {
                state.refused += 1;
                return Err(refusal(bucket, state, reason, at, now));
            }
            are_due &= at <= state.ledger.now();
        }
        let claims = self.buckets().iter().zip(states).map(|(bucket, state)| {
            let max_wait = nanos(bucket.config().max_wait);
            Claim {
                ticket: state.ledger.acquire(nanos_now, units),
                latest: nanos_now.saturating_add(max_wait),
                delays: state.ledger.delays(),
            }
        });
        Ok((claims.collect(), are_due))
    }
}

impl From<Bucket> for BucketSet {
    fn from(bucket: Bucket) -> Self {
        Self(Buckets::One(bucket))
    }
}

impl FromIterator<Bucket> for BucketSet {
    fn from_iter<I: IntoIterator<Item = Bucket>>(buckets: I) -> Self {
        Self::new(buckets)
    }
}
