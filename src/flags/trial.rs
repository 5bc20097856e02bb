//! How those fare for whom a flag is on, beside the rest.

use egress_timing::{Distribution, Histogram};
use serde::Serialize;
use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// How many of each group must have been recorded before they are compared.
const ENOUGH: u64 = 200;

/// How many are recorded between two comparisons.
const LOOK_EVERY: u64 = 100;

/// By how much the share of failures must be larger: two in a hundred …
const MORE_FAILURES: f64 = 0.02;

/// … and by how many standard errors, so that it is hardly chance.
const SURE: f64 = 3.0;

/// By how much the 95th percentile must be longer.
const SLOWER: f64 = 1.5;

/// The longest of these are taken for equal: a difference that nobody feels.
const UNFELT: Duration = Duration::from_millis(5);

/// Two groups.
#[derive(Debug, Default)]
pub(super) struct Trial {
    arms: RwLock<Arc<Arms>>,
    is_worse: AtomicBool,
}

#[derive(Debug, Default)]
struct Arms {
    on: Arm,
    off: Arm,
}

#[derive(Default)]
struct Arm {
    failed: AtomicU64,
    took: Histogram,
    count: AtomicU64,
}

impl fmt::Debug for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arm")
            .field("count", &self.count)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Those for whom a flag is on do worse than the rest.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// The flag's name.
    pub flag: String,
    /// In what.
    pub worse: Worse,
    /// How those fare for whom it is on.
    pub on: ArmStatus,
    /// How the rest fare.
    pub off: ArmStatus,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, on, off, .. } = self;
        match self.worse {
            Worse::Failures => write!(
                f,
                "{flag} is on for {} of which {} failed, and off for {} of which {} failed",
                on.count, on.failed, off.count, off.failed
            ),
            Worse::Slower => write!(
                f,
                "with {flag} 95 in 100 take up to {} ms, and without it {} ms",
                on.p95_ms, off.p95_ms
            ),
        }
    }
}

/// In what a group does worse.
///
/// It is looked at after each 100, once there are 200 of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Worse {
    /// More of them fail: two in a hundred more at least, and by three standard errors.
    Failures,
    /// 95 in 100 take up to half as long again, and 5 ms longer at least.
    Slower,
}

/// How a group fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ArmStatus {
    /// How many were recorded since the rule was set.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// 95 in 100 took no longer.
    pub p95_ms: f64,
}

impl Arm {
    fn read(&self) -> (ArmStatus, Distribution) {
        let took = self.took.read();
        let status = ArmStatus {
            count: self.count.load(Relaxed),
            failed: self.failed.load(Relaxed),
            p95_ms: took.p95().unwrap_or_default().as_secs_f64() * 1000.0,
        };
        (status, took)
    }
}

impl Trial {
    fn arms(&self) -> Arc<Arms> {
        Arc::clone(&self.arms.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets what was recorded.
    pub(super) fn restart(&self) {
        *self.arms.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        self.is_worse.store(false, Relaxed);
    }

    pub(super) fn record(&self, was_on: bool, is_ok: bool, took: Duration) {
        let arms = self.arms();
        let arm = if was_on { &arms.on } else { &arms.off };
        if !is_ok {
            arm.failed.fetch_add(1, Relaxed);
        }
        arm.took.record(took);
        arm.count.fetch_add(1, Relaxed);
    }

    /// Compares the groups, if it is time to, and returns in what the one begins to do worse.
    pub(super) fn look(&self) -> Option<Worse> {
        let arms = self.arms();
        let counts = [&arms.on, &arms.off].map(|arm| arm.count.load(Relaxed));
        if counts.iter().any(|count| *count < ENOUGH)
            || !(counts[0] + counts[1]).is_multiple_of(LOOK_EVERY)
        {
            return None;
        }
        let worse = compare(&arms.on.read().0, &arms.off.read().0);
        let was_worse = self.is_worse.swap(worse.is_some(), Relaxed);
        worse.filter(|_| !was_worse)
    }

    pub(super) fn is_worse(&self) -> bool {
        self.is_worse.load(Relaxed)
    }

    pub(super) fn read(&self) -> (ArmStatus, ArmStatus) {
        let arms = self.arms();
        (arms.on.read().0, arms.off.read().0)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "of so many, some more or fewer make no difference"
)]
fn compare(on: &ArmStatus, off: &ArmStatus) -> Option<Worse> {
    let (on_count, off_count) = (on.count as f64, off.count as f64);
    let more = on.failed as f64 / on_count - off.failed as f64 / off_count;
    let both = (on.failed + off.failed) as f64 / (on_count + off_count);
    let error = (both * (1.0 - both) * (1.0 / on_count + 1.0 / off_count)).sqrt();
    if more >= MORE_FAILURES && more >= SURE * error {
        return Some(Worse::Failures);
    }
    let longer = on.p95_ms - off.p95_ms;
    (on.p95_ms >= SLOWER * off.p95_ms && longer >= UNFELT.as_secs_f64() * 1000.0)
        .then_some(Worse::Slower)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const fn arm(count: u64, failed: u64, p95_ms: f64) -> ArmStatus {
        ArmStatus {
            count,
            failed,
            p95_ms,
        }
    }

    #[test]
    fn worse_is_what_is_hardly_chance_and_matters() {
        for (on, off, expected) in [
            (arm(200, 0, 50.0), arm(200, 0, 50.0), None),
            (arm(200, 8, 50.0), arm(200, 4, 50.0), None),
            (arm(200, 20, 50.0), arm(200, 2, 50.0), Some(Worse::Failures)),
            (arm(200, 2, 50.0), arm(200, 20, 50.0), None),
            // Sure, but it does not matter.
            (
                arm(1_000_000, 20_000, 50.0),
                arm(1_000_000, 10_000, 50.0),
                None,
            ),
            (arm(200, 200, 50.0), arm(200, 200, 50.0), None),
            (arm(200, 0, 75.0), arm(200, 0, 50.0), Some(Worse::Slower)),
            (arm(200, 0, 74.0), arm(200, 0, 50.0), None),
            (arm(200, 0, 4.0), arm(200, 0, 1.0), None),
            (arm(200, 0, 50.0), arm(200, 0, 75.0), None),
        ] {
            assert_eq!(compare(&on, &off), expected, "{on:?} beside {off:?}");
        }
    }
}
