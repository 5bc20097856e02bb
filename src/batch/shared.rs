//! The queue behind its lock, and who can add to it.

use super::{BatchStats, queue::Queue};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// The lock is held for a few instructions, and nobody is woken or dropped under it; only keys are compared, cloned and
/// dropped there.
pub(super) struct Shared<K, I, R, E>(Mutex<Queue<K, I, R, E>>);

impl<K, I, R, E> Shared<K, I, R, E> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue<K, I, R, E>> {
        // The code under it that is not ours is that of keys. If one panics that is added, its item is not there, and all
        // others are. One that was taken in is not expected to.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn end(&self) {
        let settled = self.lock().end();
        settled.outside_the_lock();
    }
}

/// The right to add. When the last one is dropped, nothing more can come.
pub(super) struct Handle<K, I, R, E>(Arc<Shared<K, I, R, E>>);

impl<K, I, R, E> Handle<K, I, R, E> {
    pub(super) fn new(queue: Queue<K, I, R, E>) -> Self {
        Self(Arc::new(Shared(Mutex::new(queue))))
    }

    pub(super) fn shared(&self) -> Arc<Shared<K, I, R, E>> {
        Arc::clone(&self.0)
    }

    pub(super) fn stats(&self) -> BatchStats {
        self.0.lock().stats()
    }
}

/// A clone is one more. Written out, because `derive` would ask for items that can be cloned.
impl<K, I, R, E> Clone for Handle<K, I, R, E> {
    fn clone(&self) -> Self {
        self.0.lock().add_handle();
        Self(self.shared())
    }
}

impl<K, I, R, E> Drop for Handle<K, I, R, E> {
    fn drop(&mut self) {
        let runner = self.0.lock().remove_handle();
        wake(runner);
    }
}

pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
