//! Whoever works on scans: one scan at a time.

use crate::{
    BeginError, Ended, Job, JobError, Outcome, RepoName, ScanState, ScanStatus, Slice, Store,
    StoreError, Summary,
};
use futures_util::{future::select, task::AtomicWaker};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
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
    /// Which scan is worked on, and since when.
    working: Mutex<Option<(i64, Instant)>>,
    stop: AtomicBool,
    stopped: AtomicWaker,
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
        match self.store.running_scan().await? {
            Some(running) if running.list == key => Ok(Begun::Joined(running.id)),
            Some(_) => Err(BeginError::Store(StoreError::ScanIsRunning)),
            None => self.store.begin_scan(key, list).await.map(Begun::New),
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
            self.live.stopped.register(cx.waker());
            match self.live.stop.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        let stop = async {
            select(pin!(stop), pin!(told)).await;
        };
        let (summary, ended) = self.job.work(running.id, slice, progress, stop).await;
        let ended = ended?;
        if ended == Ended::Interrupted && self.live.stop.load(Ordering::Acquire) {
            let state = ScanState::Interrupted;
            let noted = self
                .store
                .note_scan(running.id, Duration::ZERO, state, None);
            noted.await?;
        }
        Ok(Some((summary, ended)))
    }

    /// Ends the scan that has begun: what was fetched is stored, the rest is not fetched.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn end(&self) -> Result<(), StoreError> {
        if self.live.working().is_some() {
            self.live.stop.store(true, Ordering::Release);
            self.live.stopped.wake();
            return Ok(());
        }
        if let Some(running) = self.store.running_scan().await? {
            let state = ScanState::Interrupted;
            let noted = self
                .store
                .note_scan(running.id, Duration::ZERO, state, None);
            noted.await?;
        }
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
            Some((scan, since)) if status.id == Some(scan) => {
                status.with_worked(self.timer.now() - since)
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
    fn working(&self) -> MutexGuard<'_, Option<(i64, Instant)>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that somebody works, until it is dropped.
struct Working<'a>(&'a Live);

impl<'a> Working<'a> {
    fn begin(live: &'a Live, scan: i64, now: Instant) -> Option<Self> {
        let mut working = live.working();
        if working.is_some() {
            return None;
        }
        *working = Some((scan, now));
        live.stop.store(false, Ordering::Release);
        Some(Self(live))
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        *self.0.working() = None;
    }
}
