//! The items of all callers, in the order in which they came.
//!
//! Its law: every item that was added is in one place, and leaves it in one way: handled, withdrawn, or lost.
//!
//! It knows no clock and calls nobody. What is to be woken or dropped it hands over in [`Settled`], for that is foreign code and
//! the queue is behind a lock.

mod lane;
mod lanes;
mod look;
mod settled;
mod waits;

use self::lanes::Lanes;
use super::{BatchError, BatchStats};
use crate::numbered::{Numbered, Numbers};
use std::{num::NonZeroUsize, task::Waker, time::Duration};

pub(super) use self::{
    look::{Look, Taken},
    settled::Settled,
    waits::Push,
};

/// What a queue is told when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) max_items: NonZeroUsize,
    pub(super) max_wait: Duration,
    pub(super) capacity: NonZeroUsize,
    pub(super) max_keys: NonZeroUsize,
}

pub(super) struct Queue<K, I, R, E> {
    limits: Limits,
    /// The number of the next item. Numbers are never used again.
    next: u64,
    /// The items that no handler has.
    lanes: Lanes<K, I>,
    /// Those of them that are beyond the capacity, with whoever waits for room. They are the last ones.
    line: Numbered<Option<Waker>>,
    /// The items that somebody waits for.
    replies: Numbered<Reply<R, E>>,
    /// The first items of the batches that handlers work on.
    under_way: Numbers,
    /// Whatever is before this one does not wait for its time.
    flush_to: u64,
    /// Who waits until everything before a number is answered; a later one waits for no smaller number.
    flushes: Numbered<(u64, Flushing)>,
    next_flush: u64,
    handles: usize,
    is_closed: bool,
    end: Option<End>,
    runner: Option<Waker>,
    stats: BatchStats,
}

enum Reply<R, E> {
    Awaited(Option<Waker>),
    Here(Result<R, BatchError<E>>),
}

enum Flushing {
    Awaited(Option<Waker>),
    Lost,
}

/// How `Run` came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Dropped,
}

impl<K, I, R, E> Queue<K, I, R, E> {
    pub(super) fn new(limits: Limits) -> Self {
        let capacity = limits.capacity.max(limits.max_items);
        Self {
            limits: Limits { capacity, ..limits },
            next: 0,
            lanes: Lanes::new(limits.max_items.get()),
            line: Numbered::new(),
            replies: Numbered::new(),
            under_way: Numbers::new(),
            flush_to: 0,
            flushes: Numbered::new(),
            next_flush: 0,
            handles: 1,
            is_closed: false,
            end: None,
            runner: None,
            stats: BatchStats::default(),
        }
    }

    pub(super) const fn stats(&self) -> BatchStats {
        self.stats
    }

    pub(super) const fn add_handle(&mut self) {
        self.handles = self.handles.saturating_add(1);
    }

    /// Tells `Run` when nothing more can come.
    pub(super) fn remove_handle(&mut self) -> Option<Waker> {
        self.handles = self.handles.saturating_sub(1);
        if self.handles == 0 {
            return self.runner.take();
        }
        None
    }

    /// Why nothing can be added.
    pub(super) const fn refusal(&self) -> Option<BatchError<E>> {
        match self.end {
            Some(End::Dropped) => Some(BatchError::Gone { taken: false }),
            _ if self.is_closed => Some(BatchError::Closed),
            _ => None,
        }
    }

    /// Whether nothing more can come.
    const fn is_over(&self) -> bool {
        self.is_closed || self.handles == 0
    }
}

impl<K: Ord + Clone, I, R, E> Queue<K, I, R, E> {
    /// Adds an item, and returns its number and who is to be told.
    pub(super) fn add(&mut self, key: K, item: I, is_awaited: bool) -> (u64, Option<Waker>) {
        let number = self.next;
        self.next += 1;
        self.lanes.add(key, number, item);
        self.stats.added += 1;
        let room = u64::try_from(self.limits.capacity.get()).unwrap_or(u64::MAX);
        if self.stats.waiting >= room {
            self.line.insert(number, None);
        }
        self.stats.waiting += 1;
        if is_awaited {
            self.replies.insert(number, Reply::Awaited(None));
        }
        // Each time, for the clock is read there: a batch waits from its first item on, whichever that will be. `Run` leaves a
        // waker when it has looked, so of all that are added between two looks only the first one calls it.
        (number, self.runner.take())
    }
}

impl<K: Ord, I, R, E> Queue<K, I, R, E> {
    /// Takes an item back that no handler has, and the result that nobody waits for.
    pub(super) fn withdraw(&mut self, key: &K, number: u64) -> Settled<I, R, E> {
        let mut settled = Settled::new();
        match self.replies.remove(number) {
            Some(Reply::Here(answer)) => settled.answers.push(answer),
            Some(Reply::Awaited(waker)) => settled.idle = waker,
            None => {}
        }
        // One who waits for a result does not wait for room.
        if let Some(waker) = self.line.remove(number).flatten() {
            settled.idle = Some(waker);
        }
        let Some(item) = self.lanes.remove(key, number) else {
            return settled;
        };
        settled.items.push(item);
        self.stats.waiting -= 1;
        self.stats.withdrawn += 1;
        // `Run` need not know: it waits for more to come, for a handler, or for a time at which it finds nothing to do.
        self.tell(&mut settled);
        settled
    }
}
