//! What a monitor has seen, for people and machines.

use super::{Crossing, Figures, Outcome, Warning};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

/// What a [`Monitor`](super::Monitor) has seen until now; serializes to JSON with camel-case names.
///
/// Durations are in milliseconds, memory is in bytes. It holds what the program calls its operations and checkpoints, and
/// nothing else that anybody wrote: no URL, no header, no error's text. Of nothing it is full of zeros and valid. In a Worker
/// it tells of one isolate, and begins anew with it.
///
/// ```
/// use tower_egress::monitor::Monitor;
///
/// let monitor = Monitor::new(egress_time::ManualTimer::new());
/// monitor.start("save").succeed();
///
/// let json = serde_json::to_value(monitor.report()).unwrap();
/// assert_eq!(json["operations"]["save"]["lifetime"]["ok"], 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// For how long the monitor has been used.
    pub uptime_ms: f64,
    /// Each operation that was set up or has run, by name.
    pub operations: BTreeMap<String, OperationReport>,
    /// The memory, as far as it was sampled.
    pub memory: MemoryReport,
    /// The CPU, as far as it was sampled.
    pub cpu: CpuReport,
    /// What is exceeded now.
    pub crossed: Vec<Crossing>,
    /// How often a limit was crossed.
    pub warnings: u64,
    /// The warnings that nobody has taken, the oldest first.
    pub recent_warnings: Vec<Warning>,
}

/// What is known of one operation.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::monitor::Monitor;
///
/// let timer = egress_time::ManualTimer::new();
/// let monitor = Monitor::new(timer.clone());
/// let scan = monitor.start("scan");
/// timer.advance(Duration::from_secs(2));
/// let report = monitor.report().operations["scan"].clone();
/// assert_eq!((report.running, report.longest_running_ms), (1, Some(2000.0)));
/// scan.succeed();
/// let report = monitor.report().operations["scan"].clone();
/// assert_eq!((report.running, report.last_minute.count()), (0, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OperationReport {
    /// How many runs are running.
    pub running: usize,
    /// For how long the first of them has been.
    pub longest_running_ms: Option<f64>,
    /// How many began, and were not heard of again for too long.
    pub lost: u64,
    /// How many took longer than the operation should.
    pub slow: u64,
    /// When its runs are ended.
    pub timeout_ms: Option<f64>,
    /// What it should take at most.
    pub warn_after_ms: Option<f64>,
    /// For how long runs were at work, and not waiting; known where runs are spans.
    pub busy_ms: Option<f64>,
    /// All runs that ever ended.
    pub lifetime: Figures,
    /// Those of the last minute.
    pub last_minute: Figures,
    /// The run that took longest.
    pub slowest: Option<RunReport>,
    /// The run that ended last.
    pub last: Option<RunReport>,
}

/// What is known of one run.
///
/// ```
/// use tower_egress::monitor::{Monitor, Outcome};
///
/// let monitor = Monitor::new(egress_time::ManualTimer::new());
/// let mut scan = monitor.start("scan");
/// scan.checkpoint("fetched");
/// scan.fail();
/// let slowest = monitor.report().operations["scan"].slowest.clone().unwrap();
/// assert_eq!(slowest.outcome, Outcome::Failed);
/// assert_eq!(slowest.checkpoints[0].name, "fetched");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunReport {
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub duration_ms: f64,
    /// Where it came past, in order.
    pub checkpoints: Vec<Checkpoint>,
    /// How many checkpoints more there were than are kept.
    pub dropped_checkpoints: u64,
}

/// When a run came past a point; [`Running::checkpoint`](super::Running::checkpoint) takes note of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Checkpoint {
    /// What the program calls it.
    pub name: Cow<'static, str>,
    /// How long after the run began.
    pub since_start_ms: f64,
    /// How long after the checkpoint before it.
    pub since_last_ms: f64,
}

/// How much memory there is in use; see [`Sample`](super::Sample) for which.
///
/// ```
/// use tower_egress::monitor::{Monitor, Sample};
///
/// let monitor = Monitor::new(egress_time::ManualTimer::new());
/// for bytes in [3000, 5000, 1000] {
///     monitor.check_with(Sample { memory_bytes: Some(bytes), ..Sample::default() });
/// }
/// let memory = monitor.report().memory;
/// assert_eq!((memory.bytes, memory.peak_bytes, memory.mean_bytes), (Some(1000), Some(5000), Some(3000)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MemoryReport {
    /// At the last sample.
    pub bytes: Option<u64>,
    /// The most of all samples.
    pub peak_bytes: Option<u64>,
    /// The mean of all samples.
    pub mean_bytes: Option<u64>,
    /// What it should not exceed.
    pub limit_bytes: Option<u64>,
    /// How many samples there were.
    pub samples: u64,
}

/// How much CPU was used; see [`Sample`](super::Sample) for where that is known.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::monitor::{Monitor, Sample};
///
/// let timer = egress_time::ManualTimer::new();
/// let monitor = Monitor::new(timer.clone());
/// for seconds in [70, 71] {
///     monitor.check_with(Sample { cpu_time: Some(Duration::from_secs(seconds)), ..Sample::default() });
///     timer.advance(Duration::from_secs(2));
/// }
/// let cpu = monitor.report().cpu;
/// assert_eq!((cpu.time_ms, cpu.share), (Some(1000.0), Some(0.5)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CpuReport {
    /// Since the first sample.
    pub time_ms: Option<f64>,
    /// How busy the process was between the last two samples; 1.0 is one core.
    pub share: Option<f64>,
    /// The most of that.
    pub peak_share: Option<f64>,
    /// What the time should not exceed.
    pub limit_time_ms: Option<f64>,
    /// What the share should not exceed.
    pub limit_share: Option<f64>,
}

impl Report {
    /// Returns the figures of all operations together, over the lifetime.
    ///
    /// An operation that is a part of another counts in both. [`Figures`] has an example.
    pub fn overall(&self) -> Figures {
        let mut overall = Figures::default();
        for operation in self.operations.values() {
            overall.merge(&operation.lifetime);
        }
        overall
    }

    /// Returns how many runs of all operations are running.
    pub fn running(&self) -> usize {
        let running = self.operations.values().map(|operation| operation.running);
        running.fold(0, usize::saturating_add)
    }
}
