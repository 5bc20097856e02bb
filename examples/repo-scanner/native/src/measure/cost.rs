//! What it costs to watch an operation.

use crate::failure::Failure;
use repo_scanner_core::{Store, Switches, flags};
use tower_egress::{Clock, TokioTimer, monitor::Monitor, sql::sqlite::Sqlite};

pub(super) const TITLE: &str = "an operation that reads one row in memory";

/// So many operations at a time, alternating, so that what else goes on hits both.
const OPERATIONS: u32 = 500;
const ROUNDS: u32 = 20;

/// Returns what one takes in nanoseconds, watched and not: the best round of each.
pub(super) async fn both() -> Result<[u64; 2], Failure> {
    eprintln!("{TITLE}: with monitoring and without");
    let failed = |error: &dyn std::fmt::Display| Failure::failed("an operation has failed", error);
    let timer = TokioTimer::new();
    let flags = flags().build();
    let database = Sqlite::open_in_memory().await;
    let database = database.map_err(|error| failed(&error))?;
    let store = Store::open(database, timer, Monitor::new(timer)).await;
    let store = store.map_err(|error| failed(&error))?;
    let store = store.with_switches(Switches::new(&flags));
    let mut best = [u64::MAX; 2];
    for _ in 0..ROUNDS {
        for (best, is_on) in best.iter_mut().zip([true, false]) {
            let config = format!(r#"{{"monitoring": {is_on}}}"#);
            flags.apply_json(&config).map_err(|error| failed(&error))?;
            let began = timer.now();
            for _ in 0..OPERATIONS {
                store.running_scan().await.map_err(|error| failed(&error))?;
            }
            let each = (timer.now() - began) / OPERATIONS;
            *best = u64::try_from(each.as_nanos())
                .unwrap_or(u64::MAX)
                .min(*best);
        }
    }
    Ok(best)
}
