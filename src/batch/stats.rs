//! What a batch has done, in numbers.

use serde::Serialize;

/// A snapshot of a batch, taken in one moment.
///
/// At every moment `added = waiting + handling + succeeded + failed + withdrawn + lost`.
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
