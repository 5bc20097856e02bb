//! How far a process has come.

use serde::{Serialize, Serializer};
use std::time::Duration;

/// A snapshot of a process, taken in one moment. It counts items, those of chunks too.
///
/// Durations are serialized in milliseconds.
///
/// ```
/// use std::convert::Infallible;
/// use tower_egress::{TokioTimer, process::Process};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let process = Process::iter(0..4, TokioTimer::new());
/// let handle = process.handle();
/// let outcome = process
///     .for_each(async |number: u32| Ok::<_, Infallible>(number), async |number| {
///         let progress = handle.progress();
///         assert_eq!((progress.total, progress.done), (Some(4), u64::from(number)));
///         assert_eq!(progress.fraction(), Some(f64::from(number) / 4.0));
///         Ok(())
///     })
///     .await;
/// assert_eq!(outcome.done, 4);
/// assert!(handle.progress().is_over);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// How many items there are in all, if that is known.
    pub total: Option<u64>,
    /// How many were begun.
    pub begun: u64,
    /// How many succeeded.
    pub done: u64,
    /// How many failed.
    pub failed: u64,
    /// How long it has run.
    #[serde(rename = "elapsed_ms", serialize_with = "millis")]
    pub elapsed: Duration,
    /// How many items were done or failed in a second, on the average of that time.
    pub per_second: f64,
    /// How long the rest takes at that rate, if it is known how many there are.
    #[serde(rename = "time_left_ms", serialize_with = "some_millis")]
    pub time_left: Option<Duration>,
    /// Whether it is over, in whatever way.
    pub is_over: bool,
}

impl Progress {
    /// Returns how much is done or failed, from 0 to 1, if it is known how many there are.
    pub fn fraction(&self) -> Option<f64> {
        Some(match self.total? {
            0 => 1.0,
            total => ratio(self.done + self.failed, total).min(1.0),
        })
    }
}

/// What a handle counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) total: Option<u64>,
    pub(super) begun: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
}

impl Counts {
    /// How many were not begun, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        Some(self.total?.saturating_sub(self.begun))
    }

    pub(super) fn progress(&self, elapsed: Duration, is_over: bool) -> Progress {
        let finished = self.done + self.failed;
        let per_second = match elapsed.as_secs_f64() {
            0.0 => 0.0,
            seconds => float(finished) / seconds,
        };
        // A stream may have said too little.
        let total = self.total.map(|total| total.max(self.begun));
        let time_left = total.and_then(|total| match total - finished {
            0 => Some(Duration::ZERO),
            _ if is_over => None,
            // Beyond what a duration can hold is not known.
            left => Duration::try_from_secs_f64(float(left) / per_second).ok(),
        });
        Progress {
            total,
            begun: self.begun,
            done: self.done,
            failed: self.failed,
            elapsed,
            per_second,
            time_left,
            is_over,
        }
    }
}

/// Exact up to 2^53.
#[allow(
    clippy::cast_precision_loss,
    reason = "a rate of so many is an estimate anyway"
)]
fn float(count: u64) -> f64 {
    count as f64
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole)
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1000.0)
}

fn some_millis<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration
        .map(|duration| duration.as_secs_f64() * 1000.0)
        .serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SECOND: Duration = Duration::from_secs(1);

    fn counts(total: Option<u64>, done: u64, failed: u64) -> Counts {
        Counts {
            total,
            begun: done + failed,
            done,
            failed,
        }
    }

    #[test]
    fn rate_and_time_left_follow_from_what_is_finished() {
        let progress = counts(Some(100), 15, 5).progress(10 * SECOND, false);
        assert_eq!(progress.per_second, 2.0);
        assert_eq!(progress.time_left, Some(40 * SECOND));
        assert_eq!(progress.fraction(), Some(0.2));
    }

    #[test]
    fn nothing_is_claimed_that_is_not_known() {
        let begun = counts(Some(10), 0, 0).progress(Duration::ZERO, false);
        assert_eq!((begun.per_second, begun.time_left), (0.0, None));
        let endless = counts(None, 5, 0).progress(SECOND, false);
        assert_eq!((endless.fraction(), endless.time_left), (None, None));
        let stopped = counts(Some(10), 5, 0).progress(SECOND, true);
        assert_eq!(stopped.time_left, None, "the rest will not be done");
        let empty = counts(Some(0), 0, 0).progress(Duration::ZERO, true);
        assert_eq!(
            (empty.fraction(), empty.time_left),
            (Some(1.0), Some(Duration::ZERO))
        );
    }

    #[test]
    fn a_stream_that_said_too_little_is_not_believed() {
        let progress = counts(Some(3), 5, 0).progress(SECOND, false);
        assert_eq!((progress.total, progress.fraction()), (Some(5), Some(1.0)));
    }

    #[test]
    fn it_is_serialized_in_milliseconds() {
        let progress = counts(Some(4), 1, 1).progress(SECOND, false);
        let json = serde_json::to_value(progress).unwrap();
        let expected = serde_json::json!({
            "total": 4, "begun": 2, "done": 1, "failed": 1,
            "elapsed_ms": 1000.0, "per_second": 2.0, "time_left_ms": 1000.0, "is_over": false,
        });
        assert_eq!(json, expected);
    }
}
