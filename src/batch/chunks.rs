//! Items that are all there already.

use super::{
    BatchError,
    answers::{Handled, Handling, answers},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{future::poll_fn, mem, num::NonZeroUsize, task::Poll};

/// After so many chunks others have their turn: handlers that never wait would keep a thread, or a Worker's event loop, to the end.
const TURN: usize = 32;

/// Hands items to a handler, `size` at a time and `concurrency` handlers at once, and returns one result for each, in the
/// order of the items.
///
/// The handler is what a [`Batch`](super::Batch) takes: a bad item fails alone; a handler that fails, panics, or returns
/// too few or too many results has each item of that chunk answered with a [`BatchError`] that says so, and no other. Items are
/// taken from the iterator when there is a handler for them; only results are kept.
///
/// ```
/// use std::num::NonZeroUsize;
/// use tower_egress::batch::{BatchError, process_in_chunks};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (size, concurrency) = (NonZeroUsize::new(2).unwrap(), NonZeroUsize::MIN);
/// let halves = |numbers: Vec<u32>| async move {
///     let half = |number: u32| if number % 2 == 0 { Ok(number / 2) } else { Err("odd") };
///     Ok(numbers.into_iter().map(half).collect())
/// };
/// let results = process_in_chunks([2, 4, 5, 8, 10], size, halves, concurrency).await;
/// assert_eq!(results, [Ok(1), Ok(2), Err(BatchError::Item("odd")), Ok(4), Ok(5)]);
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future drops the handlers at work; what has not begun is not begun.
pub async fn process_in_chunks<I, R, E, H, F>(
    items: impl IntoIterator<Item = I>,
    size: NonZeroUsize,
    mut handler: H,
    concurrency: NonZeroUsize,
) -> Vec<Result<R, BatchError<E>>>
where
    H: FnMut(Vec<I>) -> F,
    F: Future<Output = Handled<R, E>>,
{
    // An iterator may begin anew after its end.
    let mut items = items.into_iter().fuse();
    let mut results = Vec::new();
    let mut under_way = FuturesUnordered::new();
    let mut done = 0_usize;
    loop {
        while under_way.len() < concurrency.get() {
            let chunk: Vec<_> = items.by_ref().take(size.get()).collect();
            if chunk.is_empty() {
                break;
            }
            let places = results.len()..results.len() + chunk.len();
            results.resize_with(places.end, || None);
            under_way.push(Handling::new(places, || handler(chunk)));
        }
        let Some((places, outcome)) = under_way.next().await else {
            return results.into_iter().flatten().collect();
        };
        done += 1;
        if done.is_multiple_of(TURN) {
            let mut had_their_turn = false;
            poll_fn(|cx| match mem::replace(&mut had_their_turn, true) {
                true => Poll::Ready(()),
                false => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            })
            .await;
        }
        let places = places.unwrap_or_default();
        let answers = answers(outcome, places.len());
        for (result, answer) in results[places].iter_mut().zip(answers) {
            *result = Some(answer);
        }
    }
}
