//! What a batch has done, in numbers.

use serde::Serialize;

/// A snapshot of a batch, taken in one moment.
///
/// At every moment `added = waiting + handling + succeeded + failed + withdrawn + lost`.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::{TokioTimer, batch::Batch};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (batch, run) = Batch::builder().build(TokioTimer::new(), |numbers: Vec<u32>| async move {
///     Ok(numbers.iter().map(|number| number.checked_sub(1).ok_or("nothing is less")).collect())
/// });
/// let (zero, one, closed, ()) = tokio::join!(batch.add(0), batch.add(1), batch.close(), run);
/// assert!(zero.is_err() && one.is_ok() && closed.is_ok());
/// let stats = batch.stats();
/// assert_eq!((stats.added, stats.succeeded, stats.failed), (2, 1, 1));
/// assert_eq!(serde_json::to_value(stats)?["batches"], 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BatchStats {
    /// How many items were added, those that wait for room included.
    pub added: u64,
    /// How many of them wait for a handler.
    pub waiting: u64,
    /// How many a handler works on.
    pub handling: u64,
    /// How many have a result.
    pub succeeded: u64,
    /// How many were answered with an error, their own or that of their batch.
    pub failed: u64,
    /// How many were taken back by a drop before a handler had them.
    pub withdrawn: u64,
    /// How many were waiting or being handled when [`Run`](super::Run) was dropped.
    pub lost: u64,
    /// How many batches were handed to a handler.
    pub batches: u64,
}
