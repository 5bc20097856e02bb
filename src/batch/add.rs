//! The wait for a result.

use super::{
    BatchError,
    shared::{Handle, Shared, wake},
};
use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Waits for the result of an item; made by [`Batch::add`](super::Batch::add).
///
/// It owns what it needs, so it may be kept, or moved to another task, and it may outlive the handle that it was made by.
///
/// ```
/// use std::convert::Infallible;
/// use tower_egress::{TokioTimer, batch::{Add, Batch}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (lengths, run) = Batch::builder().build(TokioTimer::new(), |words: Vec<&str>| async move {
///     Ok(words.iter().map(|word| Ok::<_, Infallible>(word.len())).collect())
/// });
/// let waiting: Vec<Add<&str, usize, Infallible>> = ["a", "bcd"].map(|word| lengths.add(word)).into();
/// drop(lengths);
/// let (answers, ()) = tokio::join!(futures_util::future::try_join_all(waiting), run);
/// assert_eq!(answers?, [1, 3]);
/// # Ok(()) }
/// ```
#[must_use = "nothing is added until it is polled"]
pub struct Add<I, R, E, K: Ord = ()> {
    stage: Stage<I, R, E, K>,
}

/// How far an item has come, whether or not somebody waits for its result.
pub(super) enum Stage<I, R, E, K: Ord> {
    /// It is with its owner, who can add it.
    Outside {
        handle: Handle<K, I, R, E>,
        key: K,
        item: I,
    },
    /// It is in the queue, or a handler has it.
    Inside(Place<I, R, E, K>),
    Over,
}

/// Takes the item back when it is dropped, if that can still be done.
pub(super) struct Place<I, R, E, K: Ord> {
    pub(super) shared: Arc<Shared<K, I, R, E>>,
    key: K,
    pub(super) number: u64,
    is_left: bool,
}

impl<I, R, E, K: Ord> Drop for Place<I, R, E, K> {
    fn drop(&mut self) {
        if !self.is_left {
            let settled = self.shared.lock().withdraw(&self.key, self.number);
            settled.outside_the_lock();
        }
    }
}

impl<I, R, E, K: Ord + Clone> Stage<I, R, E, K> {
    /// Adds the item if that was not done yet.
    pub(super) fn enter(&mut self, is_awaited: bool) -> Result<(), BatchError<E>> {
        match mem::replace(self, Self::Over) {
            Self::Outside { handle, key, item } => {
                let shared = handle.shared();
                let mut queue = shared.lock();
                if let Some(error) = queue.refusal() {
                    // Before the item and the handle are dropped, which are foreign code and want the lock.
                    drop(queue);
                    return Err(error);
                }
                let (number, runner) = queue.add(key.clone(), item, is_awaited);
                drop(queue);
                wake(runner);
                *self = Self::Inside(Place {
                    shared,
                    key,
                    number,
                    is_left: false,
                });
                // Whoever only waits does not keep the batch open; the handle is dropped here.
                Ok(())
            }
            inside => {
                *self = inside;
                Ok(())
            }
        }
    }

    /// Leaves the item where it is, for good.
    pub(super) fn leave(&mut self) {
        if let Self::Inside(mut place) = mem::replace(self, Self::Over) {
            place.is_left = true;
        }
    }
}

impl<I, R, E, K: Ord> Add<I, R, E, K> {
    pub(super) const fn new(handle: Handle<K, I, R, E>, key: K, item: I) -> Self {
        Self {
            stage: Stage::Outside { handle, key, item },
        }
    }
}

/// Nothing in it is ever pinned.
impl<I, R, E, K: Ord> Unpin for Add<I, R, E, K> {}

impl<I, R, E, K: Ord + Clone> Future for Add<I, R, E, K> {
    type Output = Result<R, BatchError<E>>;

    /// # Panics
    ///
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.stage.enter(true)?;
        let Stage::Inside(place) = &self.stage else {
            panic!("`Add` was polled again after it was ready");
        };
        // Wakers are foreign code, so they are cloned and dropped outside the lock.
        let waker = cx.waker().clone();
        let answer = place.shared.lock().answer(place.number, waker);
        match answer {
            Ok(answer) => {
                self.stage.leave();
                Poll::Ready(answer)
            }
            Err(_old) => Poll::Pending,
        }
    }
}

impl<I, R, E, K: Ord> fmt::Debug for Add<I, R, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Add").field("stage", &self.stage).finish()
    }
}

impl<I, R, E, K: Ord> fmt::Debug for Stage<I, R, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outside { .. } => "Outside",
            Self::Inside(_) => "Inside",
            Self::Over => "Over",
        })
    }
}
