//! Values that lie unused, and since when.
//!
//! Law: a value in use is never given up; one that has been unused for the timeout is given up by the first
//! look that is taken at the time that the look before it said, or later.

use egress_time::Instant;
use slab::Slab;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// However short the timeout is, nobody looks more often than this.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

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
    /// How many entries are not given up.
    alive: usize,
    /// Nothing can have lain too long before this.
    next_look: Instant,
    watched: bool,
}

enum Entry<V> {
    InUse,
    Unused { value: V, since: Instant },
    GivenUp { unused_for: Duration },
}

/// What somebody who looks gets: the values that have lain too long, and when it makes sense to look again.
pub(crate) struct Look<V> {
    pub(crate) given_up: Vec<V>,
    pub(crate) next: Instant,
}

/// An owner's place on the shelf; dropping it drops what lies there.
pub(crate) struct Place<V> {
    shelf: Arc<Shelf<V>>,
    key: usize,
}

impl<V> Shelf<V> {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            state: Mutex::new(State {
                entries: Slab::new(),
                alive: 0,
                next_look: Instant::ORIGIN,
                watched: false,
            }),
        }
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Lays down a value that is unused from `now` on.
    pub(crate) fn insert(self: &Arc<Self>, value: V, now: Instant) -> Place<V> {
        let mut state = self.state();
        state.alive += 1;
        let key = state.entries.insert(Entry::Unused { value, since: now });
        Place {
            shelf: Arc::clone(self),
            key,
        }
    }

    /// Gives up whatever has been unused for the timeout.
    pub(crate) fn look(&self, now: Instant) -> Look<V> {
        let mut state = self.state();
        let mut given_up = Vec::new();
        // Many waiters look at the same time; only one of them has to look at every entry.
        if now >= state.next_look {
            let mut oldest = now;
            let mut count = 0;
            for (_, entry) in &mut state.entries {
                let Entry::Unused { since, .. } = *entry else {
                    continue;
                };
                let unused_for = now - since;
                if unused_for < self.timeout {
                    oldest = oldest.min(since);
                } else if let Entry::Unused { value, .. } =
                    mem::replace(entry, Entry::GivenUp { unused_for })
                {
                    count += 1;
                    given_up.push(value);
                }
            }
            state.alive -= count;
            state.next_look = (oldest + self.timeout).max(now + BETWEEN_LOOKS);
        }
        Look {
            given_up,
            next: state.next_look,
        }
    }

    /// Tells whether somebody should start to watch: something is there, and nobody watches yet.
    pub(crate) fn begin_watch(&self) -> bool {
        let mut state = self.state();
        let begin = !state.watched && state.alive > 0;
        state.watched |= begin;
        begin
    }

    /// Tells who watches whether to go on; if nothing is left, the watch is over.
    pub(crate) fn continue_watch(&self) -> bool {
        let mut state = self.state();
        state.watched = state.alive > 0;
        state.watched
    }

    /// Ends the watch; whoever inserts something next begins anew.
    pub(crate) fn end_watch(&self) {
        self.state().watched = false;
    }

    fn state(&self) -> MutexGuard<'_, State<V>> {
        // Nothing panics under the lock, and if it did, no entry would be half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Place<V> {
    /// Takes the value to use it; `None` while it is in use already, and how long it was unused if it was
    /// given up.
    pub(crate) fn take(&self) -> Result<Option<V>, Duration> {
        let mut state = self.shelf.state();
        let Some(entry) = state.entries.get_mut(self.key) else {
            return Ok(None);
        };
        match mem::replace(entry, Entry::InUse) {
            Entry::InUse => Ok(None),
            Entry::Unused { value, .. } => Ok(Some(value)),
            Entry::GivenUp { unused_for } => {
                *entry = Entry::GivenUp { unused_for };
                Err(unused_for)
            }
        }
    }

    /// Lays the value down again, unused from `now` on.
    pub(crate) fn put(&self, value: V, now: Instant) {
        let mut state = self.shelf.state();
        if let Some(entry) = state.entries.get_mut(self.key) {
            *entry = Entry::Unused { value, since: now };
        }
    }
}

impl<V> Drop for Place<V> {
    fn drop(&mut self) {
        let mut state = self.shelf.state();
        let entry = state.entries.try_remove(self.key);
        if !matches!(entry, None | Some(Entry::GivenUp { .. })) {
            state.alive -= 1;
        }
        // Dropping a value runs foreign code.
        drop(state);
        drop(entry);
    }
}

#[cfg(test)]
mod tests;
