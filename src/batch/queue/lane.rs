//! The items of one key that no handler has.

use egress_time::Instant;
use std::collections::BTreeMap;

pub(super) struct Lane<I> {
    items: BTreeMap<u64, (I, Instant)>,
    /// The arrival of whatever is before this one is known.
    dated_to: u64,
}

impl<I> Default for Lane<I> {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            dated_to: 0,
        }
    }
}

impl<I> Lane<I> {
    pub(super) fn add(&mut self, number: u64, item: I) {
        self.items.insert(number, (item, Instant::FAR_FUTURE));
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<I> {
        self.items.remove(&number).map(|(item, _)| item)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.items.keys().next().copied()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.items.keys().copied()
    }

    pub(super) fn into_items(self) -> impl Iterator<Item = I> {
        self.items.into_values().map(|(item, _)| item)
    }

    /// Notes that what was not seen before has arrived now.
    pub(super) fn date(&mut self, next: u64, now: Instant) {
        for (_, since) in self.items.range_mut(self.dated_to..).map(|(_, item)| item) {
            *since = now;
        }
        self.dated_to = next;
    }

    /// Returns when the first item has arrived.
    pub(super) fn since(&self) -> Option<Instant> {
        self.items.values().next().map(|(_, since)| *since)
    }

    /// Has nothing arrive later than now.
    pub(super) fn set_back(&mut self, now: Instant) {
        let dated = self.items.range_mut(..self.dated_to);
        for (_, since) in dated.map(|(_, item)| item) {
            *since = now.min(*since);
        }
    }

    /// Takes the first items, at most so many, of those before a number.
    pub(super) fn take(&mut self, most: usize, before: u64) -> (Vec<u64>, Vec<I>) {
        let mut numbers = Vec::with_capacity(most.min(self.items.len()));
        let mut items = Vec::with_capacity(numbers.capacity());
        while numbers.len() < most
            && let Some(first) = self.items.first_entry()
            && *first.key() < before
        {
            let (number, (item, _)) = first.remove_entry();
            numbers.push(number);
            items.push(item);
        }
        (numbers, items)
    }
}
