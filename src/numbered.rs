//! Things by number, in the order of their numbers.

use slab::Slab;
use std::{collections::BTreeMap, ops::Range};

/// Where everything is. A map of its own for each kind of thing would be as much code again each time, and all of it is sent
/// to a Worker at each start: so the maps are of one type, and what is in them is in a slab beside them.
type Places = BTreeMap<u64, usize>;

/// Up to how many free places are kept.
const SPARE: usize = 64;

/// Things by number.
#[derive(Clone, Debug)]
pub(crate) struct Numbered<T> {
    places: Places,
    things: Slab<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Numbered<T> {
    pub(crate) const fn new() -> Self {
        Self {
            places: Places::new(),
            things: Slab::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a thing with a number that no other one has.
    pub(crate) fn insert(&mut self, number: u64, thing: T) {
        let place = self.things.insert(thing);
        if let Some(old) = self.places.insert(number, place) {
            self.things.remove(old);
        }
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.places.remove(&number)?;
        Some(self.take(place))
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.things.get(*self.places.get(&number)?)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.things.get_mut(*self.places.get(&number)?)
    }

    /// Returns the first number, and what has it.
    pub(crate) fn first(&self) -> Option<(u64, &T)> {
        let (number, place) = self.places.first_key_value()?;
        Some((*number, &self.things[*place]))
    }

    pub(crate) fn pop_first(&mut self) -> Option<(u64, T)> {
        let (number, place) = self.places.pop_first()?;
        Some((number, self.take(place)))
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.places.keys().copied()
    }

    /// Calls this with all whose numbers are in the range, in order.
    pub(crate) fn for_each(&mut self, range: Range<u64>, mut change: impl FnMut(u64, &mut T)) {
        for (number, place) in self.places.range(range) {
            change(*number, &mut self.things[*place]);
        }
    }

    pub(crate) fn into_things(self) -> impl Iterator<Item = T> {
        let Self { places, mut things } = self;
        places.into_values().map(move |place| things.remove(place))
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    fn take(&mut self, place: usize) -> T {
        let thing = self.things.remove(place);
        // A slab gives nothing back by itself.
        if self.things.is_empty() && self.things.capacity() > SPARE {
            self.things = Slab::new();
        }
        thing
    }
}

/// Numbers alone.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(Places);

impl Numbers {
    pub(crate) const fn new() -> Self {
        Self(Places::new())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn insert(&mut self, number: u64) {
        self.0.insert(number, 0);
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.0.contains_key(&number)
    }

    /// Returns whether it was there.
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        self.0.remove(&number).is_some()
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.0.first_key_value().map(|(number, _)| *number)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn it_is_a_map_with_the_order_of_the_numbers() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut numbered, mut model) = (Numbered::new(), BTreeMap::new());
            for step in 0..400_u64 {
                let number = random.u64(0..40);
                match random.u8(0..6) {
                    0..3 => {
                        numbered.insert(number, step);
                        model.insert(number, step);
                    }
                    3 => assert_eq!(numbered.remove(number), model.remove(&number)),
                    4 => assert_eq!(numbered.pop_first(), model.pop_first()),
                    _ => {
                        let to = number + random.u64(0..20);
                        numbered.for_each(number..to, |_, thing| *thing += 1);
                        model
                            .range_mut(number..to)
                            .for_each(|(_, thing)| *thing += 1);
                    }
                }
                assert_eq!(numbered.len(), model.len());
                assert_eq!(numbered.get(number), model.get(&number));
                let first = model.first_key_value();
                assert_eq!(
                    numbered.first(),
                    first.map(|(number, thing)| (*number, thing))
                );
                assert!(numbered.numbers().eq(model.keys().copied()));
            }
            assert!(numbered.into_things().eq(model.into_values()));
        }
    }

    #[test]
    fn what_many_took_is_given_back() {
        let mut numbered = Numbered::new();
        (0..1000).for_each(|number| numbered.insert(number, number));
        while numbered.pop_first().is_some() {}
        assert!(numbered.things.capacity() <= SPARE);
    }
}
