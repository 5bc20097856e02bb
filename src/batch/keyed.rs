//! The handle of several batches.

use super::{Add, BatchStats, Flush, Push, shared::Handle};
use std::fmt;

/// Collects items by key: a batch for each, made when its first item comes and gone when its last one is taken.
///
/// One handler and one [`Run`](super::Run) serve them all. Every limit but `max_items` and `max_wait`
/// counts them together. The oldest batch is handled early where there are more keys than `max_keys`, or more items than the
/// `capacity` and no batch is full.
///
/// ```
/// use std::convert::Infallible;
/// use tower_egress::{TokioTimer, batch::BatchBuilder};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (tables, run) = BatchBuilder::new().build_keyed(
///     TokioTimer::new(),
///     |table: &&str, rows: Vec<u32>| {
///         let written = format!("{} into {table}", rows.len());
///         async move { Ok(rows.iter().map(|_| Ok::<_, Infallible>(written.clone())).collect()) }
///     },
/// );
/// let work = async {
///     let (users, posts) = (tables.add("users", 1), tables.add("posts", 2));
///     let (users, posts, more, flushed) =
///         tokio::join!(users, posts, tables.add("users", 3), tables.flush());
///     flushed?;
///     assert_eq!((users?.as_str(), more?.as_str()), ("2 into users", "2 into users"));
///     assert_eq!(posts?, "1 into posts");
///     tables.close().await
/// };
/// let (work, ()) = tokio::join!(work, run);
/// # work?; Ok(()) }
/// ```
pub struct Batches<K, I, R, E> {
    handle: Handle<K, I, R, E>,
}

impl<K, I, R, E> Batches<K, I, R, E> {
    pub(super) const fn new(handle: Handle<K, I, R, E>) -> Self {
        Self { handle }
    }

    /// Has everything handled that was added before, whatever its key; see [`Batch::flush`](super::Batch::flush).
    pub fn flush(&self) -> Flush<I, R, E, K> {
        Flush::new(self.handle.shared(), false)
    }

    /// Refuses further items, and has the rest handled; see [`Batch::close`](super::Batch::close).
    pub fn close(&self) -> Flush<I, R, E, K> {
        Flush::new(self.handle.shared(), true)
    }

    /// Returns the figures of this moment, of all keys together.
    pub fn stats(&self) -> BatchStats {
        self.handle.stats()
    }
}

impl<K: Ord + Clone, I, R, E> Batches<K, I, R, E> {
    /// Adds an item to the batch of a key and waits for its result; see [`Batch::add`](super::Batch::add).
    pub fn add(&self, key: K, item: I) -> Add<I, R, E, K> {
        Add::new(self.handle.clone(), key, item)
    }

    /// Adds an item to the batch of a key, when there is room; see [`Batch::push`](super::Batch::push).
    pub fn push(&self, key: K, item: I) -> Push<I, R, E, K> {
        Push::new(self.handle.clone(), key, item)
    }
}

/// A clone is another handle to the same batches. Written out, because `derive` would ask for items that can be cloned.
impl<K, I, R, E> Clone for Batches<K, I, R, E> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl<K, I, R, E> fmt::Debug for Batches<K, I, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
