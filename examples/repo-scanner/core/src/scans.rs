//! Whoever works on scans: one scan at a time.

use crate::{
    BeginError, Ended, Job, JobError, Outcome, RepoName, Running, ScanState, ScanStatus, Slice,
    Store, StoreError, Summary,
};
use futures_util::{future::select, task::AtomicWaker};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};
use tower_egress::{FetchExt, Instant, Timer, sql::Database};

/// The scans of one process, or one Durable Object. Clones are handles on the same.
///
/// It spawns nothing: [`work`](Self::work) is called by a shell, again and again.
#[derive(Clone, Debug)]
pub struct Scans<C, D, T> {
    job: Job<C, D, T>,
    store: Store<D, T>,
    timer: T,
    live: Arc<Live>,
}

#[derive(Debug, Default)]
struct Live {
    working: Mutex<Option<Work>>,
    /// Of whoever works, to be told to end.
    worker: AtomicWaker,
    /// How many have begun to work.
    workers: AtomicU64,
}

/// What is worked on.
#[derive(Clone, Copy, Debug)]
struct Work {
    /// Whose it is.
    number: u64,
    scan: i64,
    /// When it began, or something of it was stored last.
    since: Instant,
    told_to_end: bool,
}

/// What became of a wish to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// A scan of this number has begun.
    New(i64),
    /// One with the same list is running already.
    Joined(i64),
}

impl<C: FetchExt, D: Database, T: Timer> Scans<C, D, T> {
    /// Makes it.
    pub fn new(job: Job<C, D, T>, store: Store<D, T>, timer: T) -> Self {
        Self {
            job,
            store,
            timer,
            live: Arc::default(),
        }
    }

    /// Returns the same scans on another handle of the same database. What is worked on is stored through the first.
    #[must_use]
    pub fn on(&self, store: Store<D, T>) -> Self
    where
        C: Clone,
        D: Clone,
        T: Clone,
    {
        Self {
            store,
            ..self.clone()
        }
    }

    /// Begins a scan of this list, which is called `key`; or goes on with the one that has begun, if that has the same list.
    ///
    /// # Errors
    ///
    /// [`StoreError::ScanIsRunning`] if a scan of another list has begun and is not done.
    pub async fn begin<E>(
        &self,
        key: &str,
        list: impl IntoIterator<Item = Result<RepoName, E>>,
    ) -> Result<Begun, BeginError<E>> {
        let joined = |running: Running| match running.list == key {
            true => Ok(Begun::Joined(running.id)),
            false => Err(BeginError::Store(StoreError::ScanIsRunning)),
        };
        if let Some(running) = self.store.running_scan().await? {
            return joined(running);
        }
        match self.store.begin_scan(key, list).await {
            // Somebody was quicker.
            Err(BeginError::Store(StoreError::ScanIsRunning)) => {
                match self.store.begun_scan().await? {
                    Some(begun) => joined(begun),
                    None => Err(BeginError::Store(StoreError::ScanIsRunning)),
                }
            }
            begun => begun.map(Begun::New),
        }
    }

    /// Works on the scan that has begun, if there is one and nobody does.
    ///
    /// # Errors
    ///
    /// Those of the database. What was stored is stored, and the scan can go on.
    ///
    /// # Cancel safety
    ///
    /// As [`Job::work`].
    pub async fn work(
        &self,
        slice: Slice,
        progress: impl Fn(&Outcome),
        stop: impl Future<Output = ()>,
    ) -> Result<Option<(Summary, Ended)>, JobError> {
        let Some(running) = self.store.running_scan().await? else {
            return Ok(None);
        };
        let Some(_working) = Working::begin(&self.live, running.id, self.timer.now()) else {
            return Ok(None);
        };
        let told = poll_fn(|cx| {
            self.live.worker.register(cx.waker());
            match self.live.is_told_to_end() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        let stop = async {
            select(pin!(stop), pin!(told)).await;
        };
        let progress = |outcome: &Outcome| {
            self.live.note(self.timer.now());
            progress(outcome);
        };
        let (summary, ended) = self.job.work(running.id, slice, progress, stop).await;
        Ok(Some((summary, ended?)))
    }

    /// Takes whoever works for gone: where a platform forgets what it has ended instead of dropping it, nobody would ever work
    /// again. For whoever knows that it alone works.
    pub fn forget_worker(&self) {
        *self.live.working() = None;
    }

    /// Ends the scan that has begun: what was fetched is stored, the rest is not fetched.
    ///
    /// Whoever works on it hears of it, and stores what was fetched a moment later.
    ///
    /// # Errors
    ///
    /// Those of the database. Then it has not ended.
    pub async fn end(&self) -> Result<(), StoreError> {
        let Some(running) = self.store.running_scan().await? else {
            return self.store.end_listing().await;
        };
        // Written down first: the worker may be killed, or its database busy, and the end was promised.
        let state = ScanState::Interrupted;
        let noted = self
            .store
            .note_scan(running.id, Duration::ZERO, state, None);
        noted.await?;
        self.live.tell_to_end(running.id);
        Ok(())
    }

    /// Returns what has come of the last scan.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn status(&self) -> Result<ScanStatus, StoreError> {
        let status = self.store.scan_status().await?;
        let working = *self.live.working();
        Ok(match working {
            Some(work) if status.id == Some(work.scan) => {
                status.with_worked(self.timer.now() - work.since)
            }
            _ => status.with_nobody_working(),
        })
    }

    /// Returns the store.
    pub const fn store(&self) -> &Store<D, T> {
        &self.store
    }
}

impl Live {
    fn working(&self) -> MutexGuard<'_, Option<Work>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_told_to_end(&self) -> bool {
        self.working().is_some_and(|work| work.told_to_end)
    }

    /// Something was stored, and with it how long was worked.
    fn note(&self, now: Instant) {
        if let Some(work) = self.working().as_mut() {
            work.since = now;
        }
    }

    /// Tells whoever works on this scan.
    fn tell_to_end(&self, scan: i64) {
        let mut working = self.working();
        if let Some(work) = working.as_mut().filter(|work| work.scan == scan) {
            work.told_to_end = true;
            drop(working);
            self.worker.wake();
        }
    }
}

/// Says that somebody works, until it is dropped.
struct Working<'a>(&'a Live, u64);

impl<'a> Working<'a> {
    fn begin(live: &'a Live, scan: i64, since: Instant) -> Option<Self> {
        let mut working = live.working();
        if working.is_some() {
            return None;
        }
        let number = live.workers.fetch_add(1, Relaxed);
        *working = Some(Work {
            number,
            scan,
            since,
            told_to_end: false,
        });
        Some(Self(live, number))
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let Self(live, number) = *self;
        // It may have been forgotten, and another works.
        live.working().take_if(|work| work.number == number);
    }
}
