//! The last units of a window: when may more follow?
//!
//! **No half-open window of the period holds more than the limit.**

use std::{collections::VecDeque, mem};

/// How many times are remembered at most: 32 KiB.
const EXACT: u32 = 4096;

/// Remembers when the last `limit` units were, so that the next one knows when the oldest has left the window.
///
/// Above [`EXACT`], units are remembered in groups, each by the time of its last unit. A group leaves the window as a
/// whole when its last unit does, which is late for the others: never too many, and of `limit` units a share of less
/// than two in `EXACT` fewer than there might be.
#[derive(Clone, Debug)]
pub(super) struct Window {
    period: u64,
    limit: u64,
    /// Units in a group.
    grain: u64,
    /// The closed groups, a ring once it is full.
    groups: Vec<u64>,
    capacity: usize,
    /// Where in `groups` the next one goes.
    next: usize,
    /// Units in the group that is not closed yet.
    open: u64,
    /// When the last unit was, if there was one.
    newest: u64,
    /// The last group that had to make room.
    forgotten: Option<u64>,
    /// When it was full last.
    filled: Option<u64>,
    /// Units there ever were.
    count: u64,
}

impl Window {
    pub(super) fn new(limit: u32, period: u64) -> Self {
        let grain = limit.div_ceil(EXACT).max(1);
        let groups = limit / grain;
        Self {
            period,
            limit: u64::from(groups) * u64::from(grain),
            grain: u64::from(grain),
            groups: Vec::new(),
            capacity: usize::try_from(groups).unwrap_or(usize::MAX),
            next: 0,
            open: 0,
            newest: 0,
            forgotten: None,
            filled: None,
            count: 0,
        }
    }

    /// Notes that `units` happened `at` this time, which is not before any other.
    #[inline]
    pub(super) fn push(&mut self, at: u64, units: u32) {
        if units == 0 {
            return;
        }
        self.newest = at;
        self.count += u64::from(units);
        if units == 1 && self.is_exact() {
            self.close(at);
        } else {
            self.push_many(at, units);
        }
    }

    #[cold]
    fn push_many(&mut self, at: u64, units: u32) {
        self.open += u64::from(units);
        while self.open >= self.grain {
            self.open -= self.grain;
            self.close(at);
        }
    }

    #[inline]
    fn close(&mut self, at: u64) {
        if self.groups.len() < self.capacity {
            self.groups.push(at);
        } else if let Some(oldest) = self.groups.get_mut(self.next) {
            self.forgotten = Some(mem::replace(oldest, at));
        }
        self.next += 1;
        if self.next == self.capacity {
            self.next = 0;
        }
        let oldest = self.groups.get(self.next);
        if oldest.is_some_and(|&oldest| at - oldest < self.period) {
            self.filled = Some(at);
        }
    }

    /// Returns the last time after which nothing more fitted.
    pub(super) const fn filled(&self) -> Option<u64> {
        self.filled
    }

    /// Returns how many units fit into it.
    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Tells whether one more fits into the window at `now`.
    pub(super) fn fits(&self, now: u64) -> bool {
        self.opens(1) <= now
    }

    /// Returns when the newest unit was.
    pub(super) fn newest(&self) -> Option<u64> {
        (self.count > 0).then_some(self.newest)
    }

    /// Tells whether every unit is remembered by its own time.
    pub(super) const fn is_exact(&self) -> bool {
        self.grain == 1
    }

    /// Returns from when on `units` more fit into the window, all at the same time.
    pub(super) fn opens(&self, units: u32) -> u64 {
        if units == 1 && self.is_exact() {
            // What the rest comes to, for nearly every call.
            let is_full = self.groups.len() == self.capacity;
            let oldest = self.groups.get(self.next).filter(|_| is_full);
            return self.leaves(oldest.copied());
        }
        let units = u64::from(units).min(self.limit);
        self.leaves(self.behind(self.limit - units + 1))
    }

    /// Returns how many units up to `most` fit into the window at `now`.
    pub(super) fn room(&self, now: u64, most: u32) -> u32 {
        let (mut fits, mut fits_not) = (0, most.saturating_add(1));
        while fits + 1 < fits_not {
            let units = fits + (fits_not - fits) / 2;
            if self.opens(units) <= now {
                fits = units;
            } else {
                fits_not = units;
            }
        }
        fits
    }

    /// Returns from when on one unit fits, if those `ahead` come first.
    pub(super) fn opens_after(&self, ahead: &VecDeque<u64>) -> u64 {
        let place = u64::try_from(ahead.len()).unwrap_or(u64::MAX);
        let planned = |place: u64| {
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            ahead.get(place).or(ahead.back()).copied()
        };
        // The unit that must have left is `limit` places back: `back` behind those ahead, or one of them.
        let left = match self.limit.checked_sub(place) {
            Some(back) if back > self.open => self.behind(back),
            // The open group's last unit, or that of another group, is still to come.
            Some(back) if back > 0 => planned(self.grain - self.open - 1),
            _ => {
                let member = place - self.limit;
                let earlier = if self.is_exact() {
                    0
                } else {
                    (self.open + member) % self.grain
                };
                planned(member + self.grain - 1 - earlier)
            }
        };
        self.leaves(left)
    }

    /// Returns this history as a window of another limit and period has it.
    ///
    /// A wider one may reach back to units that are forgotten. They are taken to have been as late as they can.
    pub(super) fn resized(&self, limit: u32, period: u64) -> Self {
        let units = |units: u64| u32::try_from(units).unwrap_or(u32::MAX);
        let mut resized = Self::new(limit, period);
        resized.forgotten = self.forgotten;
        let closed = u64::try_from(self.groups.len()).unwrap_or(u64::MAX);
        let known = self.open + self.grain * closed;
        if let Some(forgotten) = self.forgotten {
            let unknown = self.count.saturating_sub(known);
            let wanted = u64::from(limit).saturating_sub(known);
            resized.push(forgotten, units(unknown.min(wanted)));
        }
        for age in (0..self.groups.len()).rev() {
            if let Some(at) = self.closed(age) {
                resized.push(at, units(self.grain));
            }
        }
        if let Some(newest) = self.newest() {
            resized.push(newest, units(self.open));
        }
        resized.count = self.count;
        resized
    }

    /// Returns a time not before that of the unit `back` places before the next one.
    pub(super) fn behind(&self, back: u64) -> Option<u64> {
        if back <= self.open {
            return self.newest();
        }
        let groups = if self.is_exact() {
            back - 1
        } else {
            (back - self.open - 1) / self.grain
        };
        self.closed(usize::try_from(groups).unwrap_or(usize::MAX))
    }

    /// Returns the time of a closed group; the newest one's age is zero.
    fn closed(&self, age: usize) -> Option<u64> {
        if age >= self.groups.len() {
            return None;
        }
        let place = match self.next.checked_sub(age + 1) {
            Some(place) => place,
            None => (self.next + self.groups.len()).checked_sub(age + 1)?,
        };
        self.groups.get(place).copied()
    }

    fn leaves(&self, at: Option<u64>) -> u64 {
        at.map_or(0, |at| at.saturating_add(self.period))
    }
}
