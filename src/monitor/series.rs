//! Everything about one operation.

use super::{
    Crossing, LimitKind, Outcome,
    figures::Counts,
    limits::Alarm,
    minute::{self, Minute},
    report::{Checkpoint, OperationReport, RunReport},
    units::millis,
};
use crate::numbered::Numbered;
use egress_time::Instant;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many runs of one operation are known by when they began; beyond, the oldest counts as lost.
const MAX_RUNNING: usize = 16_384;

/// One operation. A writer holds its lock for as long as it takes to count; a reader only to copy a few handles.
#[derive(Debug)]
pub(super) struct Series {
    name: Box<str>,
    lifetime: Counts,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    minute: Minute,
    /// By number, so the one that began first is the first.
    running: Numbered<Instant>,
    next: u64,
    lost: u64,
    slow: u64,
    busy: Option<Duration>,
    last: Option<RunReport>,
    slowest: Option<RunReport>,
    alarm: Alarm,
    /// The run that was warned of before it ended.
    warned: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    pub(super) timeout: Option<Duration>,
    pub(super) warn_after: Option<Duration>,
}

/// A run that began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub(super) number: u64,
    pub(super) timeout: Option<Duration>,
}

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` if nobody knew of it while it ran.
    pub(super) number: Option<u64>,
    pub(super) duration: Duration,
    pub(super) busy: Option<Duration>,
    pub(super) outcome: Outcome,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) dropped_checkpoints: u64,
}

impl Series {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            lifetime: Counts::default(),
            state: Mutex::default(),
        }
    }

    pub(super) const fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    pub(super) fn begin(&self, now: Instant, forget_after: Duration) -> Begun {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.running.insert(number, now);
        state.forget(now, forget_after);
        Begun {
            number,
            timeout: state.settings.timeout,
        }
    }

    /// Counts a run, and returns what it crossed if that is new.
    pub(super) fn end(&self, now: Instant, hysteresis: f64, ended: Ended) -> Option<Crossing> {
        let Ended {
            number,
            duration,
            busy,
            outcome,
            checkpoints,
            dropped_checkpoints,
        } = ended;
        let mut state = self.state();
        if number.is_some_and(|number| state.running.remove(number).is_none()) {
            // It was taken for lost and was not.
            state.lost = state.lost.saturating_sub(1);
        }
        self.lifetime.record(duration, outcome);
        state.minute.record(now, duration, outcome);
        if let Some(busy) = busy {
            let sum = state.busy.get_or_insert_default();
            *sum = sum.saturating_add(busy);
        }
        let run = RunReport {
            outcome,
            duration_ms: millis(duration),
            checkpoints,
            dropped_checkpoints,
        };
        let slowest = state.slowest.as_ref();
        if slowest.is_none_or(|slowest| slowest.duration_ms < run.duration_ms) {
            state.slowest = Some(run.clone());
        }
        state.last = Some(run);
        let warn_after = state.settings.warn_after?;
        if duration > warn_after {
            state.slow = state.slow.saturating_add(1);
        }
        let exact = |duration: Duration| duration.as_secs_f64();
        let new = state
            .alarm
            .observe(exact(duration), exact(warn_after), hysteresis);
        let new = new && (number.is_none() || number != state.warned);
        new.then(|| self.crossing(duration, warn_after))
    }

    /// Returns for how long the first of the runs that are running has been.
    pub(super) fn longest(&self, now: Instant, forget_after: Duration) -> Option<Duration> {
        let mut state = self.state();
        state.forget(now, forget_after);
        state.longest(now)
    }

    /// Returns whether a run that has not ended takes too long already.
    pub(super) fn crossed(&self, now: Instant) -> Option<Crossing> {
        let (value, threshold) = self.state().too_long(now)?;
        Some(self.crossing(value, threshold))
    }

    /// The same, and tells whether that is new.
    pub(super) fn check(&self, now: Instant) -> Option<(Crossing, bool)> {
        let mut state = self.state();
        let (value, threshold) = state.too_long(now)?;
        let crossed = state.alarm.raise();
        let run = state.running.first().map(|(number, _)| number);
        // Shorter runs that end meanwhile do not make it another crossing.
        let new = crossed && state.warned != run;
        if crossed {
            state.warned = run;
        }
        drop(state);
        Some((self.crossing(value, threshold), new))
    }

    pub(super) fn report(&self, now: Instant, forget_after: Duration) -> OperationReport {
        let mut state = self.state();
        state.forget(now, forget_after);
        let windows = state.minute.windows(now);
        let mut report = OperationReport {
            running: state.running.len(),
            longest_running_ms: state.longest(now).map(millis),
            lost: state.lost,
            slow: state.slow,
            timeout_ms: state.settings.timeout.map(millis),
            warn_after_ms: state.settings.warn_after.map(millis),
            busy_ms: state.busy.map(millis),
            last: state.last.clone(),
            slowest: state.slowest.clone(),
            ..OperationReport::default()
        };
        drop(state);
        // The minute first: it is never more than the lifetime.
        report.last_minute = minute::together(&windows);
        report.lifetime = self.lifetime.read();
        report
    }

    fn crossing(&self, value: Duration, threshold: Duration) -> Crossing {
        Crossing {
            limit: LimitKind::Operation,
            operation: Some(self.name().to_owned()),
            value: millis(value),
            threshold: millis(threshold),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way through a change that matters: what is in it are counts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives up those that began so long ago that their end will not be heard of.
    ///
    /// In a Worker nothing is dropped when an invocation is ended from outside, so a run may never say that it is over.
    fn forget(&mut self, now: Instant, forget_after: Duration) {
        let first = self.running.first();
        if first.is_some_and(|(_, began)| *began > now) {
            // The clock was set back, and nobody knows how long they have been: from now on, they count.
            self.running
                .for_each(0..u64::MAX, |_, began| *began = now.min(*began));
        }
        while let Some((_, began)) = self.running.first() {
            if now - *began < forget_after && self.running.len() <= MAX_RUNNING {
                return;
            }
            self.running.pop_first();
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Returns for how long the first has been running and what it should take, if that is less.
    fn too_long(&self, now: Instant) -> Option<(Duration, Duration)> {
        let (value, threshold) = (self.longest(now)?, self.settings.warn_after?);
        (value > threshold).then_some((value, threshold))
    }

    fn longest(&self, now: Instant) -> Option<Duration> {
        let (_, began) = self.running.first()?;
        Some(now - *began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What the documentation of `Monitor` says of memory.
    #[test]
    fn an_idle_operation_is_small() {
        assert!(size_of::<Series>() <= 1024, "{} bytes", size_of::<Series>());
    }
}
