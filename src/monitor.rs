//! What a program does, how long that takes, and whether it stays within its limits.
//!
//! A [`Monitor`] counts *runs* of named *operations*: how many there were, how they [ended](Outcome), and how long they took, over
//! the lifetime and over a rolling minute, with P50, P95 and P99 within 1 %. It samples memory and CPU where that is possible, says
//! once when a [limit](Limits) is crossed, and tells it all as [JSON](Report), as a [text](Report::summary) for people, as
//! [Prometheus text](prometheus) and, on request, through the `metrics` crate.
//!
//! It is a handle on plain data: it spawns nothing, keeps no waker, and takes the time from the clock that it is made with. So it
//! may be kept in a static, also in a Worker.
//!
//! # How runs are counted
//!
//! - [`Monitor::run`] runs a future, and ends it when its [timeout](Operation::with_timeout) is over.
//! - [`Monitor::start`] begins a run, which counts when it is told how it ended, or when it is dropped.
//! - [`Monitor::record`] counts what somebody else has measured.
//! - `SpanLayer`, with the feature `tracing`, counts spans: `#[tracing::instrument]` is then all that a function needs.
//!
//! ```
//! use egress_time::{SleepUntil, ManualTimer, Clock};
//! use std::time::Duration;
//! use tower_egress::monitor::{Monitor, Outcome};
//!
//! let timer = ManualTimer::new(); // natively `TokioTimer::new()`, in a Worker `WorkerTimer::new()`
//! let monitor = Monitor::new(timer.clone());
//! monitor
//!     .operation("save repositories")
//!     .with_timeout(Duration::from_secs(30))
//!     .with_warn_after(Duration::from_secs(5));
//!
//! let sleep = |seconds| SleepUntil::new(timer.clone(), timer.now() + Duration::from_secs(seconds));
//! let saved = timer.run(monitor.run("save repositories", async {
//!     sleep(60).await;
//!     Ok::<_, std::io::Error>(1200)
//! }));
//! assert_eq!(
//!     saved.unwrap_err().to_string(),
//!     "\"save repositories\" was ended after 30s: its timeout is 30s"
//! );
//!
//! let report = monitor.report();
//! let save = &report.operations["save repositories"];
//! assert_eq!(save.lifetime.outcome(Outcome::TimedOut), 1);
//! assert_eq!(save.slow, 1);
//! assert_eq!(monitor.take_warnings().len(), 1);
//! ```
//!
//! [`Monitor::summary`] writes what there is as
//!
//! ```text
//! up 61 s | memory 5.03 MiB, peak 5.03 MiB, mean 5.03 MiB | CPU 120 ms | warnings 2
//! ! memory is 5.03 MiB, the limit is 1 MiB
//! operation          running  count  errors      P50     P95     P99     max  last min  errors   P95
//! fetch                    0   1200       4  78.1 ms  148 ms  154 ms  156 ms         0       0     -
//! save repositories        0      2       0     3 ms   12 ms   12 ms   12 ms         1       0  3 ms
//! scan                     1      0       0        -       -       -       -         0       0     -
//! ```
//!
//! # Names
//!
//! Operations and checkpoints are named by the program, and names go into reports as they are: no URLs, no tokens. How many
//! operations there can be is [bounded](Monitor::with_max_operations), and so is the length of a name; what has no room counts as
//! `other`.
//!
//! # Warnings
//!
//! A limit that is crossed is said once: as an event of `tracing` with the target `tower_egress::monitor`, and as a [`Warning`]
//! that [`Monitor::take_warnings`] returns. It is said again only after the value has fallen
//! [well below](Limits::with_hysteresis) the limit. An operation that should not take long is watched at the end of each run; the
//! rest, and runs that do not end, by [`Monitor::check`].
//!
//! # Workers
//!
//! What can be known is in the documentation of [`Sample`]: the wasm heap, but not JavaScript's, and no CPU time. The clock moves
//! with I/O only, so that a run takes as long as it waits and computing takes no time. An invocation that is ended from outside
//! drops nothing: its runs are [lost](OperationReport::lost) after [a while](Monitor::with_forget_after). A report is of one
//! isolate. A [`Run`] with a timeout sleeps, and so belongs to the invocation that polls it; all else may be shared.
//! [`DataPoint`] is a report in the shape of Workers Analytics Engine, for one invocation.
//!
//! # Cancel safety
//!
//! A run that is dropped counts as [cancelled](Outcome::Cancelled).

mod data_point;
mod export;
mod family;
mod figures;
mod handle;
mod limits;
mod minute;
mod names;
mod operation;
mod outcome;
pub mod prometheus;
#[cfg(feature = "metrics")]
mod recorder;
mod report;
mod resources;
mod run;
mod running;
mod sample;
mod series;
mod shared;
#[cfg(feature = "tracing")]
mod spans;
mod summary;
#[cfg(test)]
mod tests;
mod units;
mod warning;

#[cfg(feature = "metrics")]
pub use self::recorder::record_metrics;
#[cfg(feature = "tracing")]
pub use self::spans::SpanLayer;
pub use self::{
    data_point::{DataPoint, MAX_BLOBS, MAX_COLUMNS, MAX_INDEX},
    figures::Figures,
    handle::{DEFAULT_FORGET_AFTER, DEFAULT_MAX_OPERATIONS, Monitor},
    limits::{Crossing, LimitKind, Limits},
    names::{MAX_NAME, OTHER},
    operation::Operation,
    outcome::Outcome,
    report::{Checkpoint, CpuReport, MemoryReport, OperationReport, Report, RunReport},
    run::{OperationTimedOut, Run},
    running::{MAX_CHECKPOINTS, Running},
    sample::Sample,
    warning::{MAX_WARNINGS, Warning},
};

/// The target of the events in here.
const TARGET: &str = "tower_egress::monitor";
