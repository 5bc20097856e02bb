//! How a process ended.

use egress_concurrency_limit::ConcurrencyLimitError;

/// Says what was done, what failed, and what is left.
///
/// It counts items, those of chunks too. `begun = done + failed`: the first `begun` items of the stream are accounted for, and
/// on no other was worked.
///
/// ```
/// use tower_egress::{TokioTimer, process::{End, Process}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let outcome = Process::iter([4, 0, 2], TokioTimer::new())
///     .run(async |number: u32| 8_u32.checked_div(number).ok_or("no number"))
///     .await;
/// assert!(matches!(outcome.end, End::Complete));
/// assert_eq!((outcome.begun, outcome.done, outcome.failed, outcome.left), (3, 2, 1, Some(0)));
/// // For whoever takes one failure for all of it.
/// let failed = outcome.into_result().unwrap_err();
/// assert_eq!(failed.index, 1);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "some items may have failed"]
#[non_exhaustive]
pub struct Outcome<E> {
    /// How many items were begun.
    pub begun: u64,
    /// How many of them succeeded, their consumer included.
    pub done: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The first errors, in the order in which they were heard of.
    pub errors: Vec<Failed<E>>,
    /// How many items were not begun, if that is known.
    pub left: Option<u64>,
    /// Why it ended.
    pub end: End,
}

impl<E> Outcome<E> {
    /// Returns how many items were done, or the first error.
    ///
    /// # Errors
    ///
    /// The first of [`errors`](Self::errors). A process that was stopped without one has none.
    pub fn into_result(self) -> Result<u64, Failed<E>> {
        match self.errors.into_iter().next() {
            None => Ok(self.done),
            Some(failed) => Err(failed),
        }
    }
}

/// One item, or one chunk, that failed.
///
/// ```
/// use std::num::NonZeroUsize;
/// use tower_egress::{TokioTimer, process::Process};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let outcome = Process::iter(0..30, TokioTimer::new())
///     .chunks(NonZeroUsize::new(10).unwrap())
///     .run(async |chunk: Vec<u32>| if chunk.contains(&15) { Err("full") } else { Ok(()) })
///     .await;
/// let failed = &outcome.errors[0];
/// assert_eq!((failed.index, failed.items, failed.error), (10, 10, "full"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item {index} failed{}", others(.items))]
#[non_exhaustive]
pub struct Failed<E> {
    /// Which item of the stream it is, from 0 on; of a chunk, the first.
    pub index: u64,
    /// How many items failed with it: 1, or the length of the chunk.
    pub items: u64,
    /// What the work said, or the consumer.
    #[source]
    pub error: E,
}

fn others(items: &u64) -> String {
    match items {
        0 | 1 => String::new(),
        _ => format!(", with the {} behind it", items - 1),
    }
}

/// Why a process ended.
///
/// ```
/// use tower_egress::{TokioTimer, process::{End, Process}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let outcome = Process::iter(0..10, TokioTimer::new())
///     .stop_at_first_error()
///     .run(async |number: u32| if number == 3 { Err("bad") } else { Ok(()) })
///     .await;
/// match outcome.end {
///     End::Failed => assert_eq!(outcome.left, Some(6)),
///     end => panic!("{end:?}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum End {
    /// The stream did.
    Complete,
    /// It was [stopped](super::ProcessHandle::stop).
    Stopped,
    /// An item failed, and it was to [stop](super::Process::stop_at_first_error) then.
    Failed,
    /// There was no permit of the [connection limit](super::Process::connection_limit).
    NoPermit(ConcurrencyLimitError),
}
