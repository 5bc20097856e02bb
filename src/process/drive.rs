//! The work and its consumer, polled together.

use super::{
    End, Failed, Outcome, Process, gate,
    handle::Shared,
    producer::Producer,
    results::{Finished, Results},
};
use egress_time::Timer;
use futures_core::Stream;
use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

/// How often room is made for more before others get their turn.
const TURN: usize = 32;

/// Notes when it ended, also when the process is dropped.
struct EndOnDrop<T: Timer>(Arc<Shared>, T);

impl<T: Timer> Drop for EndOnDrop<T> {
    fn drop(&mut self) {
        self.0.end(self.1.now());
    }
}

impl<S: Stream, T: Timer> Process<S, T> {
    /// Works on each item. Results are dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work under way.
    pub async fn run<W, F, R, E>(self, work: W) -> Outcome<E>
    where
        W: FnMut(S::Item) -> F,
        F: Future<Output = Result<R, E>>,
    {
        self.for_each(work, async |_| Ok(())).await
    }

    /// Works on each item, and returns the results of those that succeeded.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work under way, and the results.
    pub async fn collect<W, F, R, E>(self, work: W) -> (Vec<R>, Outcome<E>)
    where
        W: FnMut(S::Item) -> F,
        F: Future<Output = Result<R, E>>,
    {
        let mut results = Vec::new();
        let outcome = self
            .for_each(work, async |result| {
                results.push(result);
                Ok(())
            })
            .await;
        (results, outcome)
    }

    /// Works on each item, and has each result consumed, one after the other.
    ///
    /// While the consumer waits for something, the work goes on; it may fetch through the same limits as the work. An item
    /// has failed if its work or its consumer has.
    ///
    /// To spawn the future on several threads, let the consumer own what it uses: `async move |result| …`. Of one that borrows,
    /// the compiler cannot tell yet that it may be sent ([rust#110338](https://github.com/rust-lang/rust/issues/110338)).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the consumer, and the work under way.
    pub async fn for_each<W, F, R, E, C>(self, work: W, consume: C) -> Outcome<E>
    where
        W: FnMut(S::Item) -> F,
        F: Future<Output = Result<R, E>>,
        C: AsyncFnMut(R) -> Result<(), E>,
    {
        let Self {
            stream,
            items_of,
            timer,
            owner,
            pace,
            in_order,
            keep_errors,
            bucket,
            limiter,
        } = self;
        let shared = owner.shared();
        shared.begin(timer.now());
        let _end = EndOnDrop(Arc::clone(&shared), timer.clone());
        let is_open = bucket.is_none() && limiter.is_none();
        let gate_timer = timer.clone();
        let make_gate = (!is_open)
            .then_some(move || gate::open(bucket.clone(), limiter.clone(), gate_timer.clone()));

        // Shared, and not borrowed: with borrows in it the compiler cannot tell that the future is `Send` (rust#110338).
        let results = Arc::new(Results::new(in_order));
        let mut producer = pin!(Producer::new(
            stream,
            items_of,
            work,
            make_gate,
            pace,
            timer.clone(),
            Arc::clone(&shared),
        ));
        let mut consumer = pin!(consume_all(
            Arc::clone(&results),
            Arc::clone(&shared),
            consume,
            pace.stop_at_first_error,
            keep_errors
        ));
        let (errors, has_failed) = poll_fn(|cx| {
            shared.watch(cx.waker());
            for _ in 0..TURN {
                producer.as_mut().poll(cx, &results);
                let before = (results.taken(), shared.lock().is_stopped);
                if let Poll::Ready(errors) = consumer.as_mut().poll(cx) {
                    return Poll::Ready(errors);
                }
                // Room for more was made by what was taken, and the producer has to hear that it is to stop; else there is
                // nothing to do.
                if (results.taken(), shared.lock().is_stopped) == before {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;

        let is_complete = producer.is_complete();
        let end = match producer.as_mut().take_refusal() {
            Some(error) => End::NoPermit(error),
            None if is_complete => End::Complete,
            None if has_failed && pace.stop_at_first_error => End::Failed,
            None => End::Stopped,
        };
        let counts = shared.lock().counts;
        Outcome {
            begun: counts.begun,
            done: counts.done,
            failed: counts.failed,
            errors,
            left: if is_complete { Some(0) } else { counts.left() },
            end,
        }
    }
}

/// Returns the first errors, and whether there was one.
async fn consume_all<R, E, C>(
    results: Arc<Results<R, E>>,
    shared: Arc<Shared>,
    mut consume: C,
    stop_at_first_error: bool,
    keep_errors: usize,
) -> (Vec<Failed<E>>, bool)
where
    C: AsyncFnMut(R) -> Result<(), E>,
{
    let mut errors = Vec::new();
    let mut has_failed = false;
    while let Some(finished) = results.next().await {
        let Finished {
            index,
            items,
            result,
        } = finished;
        let result = match result {
            Ok(result) => consume(result).await,
            Err(error) => Err(error),
        };
        let mut state = shared.lock();
        match result {
            Ok(()) => state.counts.done += items,
            Err(error) => {
                state.counts.failed += items;
                state.is_stopped |= stop_at_first_error;
                drop(state);
                has_failed = true;
                if errors.len() < keep_errors {
                    errors.push(Failed {
                        index,
                        items,
                        error,
                    });
                }
            }
        }
    }
    (errors, has_failed)
}
