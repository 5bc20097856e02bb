//! The handle that everything which shares one limit holds.

use crate::{
    Acquire, Config, Congestion, Holder, Permit, Stats,
    open_bodies::{OpenBodies, OpenBody},
    slots::Slots,
};
use egress_time::{Clock, Instant, Timer};
use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

/// How many bodies are looked at under the lock, if nothing depends on seeing all in one moment.
const BODIES_AT_ONCE: usize = 32;

/// Gives out permits, at most as many as its limit, to those who came first.
///
/// Clones share the permits, the queue and the figures. It is used through a
/// [`ConcurrencyLimitLayer`](crate::ConcurrencyLimitLayer), or by itself where something other than a service is limited:
///
/// ```
/// use egress_concurrency_limit::Limiter;
/// use egress_time::ManualTimer;
/// use std::num::NonZeroUsize;
///
/// let limiter = Limiter::new(NonZeroUsize::MIN, ManualTimer::new());
/// # tokio_test::block_on(async {
/// let permit = limiter.acquire().await?;
/// assert!(limiter.try_acquire().is_none());
/// drop(permit);
/// assert!(limiter.try_acquire().is_some());
/// # Ok::<_, egress_concurrency_limit::ConcurrencyLimitError>(())
/// # }).unwrap();
/// ```
///
/// # Workers
///
/// It holds wakers: one limiter belongs to one invocation, or to one Durable Object.
pub struct Limiter<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    timer: T,
    config: Config,
    state: Mutex<State>,
}

/// What is behind the lock. The lock is held for a few instructions, and nobody is woken, told or dropped under it.
pub(crate) struct State {
    pub(crate) slots: Slots,
    pub(crate) bodies: OpenBodies,
}

impl<T: Clock> Limiter<T> {
    /// Makes a limiter of `limit` permits with the defaults of [`Config`].
    pub fn new(limit: NonZeroUsize, timer: T) -> Self {
        Self::with_config(limit, Config::new(), timer)
    }

    /// Makes a limiter of `limit` permits.
    pub fn with_config(limit: NonZeroUsize, config: Config, timer: T) -> Self {
        let state = State {
            slots: Slots::new(timer.now(), limit),
            bodies: OpenBodies::default(),
        };
        Self {
            shared: Arc::new(Shared {
                timer,
                config,
                state: Mutex::new(state),
            }),
        }
    }

    /// Takes a permit if one is free; never past those who wait.
    pub fn try_acquire(&self) -> Option<Permit<T>> {
        let now = self.now();
        let mut state = self.lock();
        if state.slots.submit(now) {
            return Some(Permit::new(self.clone()).used());
        }
        state.slots.refuse();
        None
    }

    /// Changes the number of permits.
    ///
    /// If there are more, as many who wait get one at once. If there are fewer, nobody loses one: those that are out
    /// too many stay with the limiter when they come back.
    pub fn set_limit(&self, limit: NonZeroUsize) {
        let now = self.now();
        let next = self.lock().slots.set_limit(now, limit);
        next.into_iter().for_each(Waker::wake);
    }

    /// Returns the figures of this moment.
    ///
    /// It holds the lock no longer than a request does, however many bodies are open; [`Stats::unread_bodies`] is counted after
    /// the rest, and of as many moments as that takes.
    pub fn stats(&self) -> Stats {
        let now = self.now();
        let stats = {
            let state = self.lock();
            Stats {
                open_bodies: state.bodies.len(),
                unread_episodes: state.bodies.episodes(),
                ..state.slots.stats(now)
            }
        };
        let unread_after = self.unread_after();
        let mut unread_bodies = 0;
        self.look_at_bodies(now, |body| {
            unread_bodies += usize::from(now - body.left_alone_at() >= unread_after);
        });
        Stats {
            unread_bodies: unread_bodies.min(stats.open_bodies),
            ..stats
        }
    }

    /// Returns the open bodies that hold a permit, in no order.
    pub fn holders(&self) -> Vec<Holder> {
        let now = self.now();
        let mut holders = Vec::new();
        self.look_at_bodies(now, |body| holders.push(Holder::new(now, body)));
        holders
    }

    /// Looks at the open bodies, a few at a time, so that whoever only asks keeps nobody waiting.
    fn look_at_bodies(&self, now: Instant, mut look: impl FnMut(&Arc<OpenBody>)) {
        let mut key = 0;
        loop {
            let state = self.lock();
            let end = state.bodies.keys_end();
            if key >= end {
                return;
            }
            let some = key..end.min(key + BODIES_AT_ONCE);
            key = some.end;
            state.bodies.look_at(some, now, &mut look);
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.shared.timer.now()
    }

    /// Describes what stands in the way of a permit.
    pub(crate) fn congestion(&self, state: &State, now: Instant) -> Congestion {
        let unread_after = self.unread_after();
        Congestion {
            limit: state.slots.limit().get(),
            in_flight: state.slots.in_flight(),
            queued: state.slots.queued(),
            open_bodies: state.bodies.len(),
            unread_bodies: state.bodies.count_unread(now, unread_after),
            holders: state.bodies.name_unread(now, unread_after),
        }
    }
}

impl<T: Timer> Limiter<T> {
    /// Waits for a permit.
    ///
    /// The place in the queue is taken at the first poll.
    ///
    /// # Errors
    ///
    /// [`ConcurrencyLimitError`](crate::ConcurrencyLimitError), as a service's `poll_ready` would.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, and a permit that it was given without knowing goes to the next.
    pub fn acquire(&self) -> Acquire<T> {
        Acquire::new(self.clone())
    }
}

impl<T> Limiter<T> {
    /// Returns the number of permits.
    pub fn limit(&self) -> NonZeroUsize {
        self.lock().slots.limit()
    }

    /// Returns how it was configured.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Returns the timer.
    pub fn timer(&self) -> &T {
        &self.shared.timer
    }

    fn unread_after(&self) -> Duration {
        // Nobody looks, so no body is called unread.
        self.config().unread_after().unwrap_or(Duration::MAX)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // The only code that is not ours under the lock clones a waker. If it panics, the lock is as good as before.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clone is another handle to the same permits. Written out, because `derive` would ask for `T: Clone`.
impl<T> Clone for Limiter<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for Limiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Limiter")
            .field("limit", &state.slots.limit())
            .field("in_flight", &state.slots.in_flight())
            .field("queued", &state.slots.queued())
            .field("open_bodies", &state.bodies.len())
            .field("config", self.config())
            .finish_non_exhaustive()
    }
}
