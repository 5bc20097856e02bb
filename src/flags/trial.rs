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

/// By how much the 95th percentile must be longer, where chance makes it as short, and the other as long, as it can.
const SLOWER: f64 = 1.5;

/// Differences up to this are taken for none: nobody feels them.
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

/// Those for whom a flag is on do worse than the rest, or the rest does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// The flag's name.
    pub flag: String,
    /// Whether it is those for whom it is on that do worse.
    pub was_on: bool,
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
                "with {flag} on 95 in 100 take up to {} ms, and with it off {} ms",
                on.p95_ms, off.p95_ms
            ),
        }
    }
}

/// In what a group does worse than the other.
///
/// It is looked at after each 100, once there are 200 of each group, by all that were recorded since the rule was set. A group that
/// fails more is not called faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Worse {
    /// More of them fail: two in a hundred more at least, and by three standard errors.
    Failures,
    /// 95 in 100 take up to half as long again, and 5 ms longer at least, by three standard errors of that percentile.
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

/// What a group came to.
type Read = (ArmStatus, Distribution);

impl Arm {
    fn read(&self) -> Read {
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
    pub(super) fn look(&self) -> Option<(bool, Worse)> {
        let arms = self.arms();
        let counts = [&arms.on, &arms.off].map(|arm| arm.count.load(Relaxed));
        if counts.iter().any(|count| *count < ENOUGH)
            || !(counts[0] + counts[1]).is_multiple_of(LOOK_EVERY)
        {
            return None;
        }
        let worse = compare(&arms.on.read(), &arms.off.read());
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

/// Returns which group does worse, that for whom it is on or the other, and in what.
fn compare(on: &Read, off: &Read) -> Option<(bool, Worse)> {
    let failures = [(true, fails_more(on, off)), (false, fails_more(off, on))];
    if let Some((was_on, _)) = failures.into_iter().find(|(_, fails)| *fails) {
        return Some((was_on, Worse::Failures));
    }
    let slower = [(true, is_slower(on, off)), (false, is_slower(off, on))];
    let (was_on, _) = slower.into_iter().find(|(_, is_slower)| *is_slower)?;
    Some((was_on, Worse::Slower))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "of so many, some more or fewer make no difference"
)]
fn fails_more((one, _): &Read, (other, _): &Read) -> bool {
    let counts = [one.count as f64, other.count as f64];
    let failed = [one.failed as f64, other.failed as f64];
    let more = failed[0] / counts[0] - failed[1] / counts[1];
    let both = (failed[0] + failed[1]) / (counts[0] + counts[1]);
    let error = (both * (1.0 - both) * (1.0 / counts[0] + 1.0 / counts[1])).sqrt();
    more >= MORE_FAILURES && more >= SURE * error
}

fn is_slower(one: &Read, other: &Read) -> bool {
    let (Some(one), Some(other)) = (p95(one, -SURE), p95(other, SURE)) else {
        return false;
    };
    one >= other.mul_f64(SLOWER) && one - other >= UNFELT
}

/// Returns the 95th percentile, so many standard errors off.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 0 and 1000"
)]
fn p95((status, took): &Read, errors: f64) -> Option<Duration> {
    let error = (0.95 * 0.05 / status.count as f64).sqrt();
    let share = (0.95 + errors * error).clamp(0.0, 1.0);
    took.per_mille((share * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// So many, each of whom took as long as that.
    fn arm(count: u64, failed: u64, ms: u64) -> Read {
        let arm = Arm::default();
        for n in 0..count.min(1000) {
            arm.failed.fetch_add(u64::from(n < failed), Relaxed);
            arm.took.record(Duration::from_millis(ms));
        }
        let (status, took) = arm.read();
        let status = ArmStatus {
            count,
            failed,
            ..status
        };
        (status, took)
    }

    #[test]
    fn worse_is_what_is_hardly_chance_and_matters() {
        for (one, other, expected) in [
            (arm(200, 0, 50), arm(200, 0, 50), None),
            (arm(200, 8, 50), arm(200, 4, 50), None),
            (arm(200, 20, 50), arm(200, 2, 50), Some(Worse::Failures)),
            // It is over sooner because it fails.
            (arm(200, 20, 50), arm(200, 2, 500), Some(Worse::Failures)),
            // Sure, but it does not matter.
            (arm(1_000_000, 20_000, 50), arm(1_000_000, 10_000, 50), None),
            (arm(200, 200, 50), arm(200, 200, 50), None),
            (arm(200, 0, 76), arm(200, 0, 50), Some(Worse::Slower)),
            (arm(200, 0, 73), arm(200, 0, 50), None),
            (arm(200, 0, 4), arm(200, 0, 1), None),
        ] {
            let found = compare(&one, &other);
            assert_eq!(found, expected.map(|worse| (true, worse)), "{one:?}");
            let found = compare(&other, &one);
            assert_eq!(found, expected.map(|worse| (false, worse)), "{one:?}");
        }
    }

    /// Both have one in twenty that takes a hundred times as long, more or less.
    #[test]
    fn a_percentile_that_falls_here_or_there_is_no_difference() {
        for (one, other) in [(8, 12), (9, 11), (5, 15)] {
            let [one, other] = [one, other].map(|slow| {
                let arm = Arm::default();
                for n in 0..200 {
                    let ms = if n < slow { 1000 } else { 10 };
                    arm.took.record(Duration::from_millis(ms));
                    arm.count.fetch_add(1, Relaxed);
                }
                arm.read()
            });
            assert_eq!(compare(&one, &other), None);
            assert_eq!(compare(&other, &one), None);
        }
    }
}
