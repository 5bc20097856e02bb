//! The buckets that one request pays.

use crate::{
    Bucket, Cost, Departure, RateLimited, Reservation,
    bucket::State,
    claim::{Claim, Claims},
    each::Each,
    ledger::Ticket,
    wakers::Wakes,
};
use egress_hints::Dialect;
use egress_time::Instant;
use std::{
    mem,
    ops::{Deref, DerefMut},
    slice,
    sync::{Arc, MutexGuard},
    time::Duration,
};

/// The buckets that a request belongs to. Cheap to clone; made once and kept, for each kind of request.
///
/// A call to GitHub's search pays GitHub's bucket and that of the search. It departs when both agree, and when one
/// refuses it the other is as it was. While one has it wait, it has one slot in the other: when that has passed, the
/// other goes on without it, and has it depart among the others once the first one agrees. If that is busy just then, it
/// is told a time there; each time at which the other one turns out to be busy costs one more slot.
///
/// # Order
///
/// Of those who pay the same buckets the same cost, whoever came first departs first, as a rule, wherever each of them has to wait.
/// Only who does not come when its time has come is not waited for, since it might never: its timer is late, its task is
/// busy, or its time has moved forward and it does not know yet, after somebody left, a pause, or a halt of the whole
/// program. It has its place before the others again when it comes.
#[derive(Clone, Debug)]
pub struct BucketSet(Buckets);

#[derive(Clone, Debug)]
enum Buckets {
    None,
    One(Bucket),
    /// Each once, in the order of their addresses: whoever needs several locks takes them in this order.
    Many(Arc<[Bucket]>),
}

impl BucketSet {
    /// Makes a set; a bucket that is there twice counts once. A request of an empty set waits for nothing.
    pub fn new(buckets: impl IntoIterator<Item = Bucket>) -> Self {
        // There are two or three, for which a sort is a lot of code.
        let mut sorted = Vec::<Bucket>::new();
        for bucket in buckets {
            if let Err(place) = sorted.binary_search_by_key(&bucket.address(), Bucket::address) {
                sorted.insert(place, bucket);
            }
        }
        Self(Buckets::Many(sorted.into()))
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
        self.clone().into_reservation(cost, now, deadline)
    }

    /// Departs at once from all, or from none.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] by the first that would make it wait; nothing is spent in any of them.
    pub fn try_depart(&self, cost: Cost, now: Instant) -> Result<Departure, RateLimited> {
        self.clone().into_departure(cost, now)
    }

    /// Returns the buckets, in no particular order.
    pub fn buckets(&self) -> &[Bucket] {
        match &self.0 {
            Buckets::None => &[],
            Buckets::One(bucket) => slice::from_ref(bucket),
            Buckets::Many(buckets) => buckets,
        }
    }

    /// Takes the buckets and leaves none.
    pub(crate) fn take(&mut self) -> Self {
        Self(mem::replace(&mut self.0, Buckets::None))
    }

    /// How replies are to be read: as the first bucket with an opinion says.
    pub(crate) fn dialect(&self) -> Dialect {
        let dialects = self.buckets().iter().map(|bucket| bucket.config().dialect);
        let mut known = dialects.filter(|dialect| *dialect != Dialect::Generic);
        known.next().unwrap_or_default()
    }

    pub(crate) fn into_reservation(
        self,
        cost: Cost,
        now: Instant,
        deadline: Instant,
    ) -> Result<Reservation, RateLimited> {
        if let Some(claim) = self.at_once(cost, now, |bucket, state, ticket| {
            Claim::new(bucket, state, ticket)
        }) {
            let claims = Each::One(claim);
            return Ok(Reservation::new(self, claims, now, deadline, true));
        }
        let mut states = self.lock();
        let is_due = self.admit(&mut states, cost, now, deadline, None)?;
        let mut claims = Claims::default();
        let is_shared = states.len() > 1;
        for (bucket, state) in self.buckets().iter().zip(&mut *states) {
            let ticket = state.ledger.acquire(cost.units());
            let ticket = if is_shared { ticket.shared() } else { ticket };
            claims.push(Claim::new(bucket, state, ticket));
        }
        drop(states);
        Ok(Reservation::new(self, claims, now, deadline, is_due))
    }

    pub(crate) fn into_departure(self, cost: Cost, now: Instant) -> Result<Departure, RateLimited> {
        let depart = |_: &Bucket, state: &mut State, ticket| state.ledger.depart(&ticket);
        if let Some(departed) = self.at_once(cost, now, depart) {
            return Ok(Departure::new(self, Each::One(departed)));
        }
        let at_once = Some(Duration::ZERO);
        let mut states = self.lock();
        self.admit(&mut states, cost, now, Instant::FAR_FUTURE, at_once)?;
        let mut departed = Each::default();
        for state in &mut *states {
            let ticket = state.ledger.acquire(cost.units());
            departed.push(state.ledger.depart(&ticket));
        }
        drop(states);
        Ok(Departure::new(self, departed))
    }

    /// Goes on with a ticket of the only bucket, if nothing is in the way there. Then nobody sleeps who could be woken.
    fn at_once<O>(
        &self,
        cost: Cost,
        now: Instant,
        go_on: impl FnOnce(&Bucket, &mut State, Ticket) -> O,
    ) -> Option<O> {
        match self.buckets() {
            [bucket] if cost == Cost::ONE => {
                let mut state = bucket.lock();
                let ticket = state.ledger.acquire_at_once(now.as_nanos())?;
                Some(go_on(bucket, &mut state, ticket))
            }
            _ => None,
        }
    }

    /// Takes all their locks.
    pub(crate) fn lock(&self) -> Locked<'_> {
        let mut states = Each::default();
        for bucket in self.buckets() {
            states.push(bucket.lock());
        }
        Locked { states }
    }

    /// Tells whether all would let it depart now; if so, nothing speaks against a departure under the same lock.
    fn admit(
        &self,
        states: &mut Locked<'_>,
        cost: Cost,
        now: Instant,
        deadline: Instant,
        max_wait: Option<Duration>,
    ) -> Result<bool, RateLimited> {
        let mut are_due = true;
        for (bucket, state) in self.buckets().iter().zip(&mut **states) {
            are_due &= bucket.admit(state, cost, now, deadline, max_wait)?;
        }
        Ok(are_due)
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

/// The states of a set's buckets, under all their locks. When those are free again, it is woken whom a change concerns.
pub(crate) struct Locked<'a> {
    states: Each<MutexGuard<'a, State>>,
}

impl<'a> Deref for Locked<'a> {
    type Target = [MutexGuard<'a, State>];

    fn deref(&self) -> &Self::Target {
        &self.states
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.states
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let mut wakes = Wakes::default();
        for state in &mut *self.states {
            state.collect(&mut wakes);
        }
        self.states = Each::None;
        wakes.settle();
    }
}
