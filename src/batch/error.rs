//! Why an item has no result.

use std::sync::Arc;

/// Says why an item has no result.
///
/// ```
/// use tower_egress::batch::BatchError;
///
/// /// Whether to offer the item once more, to another batch.
/// fn may_go_again<E>(error: &BatchError<E>) -> bool {
///     // In all other cases it was handled, or may have been.
///     matches!(error, BatchError::Closed | BatchError::Gone { taken: false, .. })
/// }
/// assert!(may_go_again(&BatchError::<String>::Closed));
/// assert!(!may_go_again(&BatchError::<String>::Panicked));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError<E> {
    /// The handler refused this item, and perhaps no other.
    #[error("the item failed")]
    Item(#[source] E),
    /// The handler failed, and with it every item of the batch.
    #[error("the whole batch failed")]
    Handler(#[source] Arc<E>),
    /// The handler panicked. What it had done by then is not known.
    #[error("the handler of the batch panicked")]
    Panicked,
    /// The handler returned another number of results than it was given items, so nobody knows which belongs to whom.
    #[error("the handler was given {items} items and returned {results} results")]
    #[non_exhaustive]
    WrongCount {
        /// How many items it was given.
        items: usize,
        /// How many results it returned.
        results: usize,
    },
    /// The batch was closed before; the item was not added.
    #[error("the batch is closed")]
    Closed,
    /// [`Run`](super::Run) was dropped before there was a result.
    #[error("nobody handles the batch any more, and {}", what(.taken))]
    #[non_exhaustive]
    Gone {
        /// Whether a handler had been given the item. If so, what it had done by then is not known.
        taken: bool,
    },
}

fn what(taken: &bool) -> &'static str {
    if *taken {
        "its handler had begun"
    } else {
        "the item was not handled"
    }
}
