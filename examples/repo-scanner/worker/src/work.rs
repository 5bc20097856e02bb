//! What an alarm does.

use crate::{object::Clock, program::Program, rest::Rest};
use futures_util::future::select;
use repo_scanner_core::{Ended, JobError, Recurring, Summary};
use std::{pin::pin, time::Duration};
use tower_egress::{Clock as _, Instant, SleepUntil};
use tower_egress_worker::WorkerTimer;
use worker::{State, console_error, console_log};

/// How often is looked at how it is going.
const LOOK: Duration = Duration::from_secs(1);
/// A pause that is longer is slept through by nobody: the alarm is set to its end.
const LONG: Duration = Duration::from_secs(20);
/// How long an alarm may take in all: the platform ends it after 15 minutes, and what is under way by then has to be stored.
pub(crate) const ALARM: Duration = Duration::from_secs(780);
/// How long one repository may take after a slice in which none was done: some attempts of 30 s.
const ENOUGH: Duration = Duration::from_secs(120);
/// How long is waited after a failure, twice as long after each that follows, and at most.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
const MOST: Duration = Duration::from_secs(300);

/// Works on the scan that has begun, if one has, for as long as an invocation may; has repositories described when it is done.
/// Returns in how long to go on.
pub(crate) async fn work(state: &State, program: &Program, clock: &Clock) -> Option<Duration> {
    let started = WorkerTimer::new().now();
    clock.is_wanted.set(false);
    if let Some(pause) = long_pause(program) {
        return Some(pause);
    }
    // The platform runs one alarm at a time, and does not drop what it ends.
    program.web.scans.forget_worker();
    if let Err(error) = Rest::begin(state).await {
        console_error!("the scan cannot go on: {error}");
        return Some(after_failures(clock));
    }
    program.budget.refill(program.settings.operations);
    let worked = slice(program, clock).await;
    let is_over =
        |(summary, ended): &(Summary, Ended)| *ended == Ended::SliceOver && summary.done() == 0;
    let is_stuck = matches!(&worked, Ok(Some(worked)) if is_over(worked));
    clock.is_stuck.set(is_stuck);
    let analyses = match &worked {
        Ok(Some((_, Ended::Finished))) => program.settings.analyse > 0,
        _ => false,
    };
    if analyses {
        analyse(program, clock, started + ALARM).await;
    }
    if let Err(error) = Rest::end(state, program).await {
        // It stays noted that somebody works: who comes next rests longer than it has to.
        console_error!("until when to rest cannot be noted: {error}");
    }
    match worked {
        Ok(None | Some((_, Ended::Finished))) => {
            clock.failures.set(0);
            None
        }
        Ok(Some((_, Ended::ServerGone(why)))) => {
            console_log!("the scan waits for the server: {why}");
            Some(after_failures(clock))
        }
        Ok(Some(_)) if is_stuck => {
            console_log!("a slice is over before anything is done: the next is of one repository");
            Some(after_failures(clock))
        }
        Ok(Some(_)) => {
            clock.failures.set(0);
            Some(long_pause(program).unwrap_or_default())
        }
        Err(error) => {
            console_error!("the scan cannot go on: {error}");
            Some(after_failures(clock))
        }
    }
}

/// In how long to try again.
pub(crate) fn after_failures(clock: &Clock) -> Duration {
    let so_many = clock.failures.get();
    clock.failures.set(so_many.saturating_add(1));
    let wait = AFTER_FAILURE * 2_u32.saturating_pow(so_many.min(16));
    wait.min(MOST)
}

async fn slice(program: &Program, clock: &Clock) -> Result<Option<(Summary, Ended)>, JobError> {
    let scans = &program.web.scans;
    // Nobody waits here for an hour.
    let paused = async {
        let timer = WorkerTimer::new();
        while long_pause(program).is_none() {
            program.web.monitor.check();
            SleepUntil::new(timer, timer.now() + LOOK).await;
        }
    };
    let mut slice = program.settings.slice;
    if clock.is_stuck.get() {
        // What it takes up is begun again and again, unless it is let finish.
        slice.repositories = Some(1);
        slice.time = slice.time.map(|time| time.max(ENOUGH));
    }
    let work = scans.work(slice, |_| {}, paused);
    let done = |worked: &Option<(Summary, Ended)>| Some(worked.as_ref()?.0.done());
    let worked = scans.store().recorded(Recurring::Slice, work, done).await;
    if let Ok(Some((summary, _))) = &worked {
        console_log!(
            "{} of a scan done, {} failed",
            summary.done(),
            summary.failed
        );
    }
    worked
}

/// How long everybody has to wait because GitHub said so, if that is long.
fn long_pause(program: &Program) -> Option<Duration> {
    let limits = program.web.egress.status().rate_limits;
    let pause = limits.get("github")?.paused_for_ms?;
    Some(Duration::from_secs_f64(pause / 1000.0)).filter(|pause| *pause > LONG)
}

/// With what is left of the budget, and of the time, and until somebody wants a scan.
async fn analyse(program: &Program, clock: &Clock, at_latest: Instant) {
    let timer = WorkerTimer::new();
    let over = async {
        let until = timer.now() + program.settings.slice.time.unwrap_or(MOST).min(MOST);
        let until = until.min(at_latest);
        let time = async {
            while timer.now() < until && !clock.is_wanted.get() {
                SleepUntil::new(timer, timer.now() + LOOK).await;
            }
        };
        select(pin!(time), pin!(program.budget.spent())).await;
    };
    let work = program.analyst.work(program.settings.analyse, over);
    let store = program.web.scans.store();
    let done = |summary: &Summary| Some(summary.done());
    match store.recorded(Recurring::Analysis, work, done).await {
        Ok(summary) => {
            for (reason, count) in &summary.reasons {
                console_log!("{count} repositories not described: {reason}");
            }
        }
        Err(error) => console_error!("descriptions cannot be stored: {error}"),
    }
}
