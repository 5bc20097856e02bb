//! What a request can say for itself.

use std::time::Duration;

/// Replaces the attempt timeout of [`TimeoutLayer`](crate::TimeoutLayer) for one request, when put into its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptTimeout(pub Duration);

/// Replaces the body idle timeout of [`TimeoutLayer`](crate::TimeoutLayer) for one request, when put into its
/// extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyIdleTimeout(pub Duration);

/// Replaces the total of [`DeadlineLayer`](crate::DeadlineLayer) for one request, when put into its extensions.
///
/// It cannot extend a deadline that an outer layer has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTimeout(pub Duration);
