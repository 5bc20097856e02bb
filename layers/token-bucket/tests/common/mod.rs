//! Many callers in virtual time.
#![allow(dead_code, reason = "each test file uses a part")]

use egress_time::{Clock, Instant, ManualSleep, ManualTimer, Timer};
use egress_token_bucket::{Bucket, BucketStatus, Quota};
use std::{cell::Cell, future::Future, rc::Rc, time::Duration};
use tokio_test::task::{Spawn, spawn};

pub(crate) const MILLI: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn quota(limit: u32, period: Duration, burst: u32, spacing: Duration) -> Quota {
    Quota::new(limit, period)
        .and_then(|quota| quota.with_burst(burst))
        .and_then(|quota| quota.with_spacing(spacing))
        .expect("it makes sense")
}

/// One a second, no burst.
pub(crate) fn one_a_second() -> Quota {
    quota(60, MINUTE, 1, Duration::ZERO)
}

/// Looks at a bucket, whose figures must add up at any moment.
pub(crate) fn status(bucket: &Bucket, timer: &ManualTimer) -> BucketStatus {
    let status = bucket.status(timer.now());
    let totals = status.totals;
    assert_eq!(
        totals.accepted,
        totals.departed
            + totals.cancelled
            + totals.revoked
            + totals.overdue
            + u64::try_from(status.queued).expect("a number"),
        "{status:?}"
    );
    status
}

/// A timer that counts the time that is left, as `setTimeout` does, and a clock that somebody sets back.
#[derive(Clone)]
pub(crate) struct SetBack {
    pub(crate) time: ManualTimer,
    by: Rc<Cell<Duration>>,
}

impl SetBack {
    pub(crate) fn new(time: &ManualTimer) -> Self {
        let (time, by) = (time.clone(), Rc::default());
        Self { time, by }
    }

    pub(crate) fn set_back(&self, by: Duration) {
        self.by.set(self.by.get() + by);
    }
}

impl Clock for SetBack {
    fn now(&self) -> Instant {
        self.time.now() - self.by.get()
    }

    fn unix_time(&self) -> Duration {
        self.time.unix_time() - self.by.get()
    }
}

impl Timer for SetBack {
    type Sleep = ManualSleep;

    fn sleep_until(&self, deadline: Instant) -> ManualSleep {
        self.time
            .sleep_until(self.time.now() + (deadline - self.now()))
    }
}

/// Futures that are polled when they were woken, as an executor does.
pub(crate) struct Crowd<F: Future> {
    pub(crate) tasks: Vec<Option<Spawn<F>>>,
    pub(crate) polls: usize,
    started: bool,
}

impl<F: Future> Crowd<F> {
    pub(crate) fn new(futures: impl IntoIterator<Item = F>) -> Self {
        Self {
            tasks: futures
                .into_iter()
                .map(|future| Some(spawn(future)))
                .collect(),
            polls: 0,
            started: false,
        }
    }

    /// Polls whoever was woken until nobody is; returns who ended, and with what.
    pub(crate) fn settle(&mut self) -> Vec<(usize, F::Output)> {
        let mut ended = Vec::new();
        loop {
            let mut quiet = true;
            for (place, slot) in self.tasks.iter_mut().enumerate() {
                let Some(task) = slot else { continue };
                if self.started && !task.is_woken() {
                    continue;
                }
                quiet = false;
                self.polls += 1;
                if let std::task::Poll::Ready(output) = task.poll() {
                    ended.push((place, output));
                    *slot = None;
                }
            }
            self.started = true;
            if quiet {
                return ended;
            }
        }
    }

    /// Runs until all have ended or the clock would pass `until`; returns who ended when.
    pub(crate) fn run(
        &mut self,
        timer: &ManualTimer,
        until: Instant,
    ) -> Vec<(usize, Instant, F::Output)> {
        let mut ended = Vec::new();
        loop {
            let now = timer.now();
            let settled = self.settle().into_iter();
            ended.extend(settled.map(|(place, output)| (place, now, output)));
            if timer.next_deadline().is_none_or(|next| next > until) {
                return ended;
            }
            timer.advance_to_next();
        }
    }

    /// Takes a future away as a caller who loses interest does.
    pub(crate) fn drop_one(&mut self, place: usize) {
        self.tasks[place] = None;
    }
}
