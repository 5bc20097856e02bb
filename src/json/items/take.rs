//! What was cut out of the body, and what becomes of it.

use super::{Count, JsonItems, Parts, Phase};
use crate::{
    fetch::DecodeError,
    json::{ItemError, record},
};
use bytes::{Buf, BytesMut};
use serde::de::{DeserializeOwned, IgnoredAny};
use std::pin::Pin;

/// How many bytes the record that counts has at most, or stand around a row that another one holds.
const AROUND: usize = 64;

/// What became of an item.
pub(super) enum Read<T> {
    Item(Result<T, ItemError>),
    /// It was the record that counts.
    Counted,
}

impl<B, T> Parts<'_, B, T> {
    /// Nothing more can come.
    pub(super) fn end(&mut self) {
        *self.phase = Phase::Done;
        self.body.set(None);
        *self.buffer = BytesMut::new();
    }

    /// Returns how many bytes are held for one item at most.
    pub(super) fn longest(&self) -> usize {
        let around = match self.count {
            Count::Unwanted => 0,
            Count::Wanted | Count::Read => AROUND,
        };
        self.max_item.saturating_add(around)
    }

    /// Tells whether what comes next may have so many bytes.
    pub(super) fn may_have(&self, length: usize) -> bool {
        let line = &self.buffer[..length];
        length <= *self.max_item
            || length <= self.longest()
                && (record::count_of(line).is_some() || record::holds_a_row(line))
    }
}

impl<B, T: DeserializeOwned> JsonItems<B, T> {
    /// Takes an item and the byte behind it off the buffer.
    pub(super) fn take(self: Pin<&mut Self>, length: usize) -> Read<T> {
        let this = self.project();
        let items = *this.items;
        let bytes = this.buffer.split_to(length);
        this.buffer.advance(1);
        if *this.count == Count::Read {
            return Read::Item(Err(ItemError::Syntax { items }));
        }
        if *this.count == Count::Wanted
            && let Some(said) = record::count_of(&bytes)
        {
            *this.count = Count::Read;
            return if said == items {
                Read::Counted
            } else {
                Read::Item(Err(ItemError::Miscounted { items, said }))
            };
        }
        let read = if *this.count == Count::Wanted && record::holds_a_row(&bytes) {
            record::held(&bytes)
        } else {
            serde_json::from_slice(&bytes)
        };
        // Of what is no JSON serde may not have come so far, and of what is it may make nothing.
        let item = read.map_err(|error| match is_json(&bytes) {
            true => ItemError::Shape {
                items,
                error: DecodeError::of_shape(&error),
            },
            false => ItemError::Syntax { items },
        });
        if !matches!(item, Err(ItemError::Syntax { .. })) {
            *this.items += 1;
        }
        Read::Item(item)
    }
}

/// By the grammar alone, however deep, with any number and half of a pair of surrogates.
fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}
