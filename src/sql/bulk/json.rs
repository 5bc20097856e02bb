//! Rows as one text of JSON.

use super::kinds::Kinds;
use crate::sql::Value;
use std::ops::Range;

/// An array of rows that grows.
#[derive(Debug)]
pub(super) struct Pack {
    text: String,
    /// The rows by their numbers, and where they are; those that were overwritten are empty.
    rows: Vec<(usize, Range<usize>)>,
    /// How many were overwritten.
    overwritten: usize,
}

impl Pack {
    pub(super) const fn new() -> Self {
        Self {
            text: String::new(),
            rows: Vec::new(),
            overwritten: 0,
        }
    }

    /// Adds a row, unless it would become longer than `most` bytes.
    pub(super) fn push(&mut self, n: usize, row: &[Value], kinds: &Kinds, most: usize) -> bool {
        let start = self.text.len();
        self.text.push(if start == 0 { '[' } else { ',' });
        kinds.write(row, &mut self.text);
        // With the bracket that ends it.
        let fits = self.text.len() < most;
        if fits {
            self.rows.push((n, start + 1..self.text.len()));
        } else {
            self.text.truncate(start);
        }
        fits
    }

    /// Takes the last row back.
    pub(super) fn pop(&mut self) {
        if let Some((_, at)) = self.rows.pop() {
            self.text.truncate(at.start - 1);
        }
    }

    /// Leaves a row out, because a later one is written over it.
    pub(super) fn overwrite(&mut self, n: usize) {
        if let Ok(index) = self.rows.binary_search_by_key(&n, |(row, _)| *row) {
            self.rows[index].1 = 0..0;
            self.overwritten += 1;
        }
    }

    /// Returns how many rows were added.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns how many rows are in it.
    pub(super) fn kept(&self) -> usize {
        self.rows.len() - self.overwritten
    }

    pub(super) fn into_text(mut self) -> String {
        if self.overwritten > 0 {
            let rows = self.rows.iter().filter(|(_, at)| !at.is_empty());
            let rows: Vec<&str> = rows.map(|(_, at)| &self.text[at.clone()]).collect();
            self.text = format!("[{}", rows.join(","));
        }
        self.text.push(']');
        self.text
    }
}
