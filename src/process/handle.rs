//! What others see of a process, and how they stop it.

use super::{Progress, progress::Counts};
use egress_time::{Clock, Instant};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// Reads the progress of a [`Process`](super::Process), and stops it.
///
/// Clones are of the same process. Reading takes a short lock.
///
/// ```
/// use std::convert::Infallible;
/// use tower_egress::{TokioTimer, process::{End, Process}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let process = Process::iter(0..1_000_000, TokioTimer::new());
/// let handle = process.handle();
/// let outcome = process
///     .run(|number| {
///         if number == 9 {
///             handle.stop();
///         }
///         async { Ok::<_, Infallible>(()) }
///     })
///     .await;
/// assert!(matches!(outcome.end, End::Stopped));
/// assert_eq!((outcome.done, outcome.left), (10, Some(999_990)));
/// assert!(handle.progress().is_over);
/// # }
/// ```
pub struct ProcessHandle<T> {
    shared: Arc<Shared>,
    timer: T,
}

/// What the process and its handles share.
#[derive(Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Default)]
pub(super) struct State {
    pub(super) counts: Counts,
    began: Option<Instant>,
    ended: Option<Instant>,
    is_over: bool,
    pub(super) is_stopped: bool,
    driver: Option<Waker>,
}

impl Shared {
    /// Nobody is woken and nothing dropped under the lock.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // There is no code under it that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, now: Instant) {
        self.lock().began = Some(now);
    }

    pub(super) fn end(&self, now: Instant) {
        let mut state = self.lock();
        state.ended = Some(now);
        let waker = state.driver.take();
        drop(state);
        drop(waker);
    }

    /// Has it called when the process is stopped.
    pub(super) fn watch(&self, waker: &Waker) {
        let state = self.lock();
        let is_known = state
            .driver
            .as_ref()
            .is_some_and(|driver| driver.will_wake(waker));
        drop(state);
        if !is_known {
            let waker = waker.clone();
            let old = self.lock().driver.replace(waker);
            drop(old);
        }
    }
}

/// What a process has, run or not: when it is dropped, it is over.
#[derive(Default)]
pub(super) struct Owner(Arc<Shared>);

impl Owner {
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
    }
}

impl<T> ProcessHandle<T> {
    pub(super) const fn new(shared: Arc<Shared>, timer: T) -> Self {
        Self { shared, timer }
    }

    /// Begins nothing more. What has begun is finished, and the [`Outcome`](super::Outcome) says what is left.
    pub fn stop(&self) {
        let mut state = self.shared.lock();
        state.is_stopped = true;
        let waker = state.driver.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Clock> ProcessHandle<T> {
    /// Returns how far it has come.
    pub fn progress(&self) -> Progress {
        let state = self.shared.lock();
        let (counts, is_over) = (state.counts, state.is_over);
        let (began, ended) = (state.began, state.ended);
        drop(state);
        let elapsed = began.map(|began| ended.unwrap_or_else(|| self.timer.now()) - began);
        counts.progress(elapsed.unwrap_or_default(), is_over)
    }
}

/// A clone is another handle to the same process.
impl<T: Clone> Clone for ProcessHandle<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared), self.timer.clone())
    }
}

impl<T> fmt::Debug for ProcessHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("ProcessHandle")
            .field("counts", &state.counts)
            .field("is_stopped", &state.is_stopped)
            .field("is_over", &state.is_over)
            .finish_non_exhaustive()
    }
}
