//! Working on scans while others ask about them.

use crate::{interrupt::Told, program::Program, scan::repositories};
use repo_scanner_core::{Ended, JobError, Recurring, Slice, Summary};
use std::time::Duration;
use tokio::sync::Notify;
use tower_egress::{Clock, SleepUntil, TokioTimer};

/// How often is looked whether there is a scan that nobody works on: one that another process has left.
const LOOK: Duration = Duration::from_secs(2);
/// How long is waited at most when a server is gone, or the database.
const MOST: Duration = Duration::from_secs(300);

/// Works on whatever scan has begun, until it is told to end.
pub(super) async fn work(program: &Program, wake: &Notify, told: &Told) {
    let mut failures = 0_u32;
    while !told.already() {
        match slice(program, told).await {
            Ok(None) => failures = 0,
            Ok(Some((summary, ended))) => {
                failures = match ended {
                    Ended::ServerGone(_) => failures + 1,
                    _ => 0,
                };
                tell(&summary, &ended);
                if ended == Ended::Finished && !told.already() {
                    analyse(program, wake, told).await;
                }
            }
            Err(why) => {
                failures += 1;
                eprintln!("the scan cannot go on: {why}");
            }
        }
        let wait = LOOK * 2_u32.saturating_pow(failures.min(20));
        let until = TokioTimer::new().now() + wait.min(MOST);
        tokio::select! {
            () = told.to_end() => {}
            () = wake.notified() => {}
            () = SleepUntil::new(TokioTimer::new(), until) => {}
        }
    }
}

/// Works on the scan that has begun, if there is one and no other process does.
async fn slice(program: &Program, told: &Told) -> Result<Option<(Summary, Ended)>, String> {
    let running = program.store.running_scan().await;
    if running.map_err(|error| error.to_string())?.is_none() {
        return Ok(None);
    }
    let held = program.lock.take().map_err(|error| error.to_string())?;
    let Some(_held) = held else { return Ok(None) };
    let status = program.scans.status().await;
    let status = status.map_err(|error| error.to_string())?;
    let (left, total) = (status.remaining, status.total);
    eprintln!("scanning: {left} of {} to do", repositories(total));
    let worked = program.scans.work(Slice::default(), |_| {}, told.to_end());
    let done = |worked: &Option<(Summary, Ended)>| Some(worked.as_ref()?.0.done());
    let worked = program.store.recorded(Recurring::Slice, worked, done).await;
    worked.map_err(|error: JobError| error.to_string())
}

fn tell(summary: &Summary, ended: &Ended) {
    let (scanned, failed) = (summary.scanned + summary.unchanged, summary.failed);
    let done = format!("{} scanned, {failed} failed", repositories(scanned));
    match ended {
        Ended::Finished => eprintln!("the scan is done: {done}"),
        Ended::Interrupted => eprintln!("the scan was ended: {done}; what was fetched is stored"),
        Ended::ServerGone(why) => eprintln!("the scan waits for the server: {done}; {why}"),
        _ => {}
    }
}

/// Has repositories described, until there is a scan to work on: descriptions may take hours. Those that are missing then
/// come after that.
async fn analyse(program: &Program, wake: &Notify, told: &Told) {
    if program.analyse == 0 {
        return;
    }
    let stop = async {
        loop {
            tokio::select! {
                () = told.to_end() => return,
                () = wake.notified() => {}
            }
            if !matches!(program.store.running_scan().await, Ok(None)) {
                // For whoever waits next.
                return wake.notify_one();
            }
        }
    };
    let work = program.analyst.work(program.analyse, stop);
    let done = |summary: &Summary| Some(summary.done());
    let work = program.store.recorded(Recurring::Analysis, work, done);
    match work.await {
        Ok(summary) => {
            eprintln!("{} described", repositories(summary.scanned));
            for (reason, count) in &summary.reasons {
                eprintln!("{} not described: {reason}", repositories(*count));
            }
        }
        Err(error) => eprintln!("descriptions cannot be stored: {error}"),
    }
}
