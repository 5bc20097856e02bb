//! Those whose slot has passed and who could not depart at once.
//!
//! **Each has a time of its own, in the order in which they asked, and nothing is kept of it afterwards.**

use std::collections::VecDeque;

/// The times that were promised and have not passed.
#[derive(Debug, Default)]
pub(super) struct Line {
    promises: VecDeque<(u64, u32)>,
    units: u32,
}

impl Line {
    /// Returns the last promised time that has not passed at `now`.
    pub(super) fn last(&mut self, now: u64) -> Option<u64> {
        while let Some(&(at, units)) = self.promises.front()
            && at < now
        {
            self.promises.pop_front();
            self.units = self.units.saturating_sub(units);
        }
        self.promises.back().map(|(at, _)| *at)
    }

    /// Returns how many units those cost who were still there when the last time was asked for.
    pub(super) const fn units(&self) -> u32 {
        self.units
    }

    /// Promises a time that is not before the last.
    pub(super) fn promise(&mut self, at: u64, units: u32) {
        self.promises.push_back((at, units));
        self.units = self.units.saturating_add(units);
    }

    /// Tells whether nobody has a time that has not passed.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.promises.back().is_none_or(|&(at, _)| at < now)
    }
}
