//! The layer.

use crate::{ConcurrencyLimit, Limiter};
use egress_time::{Clock, Timer};
use std::num::NonZeroUsize;
use tower_layer::Layer;

/// Limits how many requests are in flight through the services that it makes.
///
/// All services made by a layer and by its clones share one [`Limiter`]: the limit is theirs together. (tower's own
/// `ConcurrencyLimitLayer` makes a new limit for every service.)
#[derive(Debug)]
pub struct ConcurrencyLimitLayer<T> {
    limiter: Limiter<T>,
}

impl<T: Clock> ConcurrencyLimitLayer<T> {
    /// Makes a layer with `limit` permits and the defaults of [`Config`](crate::Config).
    pub fn new(limit: NonZeroUsize, timer: T) -> Self {
        Self::with_limiter(Limiter::new(limit, timer))
    }
}

impl<T> ConcurrencyLimitLayer<T> {
    /// Makes a layer with the permits of `limiter`.
    pub const fn with_limiter(limiter: Limiter<T>) -> Self {
        Self { limiter }
    }

    /// Returns the limiter: to read its figures, or to change its limit.
    pub const fn limiter(&self) -> &Limiter<T> {
        &self.limiter
    }
}

/// A clone shares the permits. Written out, because `derive` would ask for `T: Clone`.
impl<T> Clone for ConcurrencyLimitLayer<T> {
    fn clone(&self) -> Self {
        Self::with_limiter(self.limiter.clone())
    }
}

impl<S, T: Timer> Layer<S> for ConcurrencyLimitLayer<T> {
    type Service = ConcurrencyLimit<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        ConcurrencyLimit::new(inner, self.limiter.clone())
    }
}
