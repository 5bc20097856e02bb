//! What is done now and then: memory is looked at, old figures are deleted.

use crate::program::Program;
use repo_scanner_core::Recurring;
use std::{convert::Infallible, time::Duration};
use tower_egress::{Clock, SleepUntil, TokioTimer};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Does it for ever: samples what the process uses every second, and deletes what is too old once a day.
pub(super) async fn keep(program: &Program) -> Infallible {
    let timer = TokioTimer::new();
    let mut clean_up = timer.now();
    loop {
        let now = timer.now();
        // Of what is exceeded the status tells.
        program.monitor.check();
        if now >= clean_up {
            clean_up = now + DAY;
            let deleted = program.store.delete_old();
            let deleted = program
                .store
                .recorded(Recurring::CleanUp, deleted, |count| Some(*count));
            match deleted.await {
                Ok(0) => {}
                Ok(count) => eprintln!("deleted {count} figures that were older than 90 days"),
                Err(error) => eprintln!("old figures cannot be deleted: {error}"),
            }
        }
        SleepUntil::new(timer, now + SECOND).await;
    }
}
