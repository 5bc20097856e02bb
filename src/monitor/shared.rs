//! What the clones of a monitor share.

use super::{
    Crossing, Limits, Report, Sample, Warning,
    names::{Names, OTHER},
    resources::{Longest, Resources},
    series::{Ended, Series},
    units::millis,
    warning::Warnings,
};
use egress_time::{Clock, Instant};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Plain data, without a waker: what an isolate's invocations may share. No lock is held while another is taken, nor while
/// anything is called that is not in this module.
#[derive(Debug)]
pub(super) struct Shared {
    /// When it was first used. Not when it was made: in a Worker, no clock runs yet where statics are made.
    since: OnceLock<Instant>,
    names: RwLock<Names>,
    resources: Mutex<Resources>,
    warnings: Mutex<Warnings>,
    forget_after_nanos: AtomicU64,
}

impl Shared {
    pub(super) fn new(max_operations: usize, forget_after: Duration) -> Self {
        let shared = Self {
            since: OnceLock::new(),
            names: RwLock::new(Names::new(max_operations)),
            resources: Mutex::default(),
            warnings: Mutex::default(),
            forget_after_nanos: AtomicU64::default(),
        };
        shared.set_forget_after(forget_after);
        shared
    }

    /// Returns the operation, a new one if there is room.
    pub(super) fn series(&self, name: &str, declared: bool) -> Arc<Series> {
        if let Some(series) = self.names().get(name) {
            return series;
        }
        self.names_mut().get_or_insert(name, declared)
    }

    pub(super) fn set_max_operations(&self, most: usize) {
        self.names_mut().set_max(most);
    }

    pub(super) fn set_forget_after(&self, forget_after: Duration) {
        let nanos = u64::try_from(forget_after.as_nanos()).unwrap_or(u64::MAX);
        self.forget_after_nanos.store(nanos, Relaxed);
    }

    pub(super) fn forget_after(&self) -> Duration {
        Duration::from_nanos(self.forget_after_nanos.load(Relaxed))
    }

    pub(super) fn limits(&self) -> Limits {
        *self.resources().limits()
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        self.resources().set_limits(limits);
    }

    /// Counts a run of an operation.
    pub(super) fn end(&self, clock: &impl Clock, now: Instant, series: &Series, ended: Ended) {
        self.touch(now);
        let hysteresis = self.limits().hysteresis();
        if let Some(crossing) = series.end(now, hysteresis, ended) {
            self.warn(clock, crossing);
        }
    }

    /// Takes note that it is used.
    pub(super) fn touch(&self, now: Instant) {
        self.since.get_or_init(|| now);
    }

    pub(super) fn sample(&self, now: Instant, sample: Sample) {
        self.touch(now);
        self.resources().record(now, sample);
    }

    /// Returns what is exceeded, and warns of what was not.
    pub(super) fn check(&self, clock: &impl Clock, now: Instant) -> Vec<Crossing> {
        let longest = self.longest(now);
        let mut crossed = self.resources().check(longest.as_ref());
        let series = self.names().all();
        crossed.extend(series.iter().filter_map(|series| series.check(now)));
        let mut crossings = Vec::with_capacity(crossed.len());
        for (crossing, new) in crossed {
            if new {
                self.warn(clock, crossing.clone());
            }
            crossings.push(crossing);
        }
        crossings
    }

    pub(super) fn take_warnings(&self) -> Vec<Warning> {
        self.warnings().take()
    }

    pub(super) fn report(&self, now: Instant) -> Report {
        self.touch(now);
        let since = self.since.get().copied().unwrap_or(now);
        let longest = self.longest(now);
        let all = self.names().all();
        let mut report = Report {
            uptime_ms: millis(now - since),
            ..Report::default()
        };
        {
            let resources = self.resources();
            report.memory = resources.memory();
            report.cpu = resources.cpu();
            report.crossed = resources.crossed(longest.as_ref());
        }
        for series in all {
            report.crossed.extend(series.crossed(now));
            let operation = series.report(now, self.forget_after());
            let unused =
                operation.running == 0 && operation.lost == 0 && operation.lifetime.count() == 0;
            if series.name() != OTHER || !unused {
                report
                    .operations
                    .insert(series.name().to_owned(), operation);
            }
        }
        let warnings = self.warnings();
        report.warnings = warnings.total();
        report.recent_warnings = warnings.kept();
        report
    }

    fn warn(&self, clock: &impl Clock, crossing: Crossing) {
        let unix_ms = u64::try_from(clock.unix_time().as_millis()).unwrap_or(u64::MAX);
        let event = crossing.clone();
        self.warnings().push(Warning { unix_ms, crossing });
        tracing::warn!(
            target: super::TARGET,
            limit = event.limit.as_str(),
            operation = event.operation,
            value = event.value,
            threshold = event.threshold,
            "{event}"
        );
    }

    /// Returns the run that has been running for longest.
    fn longest(&self, now: Instant) -> Option<Longest> {
        let forget_after = self.forget_after();
        let all = self.names().all();
        let running = all.iter().filter_map(|series| {
            let duration = series.longest(now, forget_after)?;
            Some((duration, series))
        });
        let (duration, series) = running.max_by_key(|(duration, _)| *duration)?;
        Some(Longest {
            operation: series.name().to_owned(),
            duration,
        })
    }

    // Whoever panics while one of these is held leaves counts behind, and counts are fit for use.

    fn names(&self) -> RwLockReadGuard<'_, Names> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn names_mut(&self) -> RwLockWriteGuard<'_, Names> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn resources(&self) -> MutexGuard<'_, Resources> {
        self.resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn warnings(&self) -> MutexGuard<'_, Warnings> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
