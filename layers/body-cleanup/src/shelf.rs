//! Values that lie unused, and since when.
//!
//! Law: a value in use is never given up, and neither is one whose owner waits to be called; one that has been
//! unused for the timeout, or whose owner was called and has not come for that long, is given up by the first
//! look that is taken at the time that the look before it said, or later.

use egress_body_end::Bell;
use egress_time::Instant;
use slab::Slab;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// However short the timeout is, nobody looks more often than this.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// How often in a timeout is looked for owners that were called: a bell knows no clock, so an owner counts as called
/// from the look that finds its bell rung.
const LOOKS_FOR_CALLS: u32 = 4;

/// Holds values while their owners do not use them, so that others can find those that lie too long.
///
/// A value is here only while it is unused, hence nothing is run under the lock but moves; and values are
/// dropped by whoever gets them, after the lock is released.
pub(crate) struct Shelf<V> {
    timeout: Duration,
    state: Mutex<State<V>>,
}

struct State<V> {
    entries: Slab<Entry<V>>,
    /// How many of the entries tell nothing but that something was given up.
    given_up: usize,
    looked_at: Instant,
    /// Nothing can have lain too long before this.
    next_look: Instant,
    watched: bool,
}

enum Entry<V> {
    Laid { value: V, rest: Rest },
    GivenUp { unused_for: Duration },
}

/// How a value came to lie here.
pub(crate) enum Rest {
    /// Its owner has to come back by itself.
    Since(Instant),
    /// Its owner waits to be called. Kept until the value is taken: the last one to drop a bell drops a waker, which
    /// is foreign code.
    UntilCalled {
        bell: Arc<Bell>,
        called: Option<Instant>,
    },
}

/// What somebody who looks gets: the values that have lain too long, and when it makes sense to look again.
pub(crate) struct Look<V> {
    pub(crate) given_up: Vec<V>,
    pub(crate) next: Instant,
}

impl Rest {
    pub(crate) const fn until_called(bell: Arc<Bell>) -> Self {
        Self::UntilCalled { bell, called: None }
    }

    /// Returns since when it should have been used again, if that is known now.
    fn since(&mut self, now: Instant) -> Option<Instant> {
        let since = match self {
            Self::Since(since) => since,
            Self::UntilCalled {
                called: Some(called),
                ..
            } => called,
            Self::UntilCalled { bell, called } if bell.has_rung() => called.insert(now),
            Self::UntilCalled { .. } => return None,
        };
        // If the clock was set back, what happened before counts from now on.
        *since = now.min(*since);
        Some(*since)
    }
}

impl<V> Shelf<V> {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            state: Mutex::new(State {
                entries: Slab::new(),
                given_up: 0,
                looked_at: Instant::ORIGIN,
                next_look: Instant::ORIGIN,
                watched: false,
            }),
        }
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Lays a value down; returns the key to [`take`](Self::take) it with, once, and, if anybody could watch, whether
    /// somebody should begin to.
    pub(crate) fn lay(&self, value: V, rest: Rest, can_watch: bool) -> (usize, bool) {
        let mut state = self.state();
        let key = state.entries.insert(Entry::Laid { value, rest });
        let begin = can_watch && !state.watched;
        state.watched |= begin;
        (key, begin)
    }

    /// Takes a value back, or learns how long it was unused if it was given up.
    pub(crate) fn take(&self, key: usize) -> Result<Option<V>, Duration> {
        let mut state = self.state();
        let entry = state.entries.try_remove(key);
        state.given_up -= usize::from(matches!(entry, Some(Entry::GivenUp { .. })));
        // The bell goes after the lock.
        drop(state);
        match entry {
            None => Ok(None),
            Some(Entry::Laid { value, .. }) => Ok(Some(value)),
            Some(Entry::GivenUp { unused_for }) => Err(unused_for),
        }
    }

    /// Gives up whatever has been unused for the timeout.
    pub(crate) fn look(&self, now: Instant) -> Look<V> {
        let mut state = self.state();
        let mut given_up = Vec::new();
        // Bells among them, which go after the lock.
        let mut rests = Vec::new();
        // Many waiters look at the same time; only one of them has to look at every entry. A clock that was set back
        // may not be where it was for a long time.
        if now >= state.next_look || now < state.looked_at {
            let mut next = now + self.timeout;
            for (_, entry) in &mut state.entries {
                let Entry::Laid { rest, .. } = entry else {
                    continue;
                };
                let Some(since) = rest.since(now) else {
                    next = next.min(now + self.timeout / LOOKS_FOR_CALLS);
                    continue;
                };
                let unused_for = now - since;
                if unused_for < self.timeout {
                    next = next.min(since + self.timeout);
                } else if let Entry::Laid { value, rest } =
                    mem::replace(entry, Entry::GivenUp { unused_for })
                {
                    given_up.push(value);
                    rests.push(rest);
                }
            }
            state.given_up += given_up.len();
            state.looked_at = now;
            state.next_look = next.max(now + BETWEEN_LOOKS);
        }
        let next = state.next_look;
        drop(state);
        Look { given_up, next }
    }

    /// Tells who watches whether to go on; if nothing is left, the watch is over.
    pub(crate) fn continue_watch(&self) -> bool {
        let mut state = self.state();
        state.watched = state.entries.len() > state.given_up;
        state.watched
    }

    /// Ends the watch; whoever lays something down next begins anew.
    pub(crate) fn end_watch(&self) {
        self.state().watched = false;
    }

    fn state(&self) -> MutexGuard<'_, State<V>> {
        // Nothing panics under the lock, and if it did, no entry would be half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
