//! The layer.

use crate::{Backoff, Budget, Policy};
use tower_layer::Layer;

/// Makes services that retry; all of them share one [`Budget`], and so do clones of the layer.
#[derive(Clone, Debug)]
pub struct BackoffLayer<P, T> {
    policy: P,
    budget: Budget,
    timer: T,
}

impl<T> BackoffLayer<Policy, T> {
    /// Makes a layer with the default policy and a default budget of its own.
    pub fn new(timer: T) -> Self {
        Self {
            policy: Policy::default(),
            budget: Budget::default(),
            timer,
        }
    }
}

impl<P, T> BackoffLayer<P, T> {
    /// Sets the policy, or what chooses one for each request (see [`ChoosePolicy`](crate::ChoosePolicy)).
    pub fn with_policy<Q>(self, policy: Q) -> BackoffLayer<Q, T> {
        BackoffLayer {
            policy,
            budget: self.budget,
            timer: self.timer,
        }
    }

    /// Sets the budget; share one between layers that belong to one client.
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Returns the budget.
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }
}

impl<S, P: Clone, T: Clone> Layer<S> for BackoffLayer<P, T> {
    type Service = Backoff<S, P, T>;

    fn layer(&self, inner: S) -> Backoff<S, P, T> {
        Backoff::new(
            inner,
            self.policy.clone(),
            self.budget.clone(),
            self.timer.clone(),
        )
    }
}
