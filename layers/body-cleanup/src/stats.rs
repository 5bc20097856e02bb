//! What became of the bodies.

use egress_body_end::{BodyEnd, OnBodyEnd};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A handle on the counts of one or several layers; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Stats(Arc<Counters>);

/// How many response bodies there were, and what became of them.
///
/// Each body is counted in exactly one of `live`, `ended`, `cancelled`, `drained`, `idle` and `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Neither over nor disposed of; a drain in the background is one of these.
    ///
    /// What is never dropped stays one of these: a body that was leaked, and on Workers whatever was alive when a
    /// client went away and its invocation was given up, which runs no drop. There, `live` may be too high.
    pub live: u64,
    /// Read to their end; a body that was at its end from the start is one of these.
    pub ended: u64,
    /// Dropped before their end, and their connections with them.
    pub cancelled: u64,
    /// Dropped before their end by their owners, and then drained to it.
    pub drained: u64,
    /// Cancelled because nobody had polled them for too long.
    pub idle: u64,
    /// Ended with an error.
    pub failed: u64,
    /// The bytes that were read by draining, of bodies whose end was not reached too.
    pub drained_bytes: u64,
    /// The error responses whose body was captured; those bodies are counted above as well.
    pub captured: u64,
}

#[derive(Debug, Default)]
struct Counters {
    started: AtomicU64,
    ended: AtomicU64,
    cancelled: AtomicU64,
    drained: AtomicU64,
    idle: AtomicU64,
    failed: AtomicU64,
    drained_bytes: AtomicU64,
    captured: AtomicU64,
}

impl Stats {
    /// Makes counts that stand at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the counts. Those of one moment add up; while bodies end meanwhile, `live` may be too high by
    /// these.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let Counters {
            started,
            ended,
            cancelled,
            drained,
            idle,
            failed,
            drained_bytes,
            captured,
        } = &*self.0;
        let [ended, cancelled, drained, idle, failed] =
            [ended, cancelled, drained, idle, failed].map(read);
        // Read last: every body that is counted above has been started.
        let live = [ended, cancelled, drained, idle, failed]
            .into_iter()
            .fold(read(started), u64::saturating_sub);
        Counts {
            live,
            ended,
            cancelled,
            drained,
            idle,
            failed,
            drained_bytes: read(drained_bytes),
            captured: read(captured),
        }
    }

    pub(crate) fn count_captured(&self) {
        add(&self.0.captured, 1);
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Release);
}

/// One body, until what became of it is counted. The handler of its [`EndGuard`](egress_body_end::EndGuard).
#[derive(Debug)]
pub(crate) struct Live {
    stats: Stats,
    reader: Reader,
}

/// Who has the body.
#[derive(Clone, Copy, Debug)]
enum Reader {
    Owner,
    Drain,
    Nobody,
}

impl Live {
    pub(crate) fn new(stats: Stats) -> Self {
        add(&stats.0.started, 1);
        Self {
            stats,
            reader: Reader::Owner,
        }
    }

    /// Says that the owner has dropped the body and `bytes` more of it were read.
    pub(crate) fn drained(&mut self, bytes: u64) {
        self.reader = Reader::Drain;
        add(&self.stats.0.drained_bytes, bytes);
    }

    /// Says that the body is being cancelled because nobody has read from it.
    pub(crate) const fn abandoned(&mut self) {
        self.reader = Reader::Nobody;
    }
}

impl OnBodyEnd for Live {
    fn on_body_end(self, end: BodyEnd) {
        let counters = &*self.stats.0;
        let counter = match (self.reader, end) {
            (Reader::Owner, BodyEnd::Complete) => &counters.ended,
            (Reader::Owner, BodyEnd::Failed) => &counters.failed,
            (Reader::Drain, BodyEnd::Complete) => &counters.drained,
            (Reader::Nobody, _) => &counters.idle,
            // Whatever error a drain runs into: the owner has dropped the body, and the connection is gone.
            _ => &counters.cancelled,
        };
        add(counter, 1);
    }
}
