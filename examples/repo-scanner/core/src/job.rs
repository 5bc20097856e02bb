//! Working on a scan that has begun, until it is done, or for a while.

use crate::{Budget, Outcome, ScanState, Scanner, Stopped, Store, StoreError, Summary, Target};
use futures_util::{
    Stream,
    future::{Either, join, select},
    stream,
};
use std::{
    collections::VecDeque,
    future::{Future, pending, poll_fn},
    num::NonZeroUsize,
    pin::pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};
use tower_egress::{
    FetchExt, SleepUntil, Timer,
    batch::{BatchBuilder, BatchError, Batches},
    sql::Database,
};

/// How many targets are read at a time, unless streaming is switched off.
const PAGE: u32 = 256;
/// How many statements it takes to store a batch of outcomes, and to note how it went.
const TO_STORE: u64 = 8;
const TO_NOTE: u64 = 4;
/// The key of outcomes that are stored together; no place on a list is that far.
const TOGETHER: u64 = u64::MAX;
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
    /// It was told to end, and the scan can go on; or somebody else has ended the scan.
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
    budget: Option<Budget>,
}

/// How a slice is going.
#[derive(Debug, Default)]
struct Going {
    /// All that was to do was read.
    is_all_read: AtomicBool,
    /// Its time is over, or its budget spent.
    is_over: AtomicBool,
    /// Its budget is nearly spent: nothing more is taken up.
    is_short: AtomicBool,
    /// Nothing more comes that could be stored.
    is_at_last: AtomicBool,
    /// How many were taken up and are not stored.
    not_stored: AtomicU64,
}

impl Going {
    fn stored(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.not_stored.fetch_sub(count, Relaxed);
    }
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
            budget: None,
        }
    }

    /// Ends a slice when this is nearly spent: no more is taken up than there are fetches left, and nothing when there are
    /// too few statements to store what was fetched. Should the fetches not be enough, as there were retries, what is under
    /// way is given up, and fetched in the next slice.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
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
        let going = &Going::default();
        let building = BatchBuilder::new()
            .max_items(self.batch)
            .max_wait(match self.budget {
                None => self.batch_wait,
                // That is `store_now_and_then`'s.
                Some(_) => Duration::MAX,
            });
        // One at a time, whatever the key: `TOGETHER`, or the place of an outcome that is stored by itself.
        let (batches, run) = building.build_keyed(
            self.timer.clone(),
            |_: &u64, outcomes: Vec<Outcome>| async move {
                let before = until();
                let worked = self.timer.now() - before;
                // It is noted in milliseconds; what is left of one is noted the next time.
                let worked =
                    worked - Duration::from_nanos(u64::from(worked.subsec_nanos() % 1_000_000));
                store.save_after(scan, worked, &outcomes).await?;
                *noted.lock().unwrap_or_else(PoisonError::into_inner) = before + worked;
                going.stored(outcomes.len());
                Ok(outcomes.into_iter().map(Ok).collect())
            },
        );
        let stop = async {
            let time = async {
                match slice.time {
                    Some(time) => SleepUntil::new(self.timer.clone(), started + time).await,
                    None => pending().await,
                }
            };
            let spent = async {
                match &self.budget {
                    Some(budget) => budget.spent().await,
                    None => pending().await,
                }
            };
            let over = async {
                select(pin!(time), pin!(spent)).await;
                going.is_over.store(true, Relaxed);
            };
            select(pin!(stop), pin!(over)).await;
        };
        let working = async {
            // The last handle: when it is dropped, and all is stored, `run` ends.
            let batches = batches;
            let keep = async |outcome: Outcome| {
                let Target { name, place, .. } = outcome.target();
                let batching = store.switches().batching(name);
                let alone = match batching.is_on {
                    true => TOGETHER,
                    false => u64::try_from(*place).unwrap_or(TOGETHER),
                };
                let began = self.timer.now();
                let kept = batches.add(alone, outcome).await;
                batching.record(kept.is_ok(), self.timer.now() - began);
                let outcome = kept?;
                progress(&outcome);
                Ok(())
            };
            let targets = self.targets(scan, slice.repositories, going);
            let last = || going.is_at_last.store(true, Relaxed);
            let scan = self.scanner.scan_to_last(targets, keep, stop, last);
            // `scan` is polled first, so that this sees what it says, and all is added by then.
            let flush = self.store_now_and_then(&batches, going);
            join(scan, flush).await.0
        };
        let ((summary, ended), ()) = join(working, run).await;
        let ended = match ended {
            Ok(()) if going.is_all_read.load(Relaxed) => Ok(Ended::Finished),
            Ok(()) => Ok(Ended::SliceOver),
            Err(Stopped::Interrupted) if going.is_over.load(Relaxed) => Ok(Ended::SliceOver),
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
        // Of two errors the first. Who could note nothing has worked on a scan that somebody else has ended.
        let ended = ended.and_then(|ended| match noted? {
            true => Ok(ended),
            false => Ok(Ended::Interrupted),
        });
        (summary, ended)
    }

    /// Has what has come stored when nothing more comes; and with a budget every now and then, as long as there is enough of it.
    async fn store_now_and_then(
        &self,
        batches: &Batches<u64, Outcome, Outcome, StoreError>,
        going: &Going,
    ) {
        let mut last = pin!(poll_fn(|_| match going.is_at_last.load(Relaxed) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }));
        loop {
            let now_and_then = async {
                match &self.budget {
                    Some(_) if !going.is_short.load(Relaxed) => {
                        let again = self.timer.now() + self.batch_wait;
                        SleepUntil::new(self.timer.clone(), again).await;
                    }
                    _ => pending().await,
                }
            };
            let is_last = match select(&mut last, pin!(now_and_then)).await {
                Either::Left(_) => true,
                // What little is left is for the end.
                Either::Right(_) if going.is_short.load(Relaxed) => continue,
                Either::Right(_) => false,
            };
            // Whether it was stored, each is told.
            let _ = batches.flush().await;
            if is_last {
                return;
            }
        }
    }

    /// Tells whether too little is left to take up one more, when so many are not stored yet.
    fn is_short(&self, not_stored: u64) -> bool {
        let Some(left) = self.budget.as_ref().map(Budget::left) else {
            return false;
        };
        let at_once = u32::try_from(self.scanner.at_once()).unwrap_or(u32::MAX);
        let batch = match self.store.switches().batches_all() {
            true => u64::try_from(self.batch.get()).unwrap_or(u64::MAX),
            false => 1,
        };
        // One is being stored, and the last is not full.
        let batches = not_stored / batch + 2;
        left.fetches <= at_once || u64::from(left.statements) < TO_STORE * batches + TO_NOTE
    }

    /// Reads what is to do, a page at a time or whole, and no more than `at_most` or the budget allows.
    fn targets(
        &self,
        scan: i64,
        at_most: Option<u64>,
        going: &Going,
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
            if self.is_short(going.not_stored.load(Relaxed)) {
                going.is_short.store(true, Relaxed);
                return Ok(None);
            }
            if reading.page.is_empty() {
                let at_most = match self.store.switches().streaming_of(scan) {
                    true => PAGE,
                    false => u32::MAX,
                };
                let page = self.store.targets(scan, reading.behind, at_most).await?;
                reading.page.extend(page);
            }
            if reading.page.is_empty() {
                going.is_all_read.store(true, Relaxed);
                return Ok(None);
            }
            if reading.left == 0 {
                return Ok(None);
            }
            reading.left -= 1;
            let target = reading.page.pop_front();
            if let Some(target) = &target {
                going.not_stored.fetch_add(1, Relaxed);
                reading.behind = target.place;
            }
            Ok(target.map(|target| (target, reading)))
        })
    }
}
