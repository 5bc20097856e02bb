//! The numbers of one label, which only grow.

use crate::{Histogram, Outcome, Phase, Summary, sample::Sample};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Everything that is counted of the requests with one label.
///
/// Each number is exact by itself; two of them may differ by the requests that are being recorded.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    outcomes: [AtomicU64; Outcome::COUNT],
    abandoned: AtomicU64,
    attempts: AtomicU64,
    retries: AtomicU64,
    phases: [Histogram; Phase::COUNT],
}

impl Counters {
    pub(crate) fn record(&self, sample: &Sample) {
        let phases = [
            (Phase::RateWait, Some(sample.rate_wait)),
            (Phase::QueueWait, Some(sample.queue_wait)),
            (Phase::Headers, sample.headers),
            (Phase::Body, sample.body),
            (Phase::Total, Some(sample.total)),
        ];
        for (phase, duration) in phases {
            if let Some(duration) = duration {
                self.phases[phase.index()].record(duration);
            }
        }
        self.attempts.fetch_add(u64::from(sample.attempts), Relaxed);
        if sample.attempts > 1 {
            let retries = u64::from(sample.attempts - 1);
            self.retries.fetch_add(retries, Relaxed);
        }
        if sample.abandoned {
            self.abandoned.fetch_add(1, Relaxed);
        }
        self.outcomes[sample.outcome.index()].fetch_add(1, Relaxed);
    }

    /// Takes over the numbers of `other`.
    pub(crate) fn assign(&self, other: &Self) {
        for (mine, theirs) in self.plain().zip(other.plain()) {
            mine.store(theirs.load(Relaxed), Relaxed);
        }
        for (mine, theirs) in self.phases.iter().zip(&other.phases) {
            mine.assign(theirs);
        }
    }

    /// Returns how many requests were recorded.
    pub(crate) fn requests(&self) -> u64 {
        self.outcomes.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Returns what was recorded since `before` was [taken](Self::assign) from these.
    pub(crate) fn read_since(&self, before: Option<&Self>) -> Summary {
        let since = |number: fn(&Self) -> &AtomicU64| {
            // The older number first: a counter only grows.
            let before = before.map_or(0, |before| number(before).load(Relaxed));
            number(self).load(Relaxed).saturating_sub(before)
        };
        let mut outcomes = [0; Outcome::COUNT];
        for (index, count) in outcomes.iter_mut().enumerate() {
            let before = before.map_or(0, |before| before.outcomes[index].load(Relaxed));
            *count = self.outcomes[index].load(Relaxed).saturating_sub(before);
        }
        Summary {
            outcomes,
            abandoned: since(|counters| &counters.abandoned),
            attempts: since(|counters| &counters.attempts),
            retries: since(|counters| &counters.retries),
            phases: std::array::from_fn(|phase| {
                self.phases[phase].read_since(before.map(|before| &before.phases[phase]))
            }),
        }
    }

    fn plain(&self) -> impl Iterator<Item = &AtomicU64> {
        self.outcomes
            .iter()
            .chain([&self.abandoned, &self.attempts, &self.retries])
    }
}
