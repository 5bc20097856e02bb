//! What a handler said, as one answer for each item.

use super::BatchError;
use pin_project_lite::pin_project;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// What a handler returns: a result for each item, or one failure for all of them.
pub(super) type Handled<R, E> = Result<Vec<Result<R, E>>, E>;

/// What became of a batch; nothing if the handler panicked.
pub(super) type Outcome<R, E> = Option<Handled<R, E>>;

/// Answers each of so many items.
pub(super) fn answers<R, E>(
    outcome: Outcome<R, E>,
    items: usize,
) -> impl Iterator<Item = Result<R, BatchError<E>>> {
    let (single, shared) = match outcome {
        Some(Ok(results)) if results.len() == items => (results, None),
        Some(Ok(results)) => {
            let results = results.len();
            (Vec::new(), Some(Shared::WrongCount { results }))
        }
        Some(Err(error)) => (Vec::new(), Some(Shared::Failed(Arc::new(error)))),
        None => (Vec::new(), Some(Shared::Panicked)),
    };
    let shared = (0..items).map_while(move |_| {
        Some(Err(match shared.as_ref()? {
            Shared::Failed(error) => BatchError::Handler(Arc::clone(error)),
            Shared::Panicked => BatchError::Panicked,
            Shared::WrongCount { results } => BatchError::WrongCount {
                items,
                results: *results,
            },
        }))
    });
    let single = single.into_iter().map(|one| one.map_err(BatchError::Item));
    single.chain(shared)
}

/// What all items of a batch are told.
enum Shared<E> {
    Failed(Arc<E>),
    Panicked,
    WrongCount { results: usize },
}

/// Calls what may panic.
pub(super) fn guard<O>(call: impl FnOnce() -> O) -> Option<O> {
    // What the handler shares with others it must leave in order itself: it is called again as it would be after an error.
    // The panic hook has told the panic's message.
    catch_unwind(AssertUnwindSafe(call)).ok()
}

pin_project! {
    /// The work on one batch, whatever the handler does.
    pub(super) struct Handling<F, N> {
        // Nothing if the handler panicked before it had a future.
        #[pin]
        future: Option<F>,
        // What the batch is known by.
        name: Option<N>,
    }
}

impl<F, N> Handling<F, N> {
    pub(super) fn new(name: N, begin: impl FnOnce() -> F) -> Self {
        Self {
            future: guard(begin),
            name: Some(name),
        }
    }
}

impl<F, N, R, E> Future for Handling<F, N>
where
    F: Future<Output = Handled<R, E>>,
{
    type Output = (Option<N>, Outcome<R, E>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let outcome = match this.future.as_mut().as_pin_mut() {
            Some(future) => match guard(|| future.poll(cx)) {
                Some(poll) => Some(ready!(poll)),
                None => None,
            },
            None => None,
        };
        // A future that is dropped may panic as well.
        guard(|| this.future.set(None));
        Poll::Ready((this.name.take(), outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn answered(
        outcome: Outcome<u8, &'static str>,
        items: usize,
    ) -> Vec<Result<u8, BatchError<&'static str>>> {
        answers(outcome, items).collect()
    }

    #[test]
    fn each_item_gets_its_own_result() {
        let whole = Some(Ok(vec![Ok(1), Err("bad"), Ok(3)]));
        assert_eq!(
            answered(whole, 3),
            [Ok(1), Err(BatchError::Item("bad")), Ok(3)]
        );
    }

    #[test]
    fn too_few_and_too_many_results_are_nobodys() {
        for results in [0, 1, 3] {
            let whole = Some(Ok(vec![Ok(7); results]));
            let error = BatchError::WrongCount { items: 2, results };
            assert_eq!(answered(whole, 2), [Err(error.clone()), Err(error)]);
        }
    }

    #[test]
    fn a_failure_and_a_panic_are_everybodys() {
        let failed = BatchError::Handler(Arc::new("down"));
        assert_eq!(
            answered(Some(Err("down")), 2),
            [Err(failed.clone()), Err(failed)]
        );
        assert_eq!(answered(None, 1), [Err(BatchError::Panicked)]);
    }
}
