//! The items that no handler has, by key.
//!
//! Finding the next batch takes a few steps, however many keys there are.

use super::lane::Lane;
use crate::{
    keyed::Keyed,
    numbered::{Numbered, Numbers},
};
use egress_time::Instant;

pub(super) struct Lanes<K, I> {
    /// None is empty.
    lanes: Keyed<K, Lane<I>>,
    /// Whose the first item of each lane is.
    firsts: Numbered<K>,
    /// The first items of those that make a batch.
    full: Numbers,
    /// The first items of those with items whose arrival is not known.
    new: Numbers,
    /// When they were last looked at.
    seen: Instant,
    max_items: usize,
}

impl<K, I> Lanes<K, I> {
    pub(super) const fn new(max_items: usize) -> Self {
        Self {
            lanes: Keyed::new(),
            firsts: Numbered::new(),
            full: Numbers::new(),
            new: Numbers::new(),
            seen: Instant::ORIGIN,
            max_items,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Returns the number of the item that came first.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.firsts.first().map(|(number, _)| number)
    }

    /// Returns the first number of the full lane that came first.
    pub(super) fn full(&self) -> Option<u64> {
        self.full.first()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.lanes.things().flat_map(Lane::numbers)
    }

    /// Takes out all items.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = I> + use<K, I> {
        self.firsts.clear();
        self.full.clear();
        self.new.clear();
        self.lanes.drain().flat_map(Lane::into_items)
    }
}

impl<K: Ord + Clone, I> Lanes<K, I> {
    pub(super) fn add(&mut self, key: K, number: u64, item: I) {
        // A key is compared and cloned before anything is changed: if that panics, there is no half of an item.
        let lane = self.lanes.get_or_insert(key, |key| {
            self.firsts.insert(number, key.clone());
            Lane::default()
        });
        lane.add(number, item);
        let (first, length) = (lane.first(), lane.len());
        if let Some(first) = first {
            self.new.insert(first);
            if length >= self.max_items {
                self.full.insert(first);
            }
        }
    }

    /// Notes that what was not seen before has arrived now, and returns when the oldest item has.
    pub(super) fn date(&mut self, next: u64, now: Instant) -> Option<Instant> {
        if now < self.seen {
            // A clock that was set back has all wait once more, and not until that time comes again.
            self.lanes.things_mut().for_each(|lane| lane.set_back(now));
        }
        self.seen = now;
        while let Some(first) = self.new.first() {
            if let Some(key) = self.firsts.get(first)
                && let Some(lane) = self.lanes.get_mut(key)
            {
                lane.date(next, now);
            }
            self.new.remove(first);
        }
        let (_, key) = self.firsts.first()?;
        self.lanes.get(key)?.since()
    }

    /// Takes a batch of those before a number from the lane that begins with `first`.
    pub(super) fn take(&mut self, first: u64, before: u64) -> Option<(K, Vec<u64>, Vec<I>)> {
        let key = self.firsts.get(first)?.clone();
        let (numbers, items) = self.lanes.get_mut(&key)?.take(self.max_items, before);
        self.reorder(&key, first);
        Some((key, numbers, items))
    }
}

impl<K: Ord, I> Lanes<K, I> {
    pub(super) fn remove(&mut self, key: &K, number: u64) -> Option<I> {
        let lane = self.lanes.get_mut(key)?;
        let first = lane.first()?;
        let item = lane.remove(number)?;
        self.reorder(key, first);
        Some(item)
    }

    /// Looks after a lane that has fewer items now.
    fn reorder(&mut self, key: &K, old_first: u64) {
        let Some(lane) = self.lanes.get(key) else {
            return;
        };
        let (first, length) = (lane.first(), lane.len());
        if first != Some(old_first) || length < self.max_items {
            self.full.remove(old_first);
        }
        if first == Some(old_first) {
            return;
        }
        let owner = self.firsts.remove(old_first);
        let is_new = self.new.remove(old_first);
        match (first, owner) {
            (Some(first), Some(owner)) => {
                self.firsts.insert(first, owner);
                if is_new {
                    self.new.insert(first);
                }
                if length >= self.max_items {
                    self.full.insert(first);
                }
            }
            _ => {
                self.lanes.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// An item of the model: its key, its number, and when it was first seen.
    type Known = (u8, u64, Option<Instant>);

    /// The first items of the lanes, of which each is looked at.
    fn firsts(model: &[Known]) -> Vec<(u8, u64, Option<Instant>)> {
        let is_first = |known: &&Known| {
            let first = model.iter().find(|other| other.0 == known.0);
            first.map(|first| first.1) == Some(known.1)
        };
        model.iter().filter(is_first).copied().collect()
    }

    #[test]
    fn they_find_what_looking_at_all_of_them_would() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let max_items = random.usize(1..4);
            let (mut lanes, mut model) = (Lanes::new(max_items), Vec::<Known>::new());
            let mut now = Instant::ORIGIN + Duration::from_secs(1000);
            for number in 0..200 {
                match random.u8(0..5) {
                    0 | 1 => {
                        let key = random.u8(0..6);
                        lanes.add(key, number, number);
                        model.push((key, number, None));
                    }
                    2 if !model.is_empty() => {
                        let (key, gone, _) = model.remove(random.usize(0..model.len()));
                        assert_eq!(lanes.remove(&key, gone), Some(gone));
                        assert_eq!(lanes.remove(&key, gone), None);
                    }
                    3 => {
                        let (back, on) = (random.u64(0..9) / 8 * 500, random.u64(0..10));
                        now = now - Duration::from_secs(back) + Duration::from_secs(on);
                        for (_, _, since) in &mut model {
                            *since = Some(since.map_or(now, |since| since.min(now)));
                        }
                        let expected = model.first().and_then(|known| known.2);
                        assert_eq!(lanes.date(number + 1, now), expected, "seed {seed}");
                    }
                    _ => {
                        let firsts = firsts(&model);
                        let Some((key, first, _)) = random.choice(firsts) else {
                            continue;
                        };
                        let before = first + random.u64(1..50);
                        let (taken, numbers, items) = lanes.take(first, before).unwrap();
                        let expected: Vec<_> = model
                            .iter()
                            .filter(|known| known.0 == key && known.1 < before)
                            .map(|known| known.1)
                            .take(max_items)
                            .collect();
                        model.retain(|known| !expected.contains(&known.1));
                        assert_eq!((taken, &numbers, &items), (key, &expected, &expected));
                    }
                }
                let length = |key| model.iter().filter(|known| known.0 == key).count();
                let firsts = firsts(&model);
                let full = firsts.iter().find(|known| length(known.0) >= max_items);
                assert_eq!(lanes.len(), firsts.len());
                assert_eq!(lanes.oldest(), model.first().map(|known| known.1));
                assert_eq!(lanes.full(), full.map(|known| known.1), "seed {seed}");
                assert!(
                    lanes.new.len() <= lanes.len(),
                    "nothing is kept of what is gone"
                );
            }
            let mut left: Vec<_> = lanes.drain().collect();
            left.sort_unstable();
            assert!(left.into_iter().eq(model.iter().map(|known| known.1)));
        }
    }
}
