//! Counts of durations, which many write and many read at once.

use crate::{
    Distribution,
    bucket::{Bucket, MAGNITUDES, STEPS},
};
use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Counts durations, with a bounded relative error and without a lock.
///
/// It is an array of counters, 64 between each duration and its double, as in an HDR histogram of two digits: the value
/// that is reported is within 1/128 of the one that was recorded (below 8 µs: within 128 ns). Recording adds one
/// to one counter. Reading looks at them all while others write.
///
/// # Why not the `hdrhistogram` crate?
///
/// Its `record` takes `&mut self`, so writers would wait for each other and for every reader that copies it. Its
/// percentiles are what the tests compare these with.
///
/// # Memory
///
/// 512 bytes, and as many again for each power of two that was ever recorded: 16.5 KiB at most.
pub struct Histogram {
    magnitudes: [OnceLock<Box<[AtomicU64; STEPS]>>; MAGNITUDES],
}

impl Default for Histogram {
    // Out of line: there are dozens in each label's series, and written out they are 9 kB of a Worker.
    #[inline(never)]
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// Makes one that has counted nothing.
    pub const fn new() -> Self {
        Self {
            magnitudes: [const { OnceLock::new() }; MAGNITUDES],
        }
    }

    /// Counts `duration`; what is longer than 4.8 hours counts as that.
    pub fn record(&self, duration: Duration) {
        let Bucket { magnitude, step } = Bucket::of(duration);
        self.steps(usize::from(magnitude))[usize::from(step)].fetch_add(1, Relaxed);
    }

    /// Returns what was counted so far. What is recorded meanwhile is in it or is not.
    pub fn read(&self) -> Distribution {
        self.read_since(None)
    }

    /// Returns what was counted since `before` was [taken](Self::assign) from this one.
    pub(crate) fn read_since(&self, before: Option<&Self>) -> Distribution {
        let mut counts = Vec::new();
        for (magnitude, steps) in (0..).zip(&self.magnitudes) {
            let Some(steps) = steps.get() else { continue };
            let before = before.and_then(|before| before.magnitudes[usize::from(magnitude)].get());
            for (step, count) in (0..).zip(steps.iter()) {
                // The older number first: a counter only grows.
                let before = before.map_or(0, |before| before[usize::from(step)].load(Relaxed));
                let count = count.load(Relaxed).saturating_sub(before);
                if count > 0 {
                    counts.push((Bucket { magnitude, step }.index(), count));
                }
            }
        }
        Distribution::from_sorted(counts)
    }

    /// Takes over the counts of `other`.
    pub(crate) fn assign(&self, other: &Self) {
        for (magnitude, steps) in other.magnitudes.iter().enumerate() {
            // What `other` never saw, this one never did either: it has its counts from nobody else.
            let Some(steps) = steps.get() else { continue };
            for (mine, count) in self.steps(magnitude).iter().zip(steps.iter()) {
                mine.store(count.load(Relaxed), Relaxed);
            }
        }
    }

    fn steps(&self, magnitude: usize) -> &[AtomicU64; STEPS] {
        self.magnitudes[magnitude].get_or_init(|| Box::new([const { AtomicU64::new(0) }; STEPS]))
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Histogram").field(&self.read()).finish()
    }
}
