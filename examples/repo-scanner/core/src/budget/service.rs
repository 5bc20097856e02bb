//! A client that spends fetches.

use super::Budget;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tower_service::Service;

/// A client that takes each request from a budget. It belongs below the stack, so that retries are counted.
///
/// A request for which there is nothing left is not sent, and never answered: whoever works is told by
/// [`Budget::spent`], and drops it.
#[derive(Clone, Debug)]
pub struct Budgeted<S> {
    inner: S,
    budget: Budget,
}

impl<S> Budgeted<S> {
    /// Makes one.
    pub const fn new(inner: S, budget: Budget) -> Self {
        Self { inner, budget }
    }
}

impl<R, S: Service<R>> Service<R> for Budgeted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = BudgetedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let sent = self.budget.take_fetch();
        BudgetedFuture {
            sent: sent.then(|| self.inner.call(request)),
        }
    }
}

pin_project! {
    /// The future of a [`Budgeted`] client.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct BudgetedFuture<F> {
        // None if it was not sent.
        #[pin]
        sent: Option<F>,
    }
}

impl<F: Future> Future for BudgetedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().sent.as_pin_mut() {
            Some(sent) => sent.poll(cx),
            None => Poll::Pending,
        }
    }
}
