//! Working on a scan that has begun, until it is done, or for a while.

use crate::{Outcome, ScanState, Scanner, Stopped, Store, StoreError, Summary, Target};
use futures_util::{
    Stream,
    future::{join, select},
    stream,
};
use std::{
    collections::VecDeque,
    future::{Future, pending},
    num::NonZeroUsize,
    pin::pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tower_egress::{
    FetchExt, SleepUntil, Timer,
    batch::{BatchBuilder, BatchError},
    sql::Database,
};

/// How many targets are read at a time, unless streaming is switched off.
const PAGE: u32 = 256;
/// How many outcomes are stored at a time.
const BATCH: NonZeroUsize = NonZeroUsize::new(128).expect("128 is not zero");

/// How much of a scan is done at a time.
///
/// # Defaults
///
/// - all of it
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Slice {
    /// How many repositories at most.
    pub repositories: Option<u64>,
    /// For how long at most; what is under way then is given up, and fetched in the next slice.
    pub time: Option<Duration>,
}

/// How a slice of a scan ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The scan is done.
    Finished,
    /// The slice is over, and there is more to do.
    SliceOver,
    /// It was told to end. The scan can go on.
    Interrupted,
    /// The server is gone, and why that is thought. The scan can go on when it is back.
    ServerGone(String),
}

/// What came of a slice could not be stored, or what was to do not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The database says so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A batch of outcomes was not stored.
    #[error("{}", inner(.0))]
    Save(BatchError<StoreError>),
}

fn inner(error: &BatchError<StoreError>) -> String {
    match error {
        BatchError::Handler(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// Works on scans: fetches what is on a scan's list, and stores what comes of it.
///
/// # Defaults
///
/// - up to 128 outcomes are stored at a time, and the first of them waits 50 ms for the others; those for which batching is switched off are
///   stored each by itself
#[derive(Clone, Debug)]
pub struct Job<C, D, T> {
    scanner: Scanner<C, T>,
    store: Store<D, T>,
    timer: T,
    batch: NonZeroUsize,
    batch_wait: Duration,
}

impl<C: FetchExt, D: Database, T: Timer> Job<C, D, T> {
    /// Makes one.
    pub const fn new(scanner: Scanner<C, T>, store: Store<D, T>, timer: T) -> Self {
        Self {
            scanner,
            store,
            timer,
            batch: BATCH,
            batch_wait: Duration::from_millis(50),
        }
    }

    /// Stores at most so many outcomes at a time; with one each is stored by itself.
    #[must_use]
    pub const fn with_batch(mut self, outcomes: NonZeroUsize) -> Self {
        self.batch = outcomes;
        self
    }

    /// Sets how long the first outcome of a batch waits for the others. With zero it waits for nothing, and a batch is
    /// whatever has come while the one before it was written: where a database is near.
    #[must_use]
    pub const fn with_batch_wait(mut self, wait: Duration) -> Self {
        self.batch_wait = wait;
        self
    }

    /// Works on a scan. What was stored of it is not fetched again, whoever worked on it before.
    ///
    /// `progress` is called with each outcome that is stored. The summary is of this slice.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the requests under way. What was stored is stored; the rest is still to do.
    pub async fn work(
        &self,
        scan: i64,
        slice: Slice,
        progress: impl Fn(&Outcome),
        stop: impl Future<Output = ()>,
    ) -> (Summary, Result<Ended, JobError>) {
        let started = self.timer.now();
        let store = &self.store;
        // Until when what was worked is noted.
        let noted = &Mutex::new(started);
        let until = || *noted.lock().unwrap_or_else(PoisonError::into_inner);
        let building = BatchBuilder::new()
            .max_items(self.batch)
            .max_wait(self.batch_wait);
        // One at a time, whatever the key: nothing, or the place of an outcome that is stored by itself.
        let (batches, run) = building.build_keyed(
            self.timer.clone(),
            |_: &Option<i64>, outcomes: Vec<Outcome>| async move {
                let before = until();
                let worked = self.timer.now() - before;
                // It is noted in milliseconds; what is left of one is noted the next time.
                let worked =
                    worked - Duration::from_nanos(u64::from(worked.subsec_nanos() % 1_000_000));
                store.save_after(scan, worked, &outcomes).await?;
                *noted.lock().unwrap_or_else(PoisonError::into_inner) = before + worked;
                Ok(outcomes.into_iter().map(Ok).collect())
            },
        );
        let (all_read, time_over) = (AtomicBool::new(false), AtomicBool::new(false));
        let stop = async {
            let time = async {
                match slice.time {
                    Some(time) => SleepUntil::new(self.timer.clone(), started + time).await,
                    None => pending().await,
                }
                time_over.store(true, Relaxed);
            };
            select(pin!(stop), pin!(time)).await;
        };
        let working = async {
            // The last handle: when it is dropped, and all is stored, `run` ends.
            let batches = batches;
            let keep = async |outcome: Outcome| {
                let Target { name, place, .. } = outcome.target();
                let batching = store.switches().batching(name);
                let alone = (!batching.is_on).then_some(*place);
                let began = self.timer.now();
                let kept = batches.add(alone, outcome).await;
                batching.record(kept.is_ok(), self.timer.now() - began);
                let outcome = kept?;
                progress(&outcome);
                Ok(())
            };
            let targets = self.targets(scan, slice.repositories, &all_read);
            self.scanner.scan(targets, keep, stop).await
        };
        let ((summary, ended), ()) = join(working, run).await;
        let ended = match ended {
            Ok(()) if all_read.load(Relaxed) => Ok(Ended::Finished),
            Ok(()) => Ok(Ended::SliceOver),
            Err(Stopped::Interrupted) if time_over.load(Relaxed) => Ok(Ended::SliceOver),
            Err(Stopped::Interrupted) => Ok(Ended::Interrupted),
            Err(gone @ Stopped::ServerGone { .. }) => Ok(Ended::ServerGone(gone.to_string())),
            Err(Stopped::List(error)) => Err(error.into()),
            Err(Stopped::Keep(error)) => Err(JobError::Save(error)),
        };
        let worked = self.timer.now() - until();
        let (state, why) = match &ended {
            Ok(Ended::Finished) => (ScanState::Finished, None),
            Ok(Ended::ServerGone(why)) => (ScanState::Running, Some(why.as_str())),
            Ok(_) => (ScanState::Running, None),
            Err(_) => (ScanState::Running, Some("the database failed")),
        };
        let noted = store.note_scan(scan, worked, state, why).await;
        // Of two errors the first.
        let ended = ended.and_then(|ended| noted.map(|()| ended).map_err(Into::into));
        (summary, ended)
    }

    /// Reads what is to do, a page at a time or whole, and no more than `at_most`; notes when that was all.
    fn targets(
        &self,
        scan: i64,
        at_most: Option<u64>,
        all_read: &AtomicBool,
    ) -> impl Stream<Item = Result<Target, StoreError>> {
        struct Reading {
            page: VecDeque<Target>,
            behind: i64,
            left: u64,
        }
        let reading = Reading {
            page: VecDeque::new(),
            behind: i64::MIN,
            left: at_most.unwrap_or(u64::MAX),
        };
        stream::try_unfold(reading, move |mut reading| async move {
            if reading.page.is_empty() {
                let at_most = match self.store.switches().streaming_of(scan) {
                    true => PAGE,
                    false => u32::MAX,
                };
                let page = self.store.targets(scan, reading.behind, at_most).await?;
                reading.page.extend(page);
            }
            if reading.page.is_empty() {
                all_read.store(true, Relaxed);
                return Ok(None);
            }
            if reading.left == 0 {
                return Ok(None);
            }
            reading.left -= 1;
            let target = reading.page.pop_front();
            if let Some(target) = &target {
                reading.behind = target.place;
            }
            Ok(target.map(|target| (target, reading)))
        })
    }
}
