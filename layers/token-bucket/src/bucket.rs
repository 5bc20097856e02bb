//! The handle of one bucket.

use crate::{
    BucketBuilder, BucketSet, BucketStatus, Cost, Departure, Quota, RateLimited, Reservation,
    ServerView, Totals,
    builder::Config,
    ledger::{Ledger, nanos},
    wakers::{Wakers, Wakes},
};
use egress_time::Instant;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// One rate limit, shared by its clones.
///
/// It keeps no clock: whoever uses it says what time it is, and all its users must read the same clock.
///
/// Its state is plain data behind one short lock; nothing waits while it holds that. [`Bucket::new`] makes one whose
/// waiters sleep on timers of their own, which is safe wherever requests must not wake each other, as on Workers.
/// [`BucketBuilder::wakeups`] adds a list of wakers for programs in one runtime.
#[derive(Clone)]
pub struct Bucket(Arc<Shared>);

struct Shared {
    config: Config,
    state: Mutex<State>,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) ledger: Ledger,
    pub(crate) wakers: Wakers,
    pub(crate) refused: u64,
    pub(crate) revoked: u64,
    pub(crate) throttled: u64,
    quota: Quota,
}

impl State {
    pub(crate) fn collect(&mut self, wakes: &mut Wakes) {
        self.wakers.collect(&mut self.ledger, wakes);
    }
}

impl Bucket {
    /// Makes a bucket with the [defaults](BucketBuilder#defaults).
    pub fn new(quota: Quota) -> Self {
        Self::builder(quota).build()
    }

    /// Starts to make a bucket.
    pub fn builder(quota: Quota) -> BucketBuilder {
        BucketBuilder::new(quota)
    }

    pub(crate) fn with_config(quota: Quota, config: Config) -> Self {
        let state = State {
            ledger: Ledger::new(&quota, nanos(config.probe_timeout)),
            wakers: Wakers::new(config.wakeups),
            refused: 0,
            revoked: 0,
            throttled: 0,
            quota,
        };
        Self(Arc::new(Shared {
            config,
            state: Mutex::new(state),
        }))
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.0.config.name
    }

    /// Returns the present quota.
    pub fn quota(&self) -> Quota {
        self.lock().quota
    }

    /// Takes a place in the queue; see [`Reservation`].
    ///
    /// # Errors
    ///
    /// [`RateLimited`] if the wait would be too long, the queue is full, or the cost above the burst.
    pub fn reserve(&self, cost: Cost, now: Instant) -> Result<Reservation, RateLimited> {
        let this = BucketSet::from(self.clone());
        this.into_reservation(cost, now, Instant::FAR_FUTURE)
    }

    /// Departs at once, or not at all.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] if it would have to wait. Then nothing is spent.
    pub fn try_depart(&self, cost: Cost, now: Instant) -> Result<Departure, RateLimited> {
        BucketSet::from(self.clone()).into_departure(cost, now)
    }

    /// Returns what can be said of the bucket at this moment.
    pub fn status(&self, now: Instant) -> BucketStatus {
        self.update(|state| {
            let ledger = &mut state.ledger;
            let next_slot = ledger.quote(now.as_nanos(), 1).max(ledger.now());
            let on_clock = |time| Instant::from_nanos(ledger.on_clock(time));
            let (counts, queued) = (ledger.counts(), ledger.queued());
            let gone = counts.departed + counts.cancelled;
            let waiting = u64::try_from(queued).unwrap_or(u64::MAX);
            BucketStatus {
                name: Arc::clone(&self.0.config.name),
                quota: state.quota,
                available: ledger.available(),
                maximum: ledger.burst(),
                queued,
                next_slot: on_clock(next_slot),
                paused_until: ledger.paused_until().map(on_clock),
                probing: ledger.is_probing(),
                server: ledger.view().map(|report| ServerView {
                    limit: report.limit,
                    remaining: report.remaining,
                    resets_at: on_clock(report.resets_at),
                }),
                totals: Totals {
                    accepted: counts.accepted,
                    departed: counts.departed,
                    cancelled: counts.cancelled.saturating_sub(state.revoked),
                    revoked: state.revoked,
                    overdue: counts.accepted.saturating_sub(gone + waiting),
                    refused: state.refused,
                    throttled: state.throttled,
                },
            }
        })
    }

    /// Applies another quota, to those who wait too. What has departed counts in it; a slot in use stays in use.
    ///
    /// Those whose wait becomes too long are refused, and those whose cost is above the new burst.
    pub fn set_quota(&self, quota: Quota, now: Instant) {
        self.update(|state| {
            state.quota = quota;
            state.ledger.change_quota(&quota, now.as_nanos());
        });
    }

    /// Lets nobody depart until then, those who wait included, and then one alone until it has succeeded.
    ///
    /// A pause that is shorter than the present one changes nothing.
    pub fn pause_until(&self, until: Instant, now: Instant) {
        self.update(|state| state.ledger.pause(until.as_nanos(), now.as_nanos()));
    }

    /// Lets nobody depart for so long; see [`Bucket::pause_until`].
    pub fn pause_for(&self, duration: Duration, now: Instant) {
        self.pause_until(now + duration, now);
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // The ledger's numbers make sense after each of its statements; a panic elsewhere is no reason to stop.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whom that concerns.
    pub(crate) fn update<O>(&self, change: impl FnOnce(&mut State) -> O) -> O {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        let output = change(&mut state);
        state.collect(&mut wakes);
        drop(state);
        wakes.settle();
        output
    }

    /// Tells one bucket from another, and gives all of them an order.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}
