//! What handles the batches.

use super::{
    Handler,
    answers::{Handling, answers},
    queue::{Look, Taken},
    shared::Shared,
};
use egress_time::{Instant, SleepUntil, Timer};
use futures_util::{StreamExt, stream::FuturesUnordered};
use pin_project_lite::pin_project;
use std::{
    fmt,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// How many batches are begun before others get their turn.
const TURN: usize = 32;

pin_project! {
    /// Handles batches until there can be no more; made by [`BatchBuilder::build`](super::BatchBuilder::build).
    ///
    /// It ends when the batch is closed, or all its handles are dropped, and everything is answered.
    ///
    /// ```
    /// use std::{convert::Infallible, time::Duration};
    /// use tower_egress::{TokioTimer, batch::{Batch, BatchError}};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let builder = Batch::builder().max_wait(Duration::MAX);
    /// let (batch, run) = builder.build(TokioTimer::new(), |items: Vec<u32>| async move {
    ///     Ok(items.into_iter().map(Ok::<_, Infallible>).collect())
    /// });
    /// // With nobody to handle it, the item is not handled, and who waits for it hears of that.
    /// let (answer, ()) = tokio::join!(batch.add(1), async { drop(run) });
    /// assert!(matches!(answer, Err(BatchError::Gone { taken: false, .. })));
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the handlers at work, and answers everybody with
    /// [`BatchError::Gone`](super::BatchError::Gone).
    #[must_use = "no batch is handled unless it is polled"]
    pub struct Run<I, R, E, T, H, K = ()>
    where
        T: Timer,
        H: Handler<K, I, R, E>,
    {
        // Dropped in this order: when the waiters hear of it, no handler works any more.
        under_way: FuturesUnordered<Handling<H::Future, Vec<u64>>>,
        handler: H,
        end: EndOnDrop<K, I, R, E>,
        concurrency: NonZeroUsize,
        timer: T,
        #[pin]
        sleep: Option<SleepUntil<T>>,
    }
}

/// Answers everybody when it is dropped.
struct EndOnDrop<K, I, R, E>(Arc<Shared<K, I, R, E>>);

impl<K, I, R, E> Drop for EndOnDrop<K, I, R, E> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<I, R, E, T, H, K> Run<I, R, E, T, H, K>
where
    T: Timer,
    H: Handler<K, I, R, E>,
{
    pub(super) fn new(
        shared: Arc<Shared<K, I, R, E>>,
        concurrency: NonZeroUsize,
        timer: T,
        handler: H,
    ) -> Self {
        Self {
            under_way: FuturesUnordered::new(),
            handler,
            end: EndOnDrop(shared),
            concurrency,
            timer,
            sleep: None,
        }
    }
}

impl<I, R, E, T, H, K> Future for Run<I, R, E, T, H, K>
where
    K: Ord + Clone,
    T: Timer,
    H: Handler<K, I, R, E>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let shared = &this.end.0;
        // Before it looks: who adds something after that calls it.
        let old = shared.lock().watch(cx.waker().clone());
        drop(old);
        for _ in 0..TURN {
            while let Poll::Ready(Some((numbers, outcome))) = this.under_way.poll_next_unpin(cx) {
                let numbers = numbers.unwrap_or_default();
                let answers = answers(outcome, numbers.len());
                let settled = shared.lock().settle(&numbers, answers);
                settled.outside_the_lock();
            }
            let now = this.timer.now();
            let is_free = this.under_way.len() < this.concurrency.get();
            let look = shared.lock().look(now, is_free);
            match look {
                Look::Handle(taken, settled) => {
                    settled.outside_the_lock();
                    let Taken {
                        key,
                        numbers,
                        items,
                    } = taken;
                    let handler = &mut *this.handler;
                    this.under_way
                        .push(Handling::new(numbers, || handler.handle(&key, items)));
                    this.sleep.set(None);
                }
                Look::Wait(Instant::FAR_FUTURE) => {
                    this.sleep.set(None);
                    return Poll::Pending;
                }
                Look::Wait(until) => {
                    if this
                        .sleep
                        .as_ref()
                        .as_pin_ref()
                        .map(|sleep| sleep.deadline())
                        != Some(until)
                    {
                        let sleep = SleepUntil::new(this.timer.clone(), until);
                        this.sleep.set(Some(sleep));
                    }
                    if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
                        ready!(sleep.poll(cx));
                    }
                    this.sleep.set(None);
                }
                Look::End => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<I, R, E, T, H, K> fmt::Debug for Run<I, R, E, T, H, K>
where
    T: Timer,
    H: Handler<K, I, R, E>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("under_way", &self.under_way.len())
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
