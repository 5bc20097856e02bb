//! One timer for all the sleeps of an invocation.
//!
//! A request in flight has three: for its place in the queue, for its attempt, for its body. To set and clear each in JavaScript costs more than the
//! rest of the layers, and there may be 10,000 at a time. So only the next to end is set; most are dropped before their
//! time, and cost JavaScript nothing.
//!
//! Nothing here crosses invocations: each has a number, and the sleeps under it one timer, which the first of them sets.

use super::{Armed, WorkerTimer};
use std::{
    cell::{Cell, RefCell},
    num::NonZeroU64,
    rc::Rc,
    sync::Arc,
    task::{Context, Wake, Waker},
};
use tower_egress::{Clock, Instant};

/// A sleep's place among those of its invocation.
#[derive(Debug)]
pub(super) struct Place {
    pool: Rc<Pool>,
    key: Key,
}

/// When it ends, and a number of its own.
type Key = (Instant, u64);

#[derive(Debug)]
struct Pool {
    invocation: NonZeroU64,
    next: Cell<u64>,
    /// In the order of their ends. Most come behind all others.
    sleeps: RefCell<Vec<(Key, Option<Waker>)>>,
    /// The timer, and when it fires.
    armed: RefCell<Option<(Instant, Armed)>>,
}

/// The pools that have sleeps.
#[derive(Default)]
struct Pools {
    last: Cell<u64>,
    pools: RefCell<Vec<Rc<Pool>>>,
}

thread_local! {
    static POOLS: Pools = Pools::default();
}

/// Returns the number of another invocation.
pub(super) fn new() -> NonZeroU64 {
    POOLS.with(|pools| {
        let number = pools.last.get().saturating_add(1);
        pools.last.set(number);
        NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
    })
}

impl Pool {
    /// Finds the pool of an invocation, or makes one.
    fn of(invocation: NonZeroU64) -> Rc<Self> {
        POOLS.with(|Pools { pools, .. }| {
            let mut pools = pools.borrow_mut();
            // The youngest are asked for most; those of invocations that the runtime forgot are old.
            if let Some(pool) = pools
                .iter()
                .rev()
                .find(|pool| pool.invocation == invocation)
            {
                return Rc::clone(pool);
            }
            let pool = Rc::new(Self {
                invocation,
                next: Cell::new(0),
                sleeps: RefCell::default(),
                armed: RefCell::default(),
            });
            pools.push(Rc::clone(&pool));
            pool
        })
    }

    /// Finds the pool of an invocation, if it has sleeps.
    fn find(invocation: NonZeroU64) -> Option<Rc<Self>> {
        POOLS.with(|Pools { pools, .. }| {
            let pools = pools.borrow();
            let found = pools
                .iter()
                .rev()
                .find(|pool| pool.invocation == invocation);
            found.cloned()
        })
    }

    /// Sets the timer for the next to end, unless it fires early enough.
    fn arm(&self) {
        let next = {
            let sleeps = self.sleeps.borrow();
            // Those that were woken are not in the way.
            let next = sleeps.iter().find(|(_, waker)| waker.is_some());
            next.map(|&((end, _), _)| end)
        };
        let Some(end) = next else { return };
        let mut armed = self.armed.borrow_mut();
        if armed.as_ref().is_some_and(|(fires, _)| *fires <= end) {
            return;
        }
        // The one before goes first: there may be no room for two.
        *armed = None;
        let timer = Armed::new(end - WorkerTimer::new().now());
        let waker = Waker::from(Arc::new(Fired(self.invocation)));
        // Nothing has come yet.
        let _ = timer.slot.poll(&mut Context::from_waker(&waker));
        *armed = Some((end, timer));
    }

    /// Wakes those whose time has come, and sets the timer for the next.
    fn fire(&self) {
        *self.armed.borrow_mut() = None;
        let now = WorkerTimer::new().now();
        let due: Vec<Waker> = {
            let mut sleeps = self.sleeps.borrow_mut();
            let due = sleeps.partition_point(|((end, _), _)| *end <= now);
            // Their places stay until they are polled or dropped.
            let due = sleeps[..due].iter_mut();
            due.filter_map(|(_, waker)| waker.take()).collect()
        };
        self.arm();
        due.into_iter().for_each(Waker::wake);
    }
}

impl Place {
    /// Takes a place for a sleep that ends then.
    pub(super) fn take(invocation: NonZeroU64, end: Instant, waker: &Waker) -> Self {
        let pool = Pool::of(invocation);
        let key = (end, pool.next.get());
        pool.next.set(key.1 + 1);
        {
            let mut sleeps = pool.sleeps.borrow_mut();
            let at = sleeps.partition_point(|(other, _)| *other < key);
            sleeps.insert(at, (key, Some(waker.clone())));
        }
        pool.arm();
        Self { pool, key }
    }

    fn at(&self, sleeps: &[(Key, Option<Waker>)]) -> Option<usize> {
        sleeps.binary_search_by_key(&self.key, |(key, _)| *key).ok()
    }

    /// Has the latest waker called.
    pub(super) fn keep(&self, waker: &Waker) {
        // What is replaced may hold the last of a task, and with it another place; so it goes when nothing is borrowed.
        let _replaced = {
            let mut sleeps = self.pool.sleeps.borrow_mut();
            match self.at(&sleeps).map(|at| &mut sleeps[at].1) {
                Some(Some(kept)) if kept.will_wake(waker) => return,
                Some(kept) => kept.replace(waker.clone()),
                None => None,
            }
        };
        self.pool.arm();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (_removed, is_last) = {
            let mut sleeps = self.pool.sleeps.borrow_mut();
            let removed = self.at(&sleeps).map(|at| sleeps.remove(at));
            (removed, sleeps.is_empty())
        };
        if is_last {
            let armed = self.pool.armed.borrow_mut().take();
            drop(armed);
            // Not while the thread's own values are dropped.
            let _ = POOLS.try_with(|Pools { pools, .. }| {
                let mut pools = pools.borrow_mut();
                let place = pools.iter().rposition(|pool| Rc::ptr_eq(pool, &self.pool));
                place.map(|place| pools.remove(place));
            });
        }
    }
}

/// Wakes the sleeps of an invocation when their timer fires.
struct Fired(NonZeroU64);

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        if let Some(pool) = Pool::find(self.0) {
            pool.fire();
        }
    }
}
