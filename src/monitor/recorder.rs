//! Metrics for the recorder of the [`metrics`] crate.

use super::{
    Report, export,
    family::{Family, Kind},
};
use crate::Status;
use metrics::{Key, KeyName, Label, Level, Metadata, Unit};

/// Who registers the metrics.
static METADATA: Metadata<'static> =
    Metadata::new(super::TARGET, Level::INFO, Some(module_path!()));

/// Tells the recorder of the [`metrics`] crate what an egress and a monitor say; call it now and then.
///
/// They are the metrics of [`prometheus::render`](super::prometheus::render): counters are set to what they have come to, but those of
/// seconds are gauges, for a counter of that crate is of whole numbers; and of distributions the percentiles of the last minute are gauges with a label `quantile`, beside a counter `…_count` and a gauge
/// `…_sum`. Without a recorder nothing happens.
///
/// ```
/// use tower_egress::{Egress, monitor::{self, Monitor}};
///
/// let timer = egress_time::ManualTimer::new();
/// let egress = Egress::builder_on(timer.clone()).build();
/// let monitor = Monitor::new(timer);
/// monitor::record_metrics(&egress.status(), &monitor.report());
/// ```
pub fn record_metrics(status: &Status, report: &Report) {
    record(&export::of_status(status));
    report.record_metrics();
}

impl Report {
    /// Tells the recorder of the [`metrics`] crate what the monitor says; [`record_metrics`] adds the status of an egress.
    ///
    /// ```
    /// use tower_egress::monitor::Monitor;
    ///
    /// let monitor = Monitor::new(egress_time::ManualTimer::new());
    /// monitor.report().record_metrics();
    /// ```
    pub fn record_metrics(&self) {
        record(&export::of_report(self));
    }
}

fn record(families: &[Family<'_>]) {
    metrics::with_recorder(|recorder| {
        for family in families {
            let unit = match family.name {
                name if name.contains("_seconds") => Some(Unit::Seconds),
                name if name.ends_with("_bytes") => Some(Unit::Bytes),
                _ => None,
            };
            let name = KeyName::from_const_str(family.name);
            // A counter of theirs is of whole numbers.
            let counts = family.kind == Kind::Counter && unit.is_none();
            if counts {
                recorder.describe_counter(name, unit, family.help.into());
            } else {
                recorder.describe_gauge(name, unit, family.help.into());
            }
            for value in &family.values {
                let labels = value.labels.iter();
                let labels =
                    labels.map(|(name, value)| Label::new(*name, value.clone().into_owned()));
                let name = format!("{}{}", family.name, value.suffix);
                let key = Key::from_parts(name, labels.collect::<Vec<_>>());
                if counts || value.suffix == "_count" {
                    let counter = recorder.register_counter(&key, &METADATA);
                    counter.absolute(whole(value.value));
                } else {
                    let gauge = recorder.register_gauge(&key, &METADATA);
                    gauge.set(value.value);
                }
            }
        }
    });
}

/// Counts come from whole numbers; beyond 2^53 they are as near as they are.
fn whole(value: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(value).map_or(u64::MAX, |value| value.as_secs())
}
