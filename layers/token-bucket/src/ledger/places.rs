//! Units by the numbers of their places.
//!
//! **How many units have lower numbers is known in O(log n), wherever a number comes or goes.**

use std::{array, collections::BTreeMap};

/// A tree of sums over all numbers, of which only the branches with something on them exist.
///
/// The [`Queue`](super::queue::Queue) is faster, and can do that because it grows at its end only.
#[derive(Debug)]
pub(super) struct Places {
    /// Units by place; by 64 places; by 64 times as many; and so on.
    levels: [BTreeMap<u64, u64>; LEVELS],
    units: u64,
}

/// So many that those who are there at the same time are on a few branches of the last level.
const LEVELS: usize = 5;
/// The logarithm of how many branches one has on it.
const SHIFT: u32 = 6;

impl Default for Places {
    fn default() -> Self {
        Self {
            levels: array::from_fn(|_| BTreeMap::new()),
            units: 0,
        }
    }
}

impl Places {
    /// Returns how many units there are.
    pub(super) const fn units(&self) -> u64 {
        self.units
    }

    /// Returns the lowest number, and its units.
    pub(super) fn first(&self) -> Option<(u64, u32)> {
        let (&place, &units) = self.levels[0].first_key_value()?;
        Some((place, u32::try_from(units).unwrap_or(u32::MAX)))
    }

    pub(super) fn has(&self, place: u64) -> bool {
        self.levels[0].contains_key(&place)
    }

    /// Returns how many units have lower numbers.
    pub(super) fn before(&self, place: u64) -> u64 {
        // Who asks is mostly the first one or the last.
        if self.first().is_none_or(|(first, _)| place <= first) {
            return 0;
        }
        if (self.levels[0].last_key_value()).is_some_and(|(last, _)| *last < place) {
            return self.units;
        }
        let mut units = 0;
        let mut key = place;
        for (level, sums) in self.levels.iter().enumerate() {
            // What is further to the left is on branches of the next level, unless there is none.
            let start = if level + 1 < LEVELS {
                key >> SHIFT << SHIFT
            } else {
                0
            };
            units += sums.range(start..key).map(|(_, units)| units).sum::<u64>();
            key >>= SHIFT;
        }
        units
    }

    /// Adds a number that is not there.
    pub(super) fn insert(&mut self, place: u64, units: u32) {
        let units = u64::from(units);
        let mut key = place;
        for sums in &mut self.levels {
            *sums.entry(key).or_default() += units;
            key >>= SHIFT;
        }
        self.units += units;
    }

    /// Takes a number out, if it is there.
    pub(super) fn remove(&mut self, place: u64) {
        let Some(&units) = self.levels[0].get(&place) else {
            return;
        };
        let mut key = place;
        for sums in &mut self.levels {
            if let Some(sum) = sums.get_mut(&key) {
                *sum -= units;
                if *sum == 0 {
                    sums.remove(&key);
                }
            }
            key >>= SHIFT;
        }
        self.units -= units;
    }
}
