//! How a batch is made.

use super::{
    Batch, Batches, Handler, Keyed, Plain, Run,
    queue::{Limits, Queue},
    shared::Handle,
};
use egress_time::Timer;
use std::{num::NonZeroUsize, time::Duration};

/// Makes a [`Batch`] or [`Batches`], and the [`Run`] that handles them.
///
/// # Defaults
///
/// - [`max_items`](Self::max_items): 100
/// - [`max_wait`](Self::max_wait): 1 s
/// - [`concurrency`](Self::concurrency): 1
/// - [`capacity`](Self::capacity): 1000
/// - [`max_keys`](Self::max_keys): 100
///
/// ```
/// use std::{convert::Infallible, num::NonZeroUsize, time::Duration};
/// use tower_egress::{TokioTimer, batch::BatchBuilder};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let count = |count| NonZeroUsize::new(count).unwrap();
/// let (rows, run) = BatchBuilder::new()
///     .max_items(count(100))
///     .max_wait(Duration::from_millis(20))
///     .concurrency(count(2))
///     .capacity(count(500))
///     .build(TokioTimer::new(), |rows: Vec<u32>| async move {
///         Ok(rows.into_iter().map(Ok::<_, Infallible>).collect())
///     });
/// let (answer, closed, ()) = tokio::join!(rows.add(7), rows.close(), run);
/// closed?;
/// assert_eq!(answer?, 7);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "this makes nothing until `build` is called"]
pub struct BatchBuilder {
    pub(super) limits: Limits,
    concurrency: NonZeroUsize,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(
    clippy::type_complexity,
    reason = "pairs of two types with the parameters that each has"
)]
impl BatchBuilder {
    /// Makes the builder with its defaults.
    pub const fn new() -> Self {
        const fn count(count: usize) -> NonZeroUsize {
            NonZeroUsize::MIN.saturating_add(count - 1)
        }
        Self {
            limits: Limits {
                max_items: count(100),
                max_wait: Duration::from_secs(1),
                capacity: count(1000),
                max_keys: count(100),
            },
            concurrency: NonZeroUsize::MIN,
        }
    }

    /// Hands at most so many items to a handler at once.
    pub const fn max_items(mut self, max_items: NonZeroUsize) -> Self {
        self.limits.max_items = max_items;
        self
    }

    /// Handles a batch when its first item has waited for so long, full or not.
    ///
    /// With zero whatever is there is handled as soon as a handler is free; with [`Duration::MAX`] time alone never
    /// has a batch handled.
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.limits.max_wait = max_wait;
        self
    }

    /// Lets so many handlers work side by side. In [`Batches`] that counts them all, whatever their keys.
    pub const fn concurrency(mut self, concurrency: NonZeroUsize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Has a [`push`](Batch::push) wait while so many items wait for a handler.
    ///
    /// Less than [`max_items`](Self::max_items) is taken as that, for a batch could not become full.
    /// In [`Batches`] no batch may be full then: the one that has waited longest is handled as it is.
    pub const fn capacity(mut self, capacity: NonZeroUsize) -> Self {
        self.limits.capacity = capacity;
        self
    }

    /// Collects for so many keys at once. With one more, the batch that has waited longest is handled as if its time had
    /// come. For [`Batches`] only.
    pub const fn max_keys(mut self, max_keys: NonZeroUsize) -> Self {
        self.limits.max_keys = max_keys;
        self
    }

    /// Makes a batch, and what is to be polled for it: by `tokio::spawn`, `wait_until`, or a `join!` with its users.
    ///
    /// The handler is given at least one item. It returns their results in the same order, or one error for all.
    pub fn build<I, R, E, T, H, F>(
        self,
        timer: T,
        handler: H,
    ) -> (Batch<I, R, E>, Run<I, R, E, T, Plain<H>>)
    where
        T: Timer,
        H: FnMut(Vec<I>) -> F,
        F: Future<Output = Result<Vec<Result<R, E>>, E>>,
    {
        let (handle, run) = self.build_with(timer, Plain(handler));
        (Batch::new(handle), run)
    }

    /// Makes batches, one for each key, and what is to be polled for all of them.
    pub fn build_keyed<K, I, R, E, T, H, F>(
        self,
        timer: T,
        handler: H,
    ) -> (Batches<K, I, R, E>, Run<I, R, E, T, Keyed<H>, K>)
    where
        K: Ord + Clone,
        T: Timer,
        H: FnMut(&K, Vec<I>) -> F,
        F: Future<Output = Result<Vec<Result<R, E>>, E>>,
    {
        let (handle, run) = self.build_with(timer, Keyed(handler));
        (Batches::new(handle), run)
    }

    fn build_with<K, I, R, E, T, H>(
        self,
        timer: T,
        handler: H,
    ) -> (Handle<K, I, R, E>, Run<I, R, E, T, H, K>)
    where
        T: Timer,
        H: Handler<K, I, R, E>,
    {
        let handle = Handle::new(Queue::new(self.limits));
        let run = Run::new(handle.shared(), self.concurrency, timer, handler);
        (handle, run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let builder = BatchBuilder::default();
        assert_eq!(builder.limits.max_items.get(), 100);
        assert_eq!(builder.limits.max_wait, Duration::from_secs(1));
        assert_eq!(builder.concurrency.get(), 1);
        assert_eq!(builder.limits.capacity.get(), 1000);
        assert_eq!(builder.limits.max_keys.get(), 100);
    }
}
