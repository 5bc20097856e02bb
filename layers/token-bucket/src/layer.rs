//! The layer.

use crate::TokenBucket;
use tower_layer::Layer;

/// Makes [`TokenBucket`] services. Its clones, and the services it makes, share the buckets of the route.
#[derive(Clone, Debug)]
pub struct TokenBucketLayer<R, T> {
    route: R,
    timer: T,
}

impl<R, T> TokenBucketLayer<R, T> {
    /// Has each request pay the buckets that `route` finds, and sleep on `timer`.
    pub const fn new(route: R, timer: T) -> Self {
        Self { route, timer }
    }
}

impl<S, R: Clone, T: Clone> Layer<S> for TokenBucketLayer<R, T> {
    type Service = TokenBucket<S, R, T>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenBucket::new(inner, self.route.clone(), self.timer.clone())
    }
}
