//! How many are at work at once.

use std::cell::Cell;

/// Counts how many are at work at once.
#[derive(Debug, Default)]
pub struct Busy {
    now: Cell<usize>,
    most: Cell<usize>,
}

impl Busy {
    /// Counts one more, until what is returned is dropped.
    pub fn enter(&self) -> impl Drop + '_ {
        struct Leave<'a>(&'a Busy);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.now.set(self.0.now.get() - 1);
            }
        }
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        Leave(self)
    }

    /// How many are at work.
    pub fn now(&self) -> usize {
        self.now.get()
    }

    /// The most that were at work at once.
    pub fn most(&self) -> usize {
        self.most.get()
    }
}
