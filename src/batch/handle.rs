//! The handle of one batch.

use super::{Add, BatchBuilder, BatchStats, Flush, Push, shared::Handle};
use std::fmt;

/// Collects items for a handler, and gives each caller the result of its own.
///
/// Clones share the batch. See the [module](super) for when it is handled, and by whom.
///
/// ```
/// use std::{collections::HashMap, sync::Arc, time::Duration};
/// use tower_egress::{TokioTimer, batch::{Batch, BatchError}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// // One SELECT for all that ask at about the same time.
/// let names = Arc::new(HashMap::from([(1, "one"), (2, "two")]));
/// let builder = Batch::builder().max_wait(Duration::from_millis(2));
/// let (lookup, run) = builder.build(TokioTimer::new(), |ids: Vec<u32>| {
///     let names = Arc::clone(&names);
///     async move { Ok(ids.iter().map(|id| names.get(id).copied().ok_or("there is none")).collect()) }
/// });
/// let work = async {
///     let (two, three) = tokio::join!(lookup.add(2), lookup.add(3));
///     assert_eq!(two, Ok("two"));
///     assert_eq!(three, Err(BatchError::Item("there is none")));
///     lookup.close().await
/// };
/// let (work, ()) = tokio::join!(work, run);
/// assert_eq!(work, Ok(()));
/// # }
/// ```
pub struct Batch<I, R, E> {
    handle: Handle<(), I, R, E>,
}

impl Batch<(), (), ()> {
    /// Starts to make a batch, of whatever types its handler has.
    pub const fn builder() -> BatchBuilder {
        BatchBuilder::new()
    }
}

impl<I, R, E> Batch<I, R, E> {
    pub(super) const fn new(handle: Handle<(), I, R, E>) -> Self {
        Self { handle }
    }

    /// Adds an item and waits for its result.
    ///
    /// It takes its place when it is first polled. A handler that adds to its own batch and waits for the result waits for
    /// itself, unless there are several.
    ///
    /// # Errors
    ///
    /// [`BatchError`](super::BatchError): the item failed, the batch failed, or it is closed or gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws an item that no handler has. Otherwise the item is handled, and its result dropped.
    pub fn add(&self, item: I) -> Add<I, R, E> {
        Add::new(self.handle.clone(), (), item)
    }

    /// Adds an item whose result nobody waits for. Returns when there is [room](BatchBuilder::capacity) for it.
    ///
    /// What became of it is counted in [`stats`](Self::stats).
    ///
    /// # Errors
    ///
    /// [`BatchError::Closed`](super::BatchError::Closed) and [`BatchError::Gone`](super::BatchError::Gone).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws an item that has not found room.
    pub fn push(&self, item: I) -> Push<I, R, E> {
        Push::new(self.handle.clone(), (), item)
    }

    /// Has everything handled that was added before, and waits until it is answered.
    ///
    /// "Before" means before the future is first polled. What is added later goes to later batches, and is not waited for.
    ///
    /// # Errors
    ///
    /// [`BatchError::Gone`](super::BatchError::Gone) if [`Run`](super::Run) was dropped.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the flush goes on without the future.
    pub fn flush(&self) -> Flush<I, R, E> {
        Flush::new(self.handle.shared(), false)
    }

    /// Refuses further items, has everything handled that was added before, and waits until it is answered.
    ///
    /// It takes effect when the future is first polled; then [`Run`](super::Run) ends with it.
    ///
    /// # Errors
    ///
    /// [`BatchError::Gone`](super::BatchError::Gone) if [`Run`](super::Run) was dropped before everything was answered.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the batch is closed and handled without the future.
    pub fn close(&self) -> Flush<I, R, E> {
        Flush::new(self.handle.shared(), true)
    }

    /// Returns the figures of this moment.
    pub fn stats(&self) -> BatchStats {
        self.handle.stats()
    }
}

/// A clone is another handle to the same batch. Written out, because `derive` would ask for items that can be cloned.
impl<I, R, E> Clone for Batch<I, R, E> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl<I, R, E> fmt::Debug for Batch<I, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
