//! The wait for room.

use super::{BatchError, add::Stage, queue, shared::Handle};
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// Waits until there is room for an item; made by [`Batch::push`](super::Batch::push).
///
/// ```
/// use std::{convert::Infallible, num::NonZeroUsize};
/// use tower_egress::{TokioTimer, batch::{Batch, Push}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let two = NonZeroUsize::new(2).unwrap();
/// let builder = Batch::builder().max_items(two).capacity(two);
/// let (log, run) = builder.build(TokioTimer::new(), |lines: Vec<String>| async move {
///     Ok(lines.iter().map(|_| Ok::<_, Infallible>(())).collect())
/// });
/// let work = async {
///     for line in 0..5 {
///         // The third one waits until a handler has taken the first two.
///         let push: Push<String, (), Infallible> = log.push(format!("line {line}"));
///         push.await?;
///     }
///     log.close().await
/// };
/// let (work, ()) = tokio::join!(work, run);
/// work?;
/// assert_eq!((log.stats().succeeded, log.stats().batches), (5, 3));
/// # Ok(()) }
/// ```
#[must_use = "nothing is added until it is polled"]
pub struct Push<I, R, E, K: Ord = ()> {
    stage: Stage<I, R, E, K>,
}

impl<I, R, E, K: Ord> Push<I, R, E, K> {
    pub(super) const fn new(handle: Handle<K, I, R, E>, key: K, item: I) -> Self {
        Self {
            stage: Stage::Outside { handle, key, item },
        }
    }
}

/// Nothing in it is ever pinned.
impl<I, R, E, K: Ord> Unpin for Push<I, R, E, K> {}

impl<I, R, E, K: Ord + Clone> Future for Push<I, R, E, K> {
    type Output = Result<(), BatchError<E>>;

    /// # Panics
    ///
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.stage.enter(false)?;
        let Stage::Inside(place) = &self.stage else {
            panic!("`Push` was polled again after it was ready");
        };
        // Wakers are foreign code, so they are cloned and dropped outside the lock.
        let waker = cx.waker().clone();
        let (push, _old) = place.shared.lock().pushed(place.number, waker);
        match push {
            queue::Push::InLine => Poll::Pending,
            queue::Push::Accepted => {
                self.stage.leave();
                Poll::Ready(Ok(()))
            }
            queue::Push::Lost => {
                self.stage.leave();
                Poll::Ready(Err(BatchError::Gone { taken: false }))
            }
        }
    }
}

impl<I, R, E, K: Ord> fmt::Debug for Push<I, R, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").field("stage", &self.stage).finish()
    }
}
