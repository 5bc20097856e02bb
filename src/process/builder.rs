//! How a process is made.

use super::{Chunks, ProcessHandle, handle::Owner, producer::Pace};
use egress_concurrency_limit::Limiter;
use egress_time::Timer;
use egress_token_bucket::Bucket;
use futures_core::Stream;
use futures_util::stream;
use std::{fmt, num::NonZeroUsize, time::Duration};

/// Work on each item of a stream; see the [module](super).
///
/// [`run`](Self::run), [`collect`](Self::collect) or [`for_each`](Self::for_each) has it done.
///
/// ```
/// use std::num::NonZeroUsize;
/// use tower_egress::{Limiter, TokioTimer, process::Process};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let six = NonZeroUsize::new(6).unwrap();
/// let limiter = Limiter::new(six, TokioTimer::new());
/// let repos = futures_util::stream::iter(["a/b", "c/d", "e"]);
/// let (owners, outcome) = Process::new(repos, TokioTimer::new())
///     .concurrency(six)
///     .connection_limit(limiter)
///     .keep_errors(10)
///     .collect(async |repo: &str| repo.split_once('/').map(|(owner, _)| owner).ok_or("no owner"))
///     .await;
/// assert_eq!(owners, ["a", "c"]);
/// assert_eq!((outcome.done, outcome.failed, outcome.errors[0].index), (2, 1, 2));
/// # }
/// ```
///
/// # Defaults
///
/// - [`concurrency`](Self::concurrency): 1
/// - order of the results: that of the items
/// - errors: collected, and the first 100 of them [kept](Self::keep_errors)
/// - pauses: none
/// - rate and connection limit: none
#[must_use = "nothing is done until it is run"]
pub struct Process<S: Stream, T> {
    pub(super) stream: S,
    pub(super) items_of: fn(&S::Item) -> u64,
    pub(super) timer: T,
    pub(super) owner: Owner,
    pub(super) pace: Pace,
    pub(super) in_order: bool,
    pub(super) keep_errors: usize,
    pub(super) bucket: Option<Bucket>,
    pub(super) limiter: Option<Limiter<T>>,
}

impl<T: Timer> Process<stream::Empty<()>, T> {
    /// Takes the items of anything that can be iterated.
    pub fn iter<I: IntoIterator>(
        items: I,
        timer: T,
    ) -> Process<impl Stream<Item = I::Item> + use<I, T>, T> {
        // An iterator may begin anew after its end.
        Process::new(stream::iter(items.into_iter().fuse()), timer)
    }
}

impl<S: Stream, T: Timer> Process<S, T> {
    /// Takes the items of a stream. If the stream knows how many there are, that is the [total](Self::total).
    pub fn new(stream: S, timer: T) -> Self {
        let total = match stream.size_hint() {
            (low, Some(high)) if low == high => u64::try_from(low).ok(),
            _ => None,
        };
        let owner = Owner::default();
        owner.shared().lock().counts.total = total;
        Self {
            stream,
            items_of: |_| 1,
            timer,
            owner,
            pace: Pace {
                concurrency: NonZeroUsize::MIN,
                pause_every: None,
                pause_after: None,
                stop_at_first_error: false,
            },
            in_order: true,
            keep_errors: 100,
            bucket: None,
            limiter: None,
        }
    }

    /// Hands over so many items at once, the last ones excepted.
    ///
    /// Options that count items then count chunks; what is reported is still in items. A chunk fails as a whole.
    pub fn chunks(self, size: NonZeroUsize) -> Process<Chunks<S>, T> {
        Process {
            stream: Chunks::new(self.stream, size),
            items_of: |chunk| u64::try_from(chunk.len()).unwrap_or(u64::MAX),
            timer: self.timer,
            owner: self.owner,
            pace: self.pace,
            in_order: self.in_order,
            keep_errors: self.keep_errors,
            bucket: self.bucket,
            limiter: self.limiter,
        }
    }

    /// Works on so many items at once.
    pub const fn concurrency(mut self, concurrency: NonZeroUsize) -> Self {
        self.pace.concurrency = concurrency;
        self
    }

    /// Has results consumed as they come, and not in the order of the items.
    ///
    /// In order, the others go on beside a slow item until twice the [`concurrency`](Self::concurrency) has begun; then they wait
    /// for it.
    pub const fn as_they_come(mut self) -> Self {
        self.in_order = false;
        self
    }

    /// Begins nothing more after an error. What has begun is finished, and its results are consumed.
    pub const fn stop_at_first_error(mut self) -> Self {
        self.pace.stop_at_first_error = true;
        self
    }

    /// Keeps so many errors; further ones are counted only.
    pub const fn keep_errors(mut self, keep_errors: usize) -> Self {
        self.keep_errors = keep_errors;
        self
    }

    /// Says how many items there are, for the progress.
    pub fn total(self, total: u64) -> Self {
        self.owner.shared().lock().counts.total = Some(total);
        self
    }

    /// Pauses after each so many items, so that other things happen between.
    ///
    /// The pause is the shortest sleep that the timer has: 1 ms. It is no mere yield to the executor. A task that wakes itself
    /// is polled again from the same queue, in Workers from the same microtask, and neither the timers nor the responses of
    /// the invocation get their turn; after a timer they do.
    pub const fn pause_every(mut self, items: NonZeroUsize) -> Self {
        self.pace.pause_every = Some(items);
        self
    }

    /// Pauses when so much time has passed since the last pause; see [`pause_every`](Self::pause_every).
    ///
    /// The clock of a Worker stands still while it computes: there, count items.
    pub const fn pause_after(mut self, busy: Duration) -> Self {
        self.pace.pause_after = Some(busy);
        self
    }

    /// Has each item (or chunk) wait for a slot of the bucket.
    ///
    /// One item waits at a time. A bucket that refuses, because the wait would be too long for it, is asked again when it said.
    ///
    /// Work that goes through a stack with that bucket pays there already.
    pub fn rate_limit(mut self, bucket: Bucket) -> Self {
        self.bucket = Some(bucket);
        self
    }

    /// Has each item (or chunk) hold a permit of the limiter while it is worked on, not while its result waits.
    ///
    /// If there is no permit within the limiter's own [bounds](egress_concurrency_limit::Config), it is asked again when work under
    /// way has given one back. If there is no such work, others hold them all, of whom the consumer may be one: nothing is begun any more, and the outcome [says
    /// so](super::End::NoPermit).
    ///
    /// Work that goes through a stack with that limiter takes its permits there already, and would wait for itself here.
    pub fn connection_limit(mut self, limiter: Limiter<T>) -> Self {
        self.limiter = Some(limiter);
        self
    }

    /// Returns what reads the progress, and stops it.
    pub fn handle(&self) -> ProcessHandle<T> {
        ProcessHandle::new(self.owner.shared(), self.timer.clone())
    }
}

impl<S: Stream, T> fmt::Debug for Process<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("pace", &self.pace)
            .field("in_order", &self.in_order)
            .field("keep_errors", &self.keep_errors)
            .field("bucket", &self.bucket)
            .field("limiter", &self.limiter)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egress_time::ManualTimer;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let process = Process::iter(0..3, ManualTimer::new());
        assert_eq!(process.pace.concurrency.get(), 1);
        assert!(process.in_order);
        assert!(!process.pace.stop_at_first_error);
        assert_eq!(process.keep_errors, 100);
        assert_eq!(process.pace.pause_every, None);
        assert_eq!(process.pace.pause_after, None);
        assert!(process.bucket.is_none() && process.limiter.is_none());
        assert_eq!(process.handle().progress().total, Some(3));
    }
}
