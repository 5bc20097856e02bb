//! What must not be exceeded, and what is.

use super::units;
use serde::Serialize;
use std::{fmt, time::Duration};

/// What a program must not exceed; see [`Monitor::check`](super::Monitor::check).
///
/// # Defaults
///
/// - no limit at all
/// - [hysteresis](Self::with_hysteresis) 0.1
///
/// ```
/// use std::time::Duration;
/// use tower_egress::monitor::Limits;
///
/// let limits = Limits::new()
///     .with_memory(256 << 20)
///     .with_cpu_share(0.9)
///     .with_duration(Duration::from_secs(60));
/// assert_eq!(limits.memory(), Some(256 << 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    memory: Option<u64>,
    cpu_time: Option<Duration>,
    cpu_share: Option<f64>,
    duration: Option<Duration>,
    hysteresis: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// Makes limits that nothing exceeds.
    pub const fn new() -> Self {
        Self {
            memory: None,
            cpu_time: None,
            cpu_share: None,
            duration: None,
            hysteresis: 0.1,
        }
    }

    /// Makes those of a Worker: 96 MiB of wasm memory.
    ///
    /// An isolate has [128 MB](https://developers.cloudflare.com/workers/platform/limits/#memory) for JavaScript and wasm
    /// together, and only the wasm part can be seen. A Worker cannot read its CPU time, and how long it may run depends on
    /// what started it, so neither is limited here.
    pub const fn worker() -> Self {
        Self::new().with_memory(96 << 20)
    }

    /// Limits the memory, in bytes: resident natively, the wasm heap in a Worker.
    #[must_use]
    pub const fn with_memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Limits the CPU time that the process spends from the first sample on.
    #[must_use]
    pub const fn with_cpu_time(mut self, time: Duration) -> Self {
        self.cpu_time = Some(time);
        self
    }

    /// Limits how busy the process keeps the machine between two samples: 1.0 is one whole core.
    #[must_use]
    pub const fn with_cpu_share(mut self, share: f64) -> Self {
        self.cpu_share = Some(share);
        self
    }

    /// Limits for how long any run of any operation may have been running.
    #[must_use]
    pub const fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Sets how far below its limit, as a share of it, a value must fall before it is warned of again; 0.1 says that 90 % is
    /// low enough. What is no share counts as 0 or 1.
    #[must_use]
    pub const fn with_hysteresis(mut self, share: f64) -> Self {
        // Also for NaN, which `clamp` would keep.
        self.hysteresis = share.max(0.0).min(1.0);
        self
    }

    /// Returns the limit of memory, in bytes.
    pub const fn memory(&self) -> Option<u64> {
        self.memory
    }

    /// Returns the limit of CPU time.
    pub const fn cpu_time(&self) -> Option<Duration> {
        self.cpu_time
    }

    /// Returns the limit of the share of a core.
    pub const fn cpu_share(&self) -> Option<f64> {
        self.cpu_share
    }

    /// Returns how long a run may take.
    pub const fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Returns how far below its limit a value must fall before it is warned of again.
    pub const fn hysteresis(&self) -> f64 {
        self.hysteresis
    }
}

/// What can be exceeded; a [`Crossing`] says what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum LimitKind {
    /// [Memory](Limits::with_memory), in bytes.
    Memory,
    /// [CPU time](Limits::with_cpu_time), in milliseconds.
    CpuTime,
    /// [Share of a core](Limits::with_cpu_share).
    CpuShare,
    /// [How long any run has been running](Limits::with_duration), in milliseconds.
    Duration,
    /// [How long a run of one operation takes](super::Operation::with_warn_after), in milliseconds.
    Operation,
}

impl LimitKind {
    /// Returns its name as metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::CpuTime => "cpu_time",
            Self::CpuShare => "cpu_share",
            Self::Duration => "duration",
            Self::Operation => "operation",
        }
    }

    fn write(self, value: f64) -> String {
        match self {
            Self::Memory => units::size(value),
            Self::CpuShare => units::percent(value),
            Self::CpuTime | Self::Duration | Self::Operation => units::time(value),
        }
    }
}

/// A limit that is exceeded, and by how much.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::monitor::{LimitKind, Limits, Monitor, Sample};
///
/// let timer = egress_time::ManualTimer::new();
/// let limits = Limits::new().with_duration(Duration::from_secs(60));
/// let monitor = Monitor::new(timer.clone()).with_limits(limits);
/// let _scan = monitor.start("scan");
/// timer.advance(Duration::from_secs(61));
/// let crossed = &monitor.check_with(Sample::default())[0];
/// assert_eq!(crossed.limit, LimitKind::Duration);
/// assert_eq!(crossed.to_string(), "\"scan\" takes 61 s, the limit is 60 s");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Crossing {
    /// Which limit.
    pub limit: LimitKind,
    /// By which operation, where it is one.
    pub operation: Option<String>,
    /// What it is, in the unit of the limit.
    pub value: f64,
    /// What it should not exceed.
    pub threshold: f64,
}

/// A sentence for people: `memory is 130 MiB, the limit is 128 MiB`.
impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.limit.write(self.value);
        let threshold = self.limit.write(self.threshold);
        match (self.limit, &self.operation) {
            (LimitKind::Memory, _) => write!(f, "memory is {value}, the limit is {threshold}"),
            (LimitKind::CpuTime, _) => {
                write!(f, "{value} of CPU were used, the limit is {threshold}")
            }
            (LimitKind::CpuShare, _) => {
                write!(
                    f,
                    "the CPU is used at {value} of a core, the limit is {threshold}"
                )
            }
            (LimitKind::Duration | LimitKind::Operation, operation) => {
                let operation = operation.as_deref().unwrap_or("an operation");
                write!(f, "{operation:?} takes {value}, the limit is {threshold}")
            }
        }
    }
}

/// Whether a limit is exceeded, so that it is said once for each crossing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarm {
    raised: bool,
}

impl Alarm {
    /// Takes note that the limit is exceeded, and tells whether it was not before.
    pub(super) const fn raise(&mut self) -> bool {
        !std::mem::replace(&mut self.raised, true)
    }

    /// Takes note of a value, and tells whether the limit was crossed with it.
    pub(super) fn observe(&mut self, value: f64, limit: f64, hysteresis: f64) -> bool {
        if value > limit {
            return self.raise();
        }
        if value <= limit * (1.0 - hysteresis) {
            self.raised = false;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let limits = Limits::default();
        assert_eq!(limits.memory(), None);
        assert_eq!(limits.cpu_time(), None);
        assert_eq!(limits.cpu_share(), None);
        assert_eq!(limits.duration(), None);
        assert_eq!(limits.hysteresis(), 0.1);
        assert_eq!(Limits::worker().memory(), Some(96 * 1024 * 1024));
        assert_eq!(Limits::new().with_hysteresis(7.0).hysteresis(), 1.0);
        assert_eq!(Limits::new().with_hysteresis(f64::NAN).hysteresis(), 0.0);
    }

    #[test]
    fn an_alarm_is_raised_once_for_each_crossing() {
        let mut alarm = Alarm::default();
        let raised = [100.0, 100.1, 150.0, 95.0, 101.0, 90.0, 100.0, 101.0]
            .map(|value| alarm.observe(value, 100.0, 0.1));
        let expected = [false, true, false, false, false, false, false, true];
        assert_eq!(raised, expected, "95 is not low enough, 90 is");
    }

    #[test]
    fn a_limit_of_nothing_can_be_kept_again() {
        let mut alarm = Alarm::default();
        let raised = [1.0, 0.0, 1.0].map(|value| alarm.observe(value, 0.0, 0.1));
        assert_eq!(raised, [true, false, true]);
    }

    #[test]
    fn crossings_are_sentences() {
        let crossing = |limit, operation: Option<&str>, value, threshold| {
            let operation = operation.map(str::to_owned);
            let crossing = Crossing {
                limit,
                operation,
                value,
                threshold,
            };
            crossing.to_string()
        };
        assert_eq!(
            crossing(LimitKind::Memory, None, 136_314_880.0, 134_217_728.0),
            "memory is 130 MiB, the limit is 128 MiB"
        );
        assert_eq!(
            crossing(LimitKind::CpuShare, None, 0.95, 0.9),
            "the CPU is used at 95 % of a core, the limit is 90 %"
        );
        assert_eq!(
            crossing(LimitKind::CpuTime, None, 61e3, 60e3),
            "61 s of CPU were used, the limit is 60 s"
        );
        assert_eq!(
            crossing(LimitKind::Operation, Some("save\n"), 1500.0, 1000.0),
            "\"save\\n\" takes 1.5 s, the limit is 1 s"
        );
    }
}
