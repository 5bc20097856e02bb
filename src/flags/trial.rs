//! How those fare for whom a flag is on, beside the rest.

use super::{ArmStatus, Worse, compare::compare};
use egress_timing::{Distribution, Histogram};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

/// How many of each group must have been recorded before they are compared.
const ENOUGH: u64 = 200;

/// How many are recorded between two comparisons.
const LOOK_EVERY: u64 = 100;

/// To which share of all these a difference must fall until it is no longer one: at the edge, it would begin again and again.
const EASE: f64 = 0.5;

/// When the smaller group has so many, what is older than these is compared no more. Else what breaks after a long time would have to go
/// on for as long.
const RECENT: u64 = 10_000;

/// What a group came to.
pub(super) type Read = (ArmStatus, Distribution);

/// Two groups.
#[derive(Debug, Default)]
pub(super) struct Trial {
    arms: RwLock<Arc<Arms>>,
    /// How many rules there were before this one.
    rule: AtomicU64,
    /// Held by whoever compares.
    comparing: Mutex<()>,
    ever: [Ever; 2],
}

#[derive(Debug, Default)]
struct Arms {
    on: Arm,
    off: Arm,
    /// Those that were recorded before these.
    before: Option<[Read; 2]>,
    recorded: AtomicU64,
    is_worse: AtomicBool,
    rule: u64,
}

/// What was ever recorded of a group, under all rules. Apart, so that neither ever falls for who reads both.
#[derive(Debug, Default)]
struct Ever {
    ok: AtomicU64,
    failed: AtomicU64,
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

/// A group begins to do worse than the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub(super) was_on: bool,
    pub(super) worse: Worse,
    /// How those fare for whom it is on, and the rest: what this was found by, and not what there is when it is told.
    pub(super) arms: (ArmStatus, ArmStatus),
}

impl Arm {
    fn read(&self) -> Read {
        let failed = self.failed.load(Relaxed);
        read(self.count.load(Relaxed), failed, self.took.read())
    }
}

fn read(count: u64, failed: u64, took: Distribution) -> Read {
    let status = ArmStatus {
        count,
        failed,
        p95_ms: took.p95().unwrap_or_default().as_secs_f64() * 1000.0,
        ..ArmStatus::default()
    };
    (status, took)
}

impl Arms {
    /// Returns what is compared: those for whom it is on, and the rest.
    fn read(&self) -> [Read; 2] {
        let present = [self.on.read(), self.off.read()];
        let Some(before) = &self.before else {
            return present;
        };
        let [on, off] = present;
        [together(&before[0], on), together(&before[1], off)]
    }
}

fn together((before, took_before): &Read, (status, mut took): Read) -> Read {
    took.merge(took_before);
    read(
        before.count + status.count,
        before.failed + status.failed,
        took,
    )
}

impl Trial {
    fn arms(&self) -> Arc<Arms> {
        Arc::clone(&self.arms.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets what was recorded, and takes no more of what the rule until now has decided.
    pub(super) fn restart(&self) {
        let mut arms = self.arms.write().unwrap_or_else(PoisonError::into_inner);
        // Who sees it sees what was decided by before it, too.
        let rule = self.rule.fetch_add(1, Release) + 1;
        *arms = Arc::new(Arms {
            rule,
            ..Arms::default()
        });
    }

    /// Returns which rule it is that is compared.
    pub(super) fn rule(&self) -> u64 {
        self.rule.load(Acquire)
    }

    /// Takes down what a rule has decided, compares the groups if it is time to, and returns whether one begins to do worse.
    pub(super) fn record(
        &self,
        rule: u64,
        was_on: bool,
        is_ok: bool,
        took: Duration,
    ) -> Option<Begun> {
        let arms = self.arms();
        if arms.rule != rule {
            return None;
        }
        let ever = &self.ever[usize::from(was_on)];
        let arm = if was_on { &arms.on } else { &arms.off };
        if is_ok {
            ever.ok.fetch_add(1, Relaxed);
        } else {
            ever.failed.fetch_add(1, Relaxed);
            arm.failed.fetch_add(1, Relaxed);
        }
        arm.took.record(took);
        arm.count.fetch_add(1, Relaxed);
        // Of a hundred that record at once, too, one is the hundredth.
        let recorded = arms.recorded.fetch_add(1, Relaxed) + 1;
        let is_time = recorded.is_multiple_of(LOOK_EVERY);
        is_time.then(|| self.look(&arms)).flatten()
    }

    fn look(&self, arms: &Arc<Arms>) -> Option<Begun> {
        let _comparing = self
            .comparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&self.arms(), arms) {
            // Another rule holds, or somebody has looked, and what was recorded lately is elsewhere.
            return None;
        }
        let [on, off] = arms.read();
        if on.0.count.min(off.0.count) < ENOUGH {
            return None;
        }
        let was_worse = arms.is_worse.load(Relaxed);
        let worse = compare(&on, &off, if was_worse { EASE } else { 1.0 });
        arms.is_worse.store(worse.is_some(), Relaxed);
        let counts = [&arms.on, &arms.off].map(|arm| arm.count.load(Relaxed));
        if counts.into_iter().min() >= Some(RECENT) {
            self.go_on(arms);
        }
        let (was_on, worse) = worse.filter(|_| !was_worse)?;
        Some(Begun {
            was_on,
            worse,
            arms: self.with_ever(on.0, off.0),
        })
    }

    /// Compares what was recorded lately, and what is recorded from now on.
    fn go_on(&self, from: &Arc<Arms>) {
        let mut arms = self.arms.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&arms, from) {
            *arms = Arc::new(Arms {
                before: Some([from.on.read(), from.off.read()]),
                is_worse: from.is_worse.load(Relaxed).into(),
                rule: from.rule,
                ..Arms::default()
            });
        }
    }

    pub(super) fn is_worse(&self) -> bool {
        self.arms().is_worse.load(Relaxed)
    }

    /// Returns how those fare for whom it is on, and the rest.
    pub(super) fn read(&self) -> (ArmStatus, ArmStatus) {
        let [(on, _), (off, _)] = self.arms().read();
        self.with_ever(on, off)
    }

    fn with_ever(&self, mut on: ArmStatus, mut off: ArmStatus) -> (ArmStatus, ArmStatus) {
        for (status, ever) in [&mut off, &mut on].into_iter().zip(&self.ever) {
            status.ever_failed = ever.failed.load(Relaxed);
            status.ever = status.ever_failed + ever.ok.load(Relaxed);
        }
        (on, off)
    }
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
            let found = compare(&one, &other, 1.0);
            assert_eq!(found, expected.map(|worse| (true, worse)), "{one:?}");
            let found = compare(&other, &one, 1.0);
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
            assert_eq!(compare(&one, &other, 1.0), None);
            assert_eq!(compare(&other, &one, 1.0), None);
        }
    }

    /// However they take turns, each hundredth compares.
    #[test]
    fn one_in_a_hundred_compares() {
        let trial = Trial::default();
        let record = |n: u64| trial.record(0, n.is_multiple_of(2), n % 2 == 1, Duration::ZERO);
        let told: Vec<_> = (0..1000).filter(|n| record(*n).is_some()).collect();
        assert_eq!(told, [399], "as soon as there are enough, and once");
        assert_eq!(trial.arms().recorded.load(Relaxed), 1000);
    }

    /// About as much fails as makes a difference: by a little more, and by a little less.
    #[test]
    fn at_the_edge_it_is_told_once() {
        let trial = Trial::default();
        let mut told = 0;
        for n in 0..20_000 {
            // Of a hundred three at the beginning, and of the rest one at the end, and one more at all.
            let [on, off] = [n % 100 >= 3, n % 100 < 99 && n != 7];
            told += u32::from(trial.record(0, true, on, Duration::ZERO).is_some());
            told += u32::from(trial.record(0, false, off, Duration::ZERO).is_some());
        }
        assert_eq!(told, 1);
    }

    #[test]
    fn what_is_old_is_not_compared_and_not_forgotten() {
        let trial = Trial::default();
        let record = |n: u64| {
            for _ in 0..n {
                trial.record(0, true, false, Duration::ZERO);
                trial.record(0, false, true, Duration::ZERO);
                trial.record(0, false, true, Duration::ZERO);
            }
        };
        record(10_000);
        let (on, off) = trial.read();
        assert_eq!((on.count, on.failed, off.count), (10_000, 10_000, 20_000));
        record(45_000);
        let (on, off) = trial.read();
        assert!((10_000..=20_100).contains(&on.count), "{on:?}");
        assert_eq!(on.failed, on.count);
        assert!(off.count.abs_diff(2 * on.count) < 300, "{off:?}");
        assert_eq!((on.ever, on.ever_failed), (55_000, 55_000));
        assert_eq!((off.ever, off.ever_failed), (110_000, 0));
        trial.restart();
        let (on, _) = trial.read();
        assert_eq!((on.count, on.ever), (0, 55_000));
        assert!(!trial.is_worse());
        // Of the rule before.
        trial.record(0, true, false, Duration::ZERO);
        assert_eq!(trial.read().0.ever, 55_000);
    }

    /// A small generator, so that wasm and the host see the same numbers. Returns one below 1000.
    fn per_mille(random: &mut u64) -> u64 {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % 1000
    }

    /// Records so many, of which so many per mille are on and fail, and returns after how many it was told.
    fn rollout(random: &mut u64, records: u32, share: u64, [on, off]: [u64; 2]) -> Option<u32> {
        let trial = Trial::default();
        (0..records).find(|_| {
            let was_on = per_mille(random) < share;
            let is_ok = per_mille(random) >= if was_on { on } else { off };
            let took = Duration::from_micros(per_mille(random).pow(2));
            trial.record(0, was_on, is_ok, took).is_some()
        })
    }

    /// Where both do as well, and everything is looked at a hundred times.
    #[test]
    fn chance_alone_is_hardly_ever_told() {
        let random = &mut 1;
        for (share, failing) in [(500, 50), (500, 300), (100, 10), (100, 200)] {
            let told = (0..8).filter(|_| {
                let told = rollout(random, 10_000, share, [failing; 2]);
                told.is_some()
            });
            assert!(told.count() <= 1, "{share} {failing}");
        }
    }

    #[test]
    fn what_is_worse_is_always_told() {
        let random = &mut 1;
        for (share, failing, within) in [
            (500, [100, 10], 2_000),
            (500, [50, 10], 10_000),
            (100, [60, 10], 10_000),
            (10, [500, 10], 30_000),
            (900, [10, 100], 10_000),
        ] {
            for _ in 0..2 {
                let told = rollout(random, within, share, failing);
                assert!(told.is_some(), "{share} {failing:?}");
            }
        }
    }
}
