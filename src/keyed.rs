//! Things by key, in the order of the keys.

use slab::Slab;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    mem,
};

/// A map whose things are beside it, as those of [`Numbered`](crate::numbered::Numbered): where the keys are numbers it is of
/// the same type as that one, and no code of its own.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<K, T> {
    places: BTreeMap<K, usize>,
    things: Slab<T>,
}

impl<K, T> Keyed<K, T> {
    pub(crate) const fn new() -> Self {
        Self {
            places: BTreeMap::new(),
            things: Slab::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn things(&self) -> impl Iterator<Item = &T> {
        self.places.values().map(|place| &self.things[*place])
    }

    pub(crate) fn things_mut(&mut self) -> impl Iterator<Item = &mut T> {
        // In no order.
        self.things.iter_mut().map(|(_, thing)| thing)
    }

    /// Takes out all things.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> + use<K, T> {
        let Self { places, mut things } = mem::replace(self, Self::new());
        places.into_values().map(move |place| things.remove(place))
    }
}

impl<K: Ord, T> Keyed<K, T> {
    pub(crate) fn get(&self, key: &K) -> Option<&T> {
        self.things.get(*self.places.get(key)?)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut T> {
        self.things.get_mut(*self.places.get(key)?)
    }

    /// Returns the thing with a key, or else has one made, and adds it. If that panics nothing is added.
    pub(crate) fn get_or_insert(&mut self, key: K, make: impl FnOnce(&K) -> T) -> &mut T {
        let place = match self.places.entry(key) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(place) => {
                let thing = make(place.key());
                *place.insert(self.things.insert(thing))
            }
        };
        &mut self.things[place]
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(place) = self.places.remove(key) {
            self.things.remove(place);
            // A slab gives nothing back by itself.
            if self.things.is_empty() {
                self.things = Slab::new();
            }
        }
    }
}
