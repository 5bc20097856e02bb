//! How a run of an operation ended.

use serde::Serialize;
use std::fmt;

/// How a run of an operation ended.
///
/// ```
/// use tower_egress::monitor::{Monitor, Outcome};
///
/// let monitor = Monitor::new(egress_time::ManualTimer::new());
/// drop(monitor.start("scan"));
/// let scans = &monitor.report().operations["scan"].lifetime;
/// assert_eq!(scans.outcome(Outcome::Cancelled), 1);
/// assert!(!Outcome::Cancelled.is_error() && Outcome::TimedOut.is_error());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Outcome {
    /// It did what it was to do.
    Ok,
    /// It failed: its future answered with an error, its span saw one, or it panicked.
    Failed,
    /// It was ended because its time was over.
    TimedOut,
    /// It was dropped before it said how it ended.
    Cancelled,
}

impl Outcome {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Ok, Self::Failed, Self::TimedOut, Self::Cancelled];

    pub(super) const COUNT: usize = Self::ALL.len();

    /// Returns its name as metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }

    /// Tells whether it counts as an error: failed and timed out do, cancelled does not.
    pub const fn is_error(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
