//! One value for each bucket of a set.

use std::{
    mem,
    ops::{Deref, DerefMut},
    slice,
};

/// Values in the order of a set's buckets. Most sets are of one bucket, and need no memory on the heap.
#[derive(Debug, Default)]
pub(crate) enum Each<T> {
    #[default]
    None,
    One(T),
    Many(Vec<T>),
}

impl<T> Each<T> {
    pub(crate) fn push(&mut self, value: T) {
        *self = match mem::take(self) {
            Self::None => Self::One(value),
            Self::One(first) => Self::Many(vec![first, value]),
            Self::Many(mut values) => {
                values.push(value);
                Self::Many(values)
            }
        };
    }
}

impl<T> Deref for Each<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(value) => slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<T> DerefMut for Each<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(value) => slice::from_mut(value),
            Self::Many(values) => values,
        }
    }
}
