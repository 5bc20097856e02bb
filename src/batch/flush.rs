//! The wait until everything is answered.

use super::{
    BatchError,
    shared::{Shared, wake},
};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Waits until everything that was added before is answered; made by [`Batch::flush`](super::Batch::flush) and
/// [`Batch::close`](super::Batch::close).
///
/// ```
/// use std::{convert::Infallible, time::Duration};
/// use tower_egress::{TokioTimer, batch::{Batch, Flush}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // By hand, and at no certain time.
/// let builder = Batch::builder().max_wait(Duration::MAX);
/// let (log, run) = builder.build(TokioTimer::new(), |lines: Vec<&str>| async move {
///     Ok(lines.iter().map(|_| Ok::<_, Infallible>(())).collect())
/// });
/// let work = async {
///     log.push("one").await?;
///     log.push("two").await?;
///     let flush: Flush<&str, (), Infallible> = log.flush();
///     flush.await?;
///     assert_eq!((log.stats().succeeded, log.stats().batches), (2, 1));
///     log.close().await
/// };
/// let (work, ()) = tokio::join!(work, run);
/// work?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is flushed until it is polled"]
pub struct Flush<I, R, E, K = ()> {
    shared: Arc<Shared<K, I, R, E>>,
    close: bool,
    /// Which one it is, once it has begun.
    flush: Option<u64>,
}

impl<I, R, E, K> Flush<I, R, E, K> {
    pub(super) const fn new(shared: Arc<Shared<K, I, R, E>>, close: bool) -> Self {
        Self {
            shared,
            close,
            flush: None,
        }
    }
}

/// Ready whenever it is polled again.
impl<I, R, E, K> Future for Flush<I, R, E, K> {
    type Output = Result<(), BatchError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let flush = match self.flush {
            Some(flush) => flush,
            None => {
                let (flush, runner) = self.shared.lock().flush(self.close);
                wake(runner);
                *self.flush.insert(flush)
            }
        };
        // Wakers are foreign code, so they are cloned and dropped outside the lock.
        let waker = cx.waker().clone();
        let flushed = self.shared.lock().flushed(flush, waker);
        match flushed {
            Ok(result) => Poll::Ready(result),
            Err(_old) => Poll::Pending,
        }
    }
}

impl<I, R, E, K> Drop for Flush<I, R, E, K> {
    fn drop(&mut self) {
        if let Some(flush) = self.flush {
            let waker = self.shared.lock().forget_flush(flush);
            drop(waker);
        }
    }
}

impl<I, R, E, K> fmt::Debug for Flush<I, R, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush")
            .field("close", &self.close)
            .field("has_begun", &self.flush.is_some())
            .finish_non_exhaustive()
    }
}
