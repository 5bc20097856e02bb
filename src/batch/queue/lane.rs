//! The items of one key that no handler has.

use crate::numbered::Numbered;
use egress_time::Instant;

pub(super) struct Lane<I> {
    items: Numbered<(I, Instant)>,
    /// The arrival of whatever is before this one is known.
    dated_to: u64,
}

impl<I> Default for Lane<I> {
    fn default() -> Self {
        Self {
            items: Numbered::new(),
            dated_to: 0,
        }
    }
}

impl<I> Lane<I> {
    pub(super) fn add(&mut self, number: u64, item: I) {
        self.items.insert(number, (item, Instant::FAR_FUTURE));
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<I> {
        self.items.remove(number).map(|(item, _)| item)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.items.first().map(|(number, _)| number)
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.items.numbers()
    }

    pub(super) fn into_items(self) -> impl Iterator<Item = I> {
        self.items.into_things().map(|(item, _)| item)
    }

    /// Notes that what was not seen before has arrived now.
    pub(super) fn date(&mut self, next: u64, now: Instant) {
        self.items
            .for_each(self.dated_to..u64::MAX, |_, item| item.1 = now);
        self.dated_to = next;
    }

    /// Returns when the first item has arrived.
    pub(super) fn since(&self) -> Option<Instant> {
        self.items.first().map(|(_, (_, since))| *since)
    }

    /// Has nothing arrive later than now.
    pub(super) fn set_back(&mut self, now: Instant) {
        self.items
            .for_each(0..self.dated_to, |_, item| item.1 = now.min(item.1));
    }

    /// Takes the first items, at most so many, of those before a number.
    pub(super) fn take(&mut self, most: usize, before: u64) -> (Vec<u64>, Vec<I>) {
        let mut numbers = Vec::with_capacity(most.min(self.items.len()));
        let mut items = Vec::with_capacity(numbers.capacity());
        while numbers.len() < most
            && self.first().is_some_and(|first| first < before)
            && let Some((number, (item, _))) = self.items.pop_first()
        {
            numbers.push(number);
            items.push(item);
        }
        (numbers, items)
    }
}
