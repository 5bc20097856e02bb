//! One group does worse than the other, and how both do.

use serde::Serialize;
use std::fmt;

/// Those for whom a flag is on do worse than the rest, or the rest does.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::flags::{Flags, Rule, Worse};
///
/// let flags = Flags::builder()
///     .flag("newSearch", Rule::share(50.0)?)
///     .on_alert(|alert| {
///         assert_eq!((alert.was_on, alert.worse), (true, Worse::Failures));
///         assert_eq!(alert.to_string(), "newSearch is on for 200 of which 100 failed, and off for 200 of which 0 failed");
///     })
///     .build();
/// let flag = flags.get("newSearch").unwrap();
/// for n in 0..200 {
///     flag.record(true, n % 2 == 0, Duration::from_millis(20));
///     flag.record(false, true, Duration::from_millis(20));
/// }
/// let status = &flags.status().flags["newSearch"];
/// assert!(status.is_worse);
/// assert_eq!((status.on.count, status.on.failed, status.off.failed), (200, 100, 0));
/// # Ok::<_, tower_egress::flags::InvalidPercent>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// The flag's name.
    pub flag: String,
    /// Whether it is those for whom it is on that do worse.
    pub was_on: bool,
    /// In what.
    pub worse: Worse,
    /// How those fare for whom it is on.
    pub on: ArmStatus,
    /// How the rest fare.
    pub off: ArmStatus,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, on, off, .. } = self;
        match self.worse {
            Worse::Failures => write!(
                f,
                "{flag} is on for {} of which {} failed, and off for {} of which {} failed",
                on.count, on.failed, off.count, off.failed
            ),
            Worse::Slower => write!(
                f,
                "with {flag} on 95 in 100 take up to {} ms, and with it off {} ms",
                on.p95_ms, off.p95_ms
            ),
        }
    }
}

/// In what a group does worse than the other: see [`Alert`] for how it is told.
///
/// It is looked at after each 100, once there are 200 of each group, by what was [recorded last](ArmStatus::count). A group that
/// fails more is not called faster.
///
/// Each record counts as independent of the others; [`Flag::record`](super::Flag::record) says where that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Worse {
    /// More of them fail: two in a hundred more at least, and by three and a half standard errors.
    Failures,
    /// 95 in 100 take up to half as long again, and 5 ms longer at least, by three standard errors of that percentile.
    Slower,
}

/// How a group fares; there is one in each [`Alert`] and [`FlagStatus`](super::FlagStatus).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ArmStatus {
    /// How many are compared: those that were recorded since the rule was set, or the last 10,000 to 20,000 of the smaller group and what was
    /// recorded of the other meanwhile.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// 95 in 100 of them took no longer.
    pub p95_ms: f64,
    /// How many were ever recorded, whatever the rule was.
    pub ever: u64,
    /// How many of those failed.
    pub ever_failed: u64,
}
