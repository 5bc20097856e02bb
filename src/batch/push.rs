//! The wait for room.

use super::{BatchError, add::Stage, queue, shared::Handle};
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// Waits until there is room for an item; made by [`Batch::push`](super::Batch::push).
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
