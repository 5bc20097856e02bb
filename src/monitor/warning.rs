//! What is said once when a limit is crossed.

use super::Crossing;
use serde::Serialize;
use std::collections::VecDeque;

/// How many warnings are kept until somebody takes them; the oldest go first.
pub const MAX_WARNINGS: usize = 64;

/// A limit was crossed; said once, and again only after the value has fallen well below it.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::monitor::{Monitor, Outcome};
///
/// let monitor = Monitor::new(egress_time::ManualTimer::new());
/// let save = monitor.operation("save").with_warn_after(Duration::from_secs(1));
/// save.record(Duration::from_secs(3), Outcome::Ok);
/// save.record(Duration::from_secs(4), Outcome::Ok);
/// let warnings = monitor.take_warnings();
/// assert_eq!(warnings.len(), 1);
/// assert_eq!(warnings[0].crossing.to_string(), "\"save\" takes 3 s, the limit is 1 s");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Warning {
    /// When, in milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// What was crossed.
    #[serde(flatten)]
    pub crossing: Crossing,
}

/// The warnings that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    kept: VecDeque<Warning>,
    total: u64,
}

impl Warnings {
    pub(super) fn push(&mut self, warning: Warning) {
        if self.kept.len() == MAX_WARNINGS {
            self.kept.pop_front();
        }
        self.kept.push_back(warning);
        self.total = self.total.saturating_add(1);
    }

    pub(super) fn take(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.kept).into()
    }

    pub(super) fn kept(&self) -> Vec<Warning> {
        self.kept.iter().cloned().collect()
    }

    /// Returns how many there ever were.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }
}
