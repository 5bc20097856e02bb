//! What goes wrong with rows and items.

use crate::{BoxError, fetch::DecodeError};
use std::{error::Error, fmt};

/// Why rows cannot be answered, or not to their end.
///
/// ```
/// use futures_util::stream;
/// use http::{Request, StatusCode};
/// use tower_egress::json::{JsonRows, RowError};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let rows = stream::iter([Ok(1), Err("the database is busy")]);
/// let status = match JsonRows::array().respond(&Request::new(()), rows).await {
///     Ok(response) => response.status(),
///     Err(RowError::Source(_)) => StatusCode::SERVICE_UNAVAILABLE,
///     Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
/// };
/// assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
/// # }
/// ```
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
///
/// ```
/// use futures_util::StreamExt;
/// use tower_egress::json::{ItemError, JsonItems};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let body = String::from("[1, \"two\", 3, 4");
/// let mut items = JsonItems::<_, u32>::array(body);
/// let (mut sum, mut odd) = (0, 0);
/// let end = loop {
///     match items.next().await {
///         Some(Ok(number)) => sum += number,
///         // It was another item than expected, and the next can be read.
///         Some(Err(error)) if !error.is_final() => odd += 1,
///         end => break end,
///     }
/// };
/// assert_eq!((sum, odd), (4, 1));
/// assert!(matches!(end, Some(Err(ItemError::Truncated { items: 3, .. }))));
/// # }
/// ```
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
    /// The item is JSON of another shape than asked for, or holds what Rust has no form for: half of an emoji, as
    /// `"\ud83d"`, a number beyond an `f64`, more than 127 arrays or objects in each other. The next item can be read all the
    /// same.
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
