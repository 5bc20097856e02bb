//! What goes wrong with rows and items.

use crate::{BoxError, fetch::DecodeError};
use std::{error::Error, fmt};

/// Why rows cannot be answered, or not to their end.
#[derive(Debug)]
#[non_exhaustive]
pub enum RowError<E> {
    /// The source of the rows failed.
    Source(E),
    /// A row cannot be written as JSON.
    #[non_exhaustive]
    Serialize {
        /// How many rows came before it.
        row: u64,
        /// Why.
        error: serde_json::Error,
    },
}

impl<E: fmt::Display> fmt::Display for RowError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "the rows broke off: {error}"),
            Self::Serialize { row, error } => write!(f, "row {row} cannot be written: {error}"),
        }
    }
}

/// The source's own error is in the text, for it need not be one of std's: a [`BoxError`] is not.
impl<E: fmt::Debug + fmt::Display> Error for RowError<E> {}

/// Why an item cannot be read, or no more of them.
///
/// None says what the body holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The body failed.
    #[error("the body broke off after {items} items")]
    #[non_exhaustive]
    Body {
        /// How many items came before.
        items: u64,
        /// Why.
        #[source]
        error: BoxError,
    },
    /// The body came to its end before the JSON did, or before the record that counts.
    #[error("the body ends after {items} items, and is not whole")]
    #[non_exhaustive]
    Truncated {
        /// How many items came before.
        items: u64,
    },
    /// That is no JSON, or no array of it.
    #[error("what comes after {items} items is not JSON")]
    #[non_exhaustive]
    Syntax {
        /// How many items came before.
        items: u64,
    },
    /// The item is larger than allowed.
    #[error("the item after {items} others is larger than {limit} bytes")]
    #[non_exhaustive]
    TooLarge {
        /// How many items came before.
        items: u64,
        /// How many bytes are allowed.
        limit: usize,
    },
    /// The item is JSON of another shape than asked for. The next item can be read all the same.
    #[error("the item after {items} others is another")]
    #[non_exhaustive]
    Shape {
        /// How many items came before.
        items: u64,
        /// Where in the item.
        #[source]
        error: DecodeError,
    },
    /// The record that counts says another number.
    #[error("{items} items came, of {said}")]
    #[non_exhaustive]
    Miscounted {
        /// How many items came.
        items: u64,
        /// How many there should be.
        said: u64,
    },
}

impl ItemError {
    /// Tells whether nothing can come after it.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Shape { .. })
    }
}
