//! One record for each invocation, in the shape of Workers Analytics Engine.

use super::{
    Report,
    units::{float, millis, truncated},
};
use crate::{Spent, Tally};
use egress_timing::{Outcome as RequestOutcome, Phase};
use serde::Serialize;
use std::time::Duration;

/// How many blobs, and how many doubles, a data point can have.
pub const MAX_COLUMNS: usize = 20;
/// How many bytes an index can have.
pub const MAX_INDEX: usize = 96;
/// How many bytes all blobs of a data point can have together.
pub const MAX_BLOBS: usize = 16 * 1024;

/// A data point for [Workers Analytics Engine](https://developers.cloudflare.com/analytics/analytics-engine/), within its
/// [limits](https://developers.cloudflare.com/analytics/analytics-engine/limits/): one index of 96 bytes, 20 blobs of 16 KiB
/// together, 20 doubles.
///
/// It serializes to the object that a dataset's `writeDataPoint` takes. Writing it is up to the Worker. An invocation can write
/// 250 of them, so write one for the whole invocation, from a monitor and [a tally](crate::Egress::tally) that live as long as that, and not one for each request.
///
/// What is too long is cut, between two characters; what is too much is left out; a double that is no number is zero.
///
/// ```
/// use tower_egress::monitor::DataPoint;
///
/// let point = DataPoint::new("scan").with_blob("nightly").with_double(1200.0);
/// assert_eq!(
///     serde_json::to_string(&point).unwrap(),
///     r#"{"indexes":["scan"],"blobs":["nightly"],"doubles":[1200.0]}"#
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DataPoint {
    indexes: Vec<String>,
    blobs: Vec<String>,
    doubles: Vec<f64>,
}

impl DataPoint {
    /// Makes one with this index, by which the engine samples: the name of what ran, or of whom it ran for.
    pub fn new(index: &str) -> Self {
        Self {
            indexes: vec![truncated(index, MAX_INDEX).to_owned()],
            ..Self::default()
        }
    }

    /// Makes one from what a monitor saw, and from what was asked of servers, if anything was.
    ///
    /// Both are to be of the invocation alone: figures of the isolate would be added up again with each data point.
    ///
    /// | column | |
    /// |---|---|
    /// | `blob1` | the limits that are exceeded, as `memory,operation:save` |
    /// | `blob2`, `blob3` | the operation with the longest run, and how that ended |
    /// | `double1` | time since the monitor was first used |
    /// | `double2` to `double5` | runs that ended, failed, timed out, were cancelled |
    /// | `double6` | runs that took longer than they should |
    /// | `double7` to `double10` | P50, P95, P99 and the longest of all runs |
    /// | `double11`, `double12` | memory, and its peak, in bytes |
    /// | `double13` | warnings |
    /// | `double14` | requests that were answered, or ended without an answer |
    /// | `double15` | attempts that were sent for them |
    /// | `double16` | retries: all but the first attempt of each request |
    /// | `double17` | requests that ended otherwise than well, refused ones included |
    /// | `double18` | requests that were refused before they were sent |
    /// | `double19` | time that requests waited for rate limits and connections, summed |
    /// | `double20` | time of the longest request |
    ///
    /// Times are in milliseconds. What is not known is zero.
    pub fn of(index: &str, report: &Report, tally: Option<&Tally>) -> Self {
        let mut point = Self::new(index);
        let crossed: Vec<_> = report
            .crossed
            .iter()
            .map(|crossing| match &crossing.operation {
                Some(operation) => format!("{}:{operation}", crossing.limit.as_str()),
                None => crossing.limit.as_str().to_owned(),
            })
            .collect();
        let slowest = report
            .operations
            .iter()
            .filter_map(|(name, operation)| Some((name, operation.slowest.as_ref()?)))
            .max_by(|(_, one), (_, other)| one.duration_ms.total_cmp(&other.duration_ms));
        point.push_blob(&crossed.join(","));
        point.push_blob(slowest.map_or("", |(name, _)| name));
        point.push_blob(slowest.map_or("", |(_, run)| run.outcome.as_str()));
        point.doubles.extend(of_report(report));
        point
            .doubles
            .extend(tally.map_or([0.0; 7], |tally| of_requests(&tally.overall())));
        point.doubles.iter_mut().for_each(keep_finite);
        point
    }

    /// Adds a blob: as much of it as there is room for.
    #[must_use]
    pub fn with_blob(mut self, blob: &str) -> Self {
        self.push_blob(blob);
        self
    }

    /// Adds a double, if there is room.
    #[must_use]
    pub fn with_double(mut self, mut double: f64) -> Self {
        if self.doubles.len() < MAX_COLUMNS {
            keep_finite(&mut double);
            self.doubles.push(double);
        }
        self
    }

    /// Returns the index: one, or none.
    pub fn indexes(&self) -> &[String] {
        &self.indexes
    }

    /// Returns the blobs.
    pub fn blobs(&self) -> &[String] {
        &self.blobs
    }

    /// Returns the doubles.
    pub fn doubles(&self) -> &[f64] {
        &self.doubles
    }

    fn push_blob(&mut self, blob: &str) {
        if self.blobs.len() < MAX_COLUMNS {
            let taken: usize = self.blobs.iter().map(String::len).sum();
            let room = MAX_BLOBS.saturating_sub(taken);
            self.blobs.push(truncated(blob, room).to_owned());
        }
    }
}

fn of_report(report: &Report) -> [f64; 13] {
    use super::Outcome::{Cancelled, Failed, TimedOut};
    let overall = report.overall();
    let durations = overall.durations();
    let or_zero = |time: Option<Duration>| time.map_or(0.0, millis);
    let slow = report.operations.values().map(|operation| operation.slow);
    [
        report.uptime_ms,
        float(overall.count()),
        float(overall.outcome(Failed)),
        float(overall.outcome(TimedOut)),
        float(overall.outcome(Cancelled)),
        float(slow.fold(0, u64::saturating_add)),
        or_zero(durations.p50()),
        or_zero(durations.p95()),
        or_zero(durations.p99()),
        or_zero(durations.max()),
        report.memory.bytes.map_or(0.0, float),
        report.memory.peak_bytes.map_or(0.0, float),
        float(report.warnings),
    ]
}

fn of_requests(spent: &Spent) -> [f64; 7] {
    let waited = spent.phase(Phase::RateWait) + spent.phase(Phase::QueueWait);
    [
        float(spent.requests()),
        float(spent.attempts()),
        float(spent.retries()),
        float(spent.errors()),
        float(spent.outcome(RequestOutcome::Refused)),
        millis(waited),
        millis(spent.longest()),
    ]
}

fn keep_finite(double: &mut f64) {
    if !double.is_finite() {
        *double = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::{Limits, Monitor, Outcome, Sample};
    use egress_context::{Failure, RequestContext};
    use egress_time::{Clock, ManualTimer};
    use egress_timing::{Recorder, TimingLayer};
    use http::{Request, Response, StatusCode};
    use http_body_util::Empty;
    use tower::{Layer, ServiceExt, service_fn};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Three requests: one that waits, is sent three times and succeeds; one that a server refuses; one that a limit does.
    fn tally_of_three(timer: &ManualTimer) -> Tally {
        let recorder = Recorder::unlabelled();
        let tally = recorder.tally();
        let inner = service_fn(|request: Request<StatusCode>| {
            let context = RequestContext::current(request.extensions());
            let context = context.expect("timing makes a context");
            let status = *request.body();
            let mut response = Response::new(Empty::<&[u8]>::new());
            *response.status_mut() = status;
            if status == StatusCode::OK {
                context.add_rate_wait(Duration::from_millis(60));
                context.add_queue_wait(Duration::from_millis(30));
                timer.advance(Duration::from_millis(70));
                (0..3).for_each(|_| _ = context.begin_attempt());
                context.dispatched_at(timer.now());
            }
            let refused = status == StatusCode::CONTINUE;
            if refused {
                context.fail(Failure::Refused);
            }
            std::future::ready(if refused {
                Err("refused")
            } else {
                Ok(response)
            })
        });
        let layer = TimingLayer::new(timer.clone(), recorder);
        let client = layer.layer(inner).with_tally(tally.clone());
        for status in [
            StatusCode::OK,
            StatusCode::BAD_GATEWAY,
            StatusCode::CONTINUE,
        ] {
            let _ = timer.run(client.clone().oneshot(Request::new(status)));
        }
        tally
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let point = DataPoint::new(&"é".repeat(50));
        assert_eq!(point.indexes()[0], "é".repeat(48));
        let point = DataPoint::new("x€")
            .with_blob(&"b".repeat(MAX_BLOBS - 10))
            .with_blob(&"€".repeat(10))
            .with_blob("€")
            .with_blob("z")
            .with_blob("z");
        let lengths: Vec<_> = point.blobs().iter().map(String::len).collect();
        assert_eq!(lengths, [MAX_BLOBS - 10, 9, 0, 1, 0]);
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let mut point = DataPoint::new("x");
        for number in 0..30 {
            point = point.with_blob("b").with_double(f64::from(number));
        }
        assert_eq!(point.indexes().len(), 1);
        assert_eq!((point.blobs().len(), point.doubles().len()), (20, 20));
        assert_eq!(point.doubles()[19], 19.0);
    }

    #[test]
    fn what_is_no_number_is_zero() {
        let point = DataPoint::new("x")
            .with_double(f64::NAN)
            .with_double(f64::INFINITY);
        assert_eq!(point.doubles(), [0.0, 0.0]);
        let tally = Recorder::unlabelled().tally();
        let point = DataPoint::of("x", &Report::default(), Some(&tally));
        assert_eq!(point.doubles(), [0.0; 20]);
        assert_eq!(point.blobs(), ["", "", ""]);
    }

    #[test]
    fn each_column_has_what_its_documentation_says() {
        let timer = ManualTimer::new();
        let monitor = Monitor::new(timer.clone()).with_limits(Limits::new().with_memory(10));
        let save = monitor
            .operation("save")
            .with_warn_after(Duration::from_millis(50));
        save.record(Duration::from_millis(1), Outcome::Ok);
        save.record(Duration::from_millis(100), Outcome::Failed);
        monitor.record("load", Duration::from_millis(400), Outcome::TimedOut);
        for outcome in [Outcome::TimedOut, Outcome::Cancelled] {
            monitor.record("load", Duration::ZERO, outcome);
        }
        timer.advance(Duration::from_secs(1));
        let memory = |bytes| Sample {
            memory_bytes: Some(bytes),
            cpu_time: None,
        };
        monitor.check_with(memory(40));
        monitor.check_with(memory(30));
        let report = monitor.report();
        let tally = tally_of_three(&timer);
        let point = DataPoint::of("scan", &report, Some(&tally));
        assert_eq!(point.blobs(), ["memory", "load", "timed_out"]);
        let doubles = point.doubles();
        assert_eq!(doubles.len(), 20);
        assert_eq!(doubles[..6], [1000.0, 5.0, 1.0, 2.0, 1.0, 1.0]);
        for (double, exact) in doubles[6..10].iter().zip([1.0, 400.0, 400.0, 400.0]) {
            assert!((double - exact).abs() <= exact / 100.0, "{double} {exact}");
        }
        assert_eq!(doubles[10..13], [30.0, 40.0, 2.0]);
        assert_eq!(doubles[13..], [3.0, 4.0, 2.0, 2.0, 1.0, 90.0, 70.0]);
        let alone = DataPoint::of("scan", &monitor.report(), None);
        assert_eq!(alone.doubles()[13..], [0.0; 7]);
    }
}
