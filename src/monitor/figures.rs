//! How many runs there were, how they ended, and how long they took.

use super::{Outcome, units::millis};
use egress_timing::{Distribution, Histogram};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// How many runs there were, how they ended, and how long they took, over some time.
///
/// Percentiles are within 1 % (below 8 µs: within 128 ns) of the nearest-rank percentile. Runs that failed, timed out or
/// were cancelled count as well: a service that leaves them out looks faster the worse it gets.
///
/// Figures of several operations, programs or isolates [merge](Self::merge): what merges is the counts, so that the
/// percentiles are those of all runs together.
///
/// It serializes as people read it: `count`, `ok`, `failed`, `timedOut`, `cancelled`, `errors`, `totalMs`, `meanMs`,
/// `p50Ms`, `p95Ms`, `p99Ms`, `maxMs`; of nothing, all of them are zero.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::monitor::{Monitor, Outcome};
///
/// let monitor = Monitor::new(egress_time::ManualTimer::new());
/// monitor.operation("parse").record(Duration::from_millis(20), Outcome::Ok);
/// monitor.operation("store").record(Duration::from_millis(80), Outcome::Failed);
///
/// let both = monitor.report().overall();
/// assert_eq!((both.count(), both.errors()), (2, 1));
/// assert_eq!(both.total(), Duration::from_millis(100));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    outcomes: [u64; Outcome::COUNT],
    total: Duration,
    durations: Distribution,
}

impl Figures {
    /// Returns how many runs ended.
    pub fn count(&self) -> u64 {
        self.outcomes
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns how many ended so.
    pub const fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome.index()]
    }

    /// Returns how many failed or timed out.
    pub fn errors(&self) -> u64 {
        let errors = Outcome::ALL.iter().filter(|outcome| outcome.is_error());
        errors.fold(0, |sum, outcome| sum.saturating_add(self.outcome(*outcome)))
    }

    /// Returns how long they took together.
    pub const fn total(&self) -> Duration {
        self.total
    }

    /// Returns how long they took on average, exactly.
    pub fn mean(&self) -> Option<Duration> {
        let count = u128::from(self.count());
        let mean = self.total.as_nanos().checked_div(count)?;
        Some(Duration::from_nanos(
            u64::try_from(mean).unwrap_or(u64::MAX),
        ))
    }

    /// Returns how the durations are distributed: percentiles, shortest and longest.
    pub const fn durations(&self) -> &Distribution {
        &self.durations
    }

    /// Adds what `other` has: the figures of both together.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine = mine.saturating_add(theirs);
        }
        self.total = self.total.saturating_add(other.total);
        self.durations.merge(&other.durations);
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let or_zero = |time: Option<Duration>| time.map_or(0.0, millis);
        let mut fields = serializer.serialize_struct("Figures", 12)?;
        fields.serialize_field("count", &self.count())?;
        fields.serialize_field("ok", &self.outcome(Outcome::Ok))?;
        fields.serialize_field("failed", &self.outcome(Outcome::Failed))?;
        fields.serialize_field("timedOut", &self.outcome(Outcome::TimedOut))?;
        fields.serialize_field("cancelled", &self.outcome(Outcome::Cancelled))?;
        fields.serialize_field("errors", &self.errors())?;
        fields.serialize_field("totalMs", &millis(self.total))?;
        fields.serialize_field("meanMs", &or_zero(self.mean()))?;
        fields.serialize_field("p50Ms", &or_zero(self.durations.p50()))?;
        fields.serialize_field("p95Ms", &or_zero(self.durations.p95()))?;
        fields.serialize_field("p99Ms", &or_zero(self.durations.p99()))?;
        fields.serialize_field("maxMs", &or_zero(self.durations.max()))?;
        fields.end()
    }
}

/// What becomes [`Figures`] when it is read; many write and many read at once.
#[derive(Debug, Default)]
pub(super) struct Counts {
    outcomes: [AtomicU64; Outcome::COUNT],
    total_nanos: AtomicU64,
    durations: Histogram,
}

impl Counts {
    pub(super) fn record(&self, duration: Duration, outcome: Outcome) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let add = |total: u64| Some(total.saturating_add(nanos));
        // It cannot fail: `add` always has an answer.
        let _ = self.total_nanos.fetch_update(Relaxed, Relaxed, add);
        self.durations.record(duration);
        self.outcomes[outcome.index()].fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Figures {
        Figures {
            outcomes: std::array::from_fn(|index| self.outcomes[index].load(Relaxed)),
            total: Duration::from_nanos(self.total_nanos.load(Relaxed)),
            durations: self.durations.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// A small generator, so that wasm and the host see the same numbers.
    struct Random(u64);

    impl Random {
        /// Returns a number above 0 and not above 1.
        fn unit(&mut self) -> f64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let bits = u32::try_from(self.0 >> 32).expect("32 bits");
            (f64::from(bits) + 1.0) / 4_294_967_296.0
        }

        fn normal(&mut self) -> f64 {
            let radius = (-2.0 * self.unit().ln()).sqrt();
            radius * (std::f64::consts::TAU * self.unit()).cos()
        }
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds.max(0.0))
    }

    fn samples(shape: &str) -> Vec<Duration> {
        let mut random = Random(42);
        let mut sample = || match shape {
            "normal" => seconds(0.2 + 0.03 * random.normal()),
            "lognormal" => seconds((-3.0 + random.normal()).exp()),
            "bimodal" if random.unit() < 0.9 => seconds(0.002 + 0.0002 * random.normal()),
            "bimodal" => seconds(1.5 + 0.1 * random.normal()),
            _ => Duration::from_micros(12_345),
        };
        (0..20_000).map(|_| sample()).collect()
    }

    fn recorded(durations: &[Duration]) -> Figures {
        let counts = Counts::default();
        durations
            .iter()
            .for_each(|duration| counts.record(*duration, Outcome::Ok));
        counts.read()
    }

    #[test]
    fn percentiles_are_within_one_percent_of_an_exact_sort() {
        for shape in ["normal", "lognormal", "bimodal", "constant"] {
            let mut durations = samples(shape);
            let figures = recorded(&durations);
            durations.sort_unstable();
            let exact = |share: usize| durations[(durations.len() * share).div_ceil(100) - 1];
            let found = figures.durations();
            for (share, found) in [(50, found.p50()), (95, found.p95()), (99, found.p99())] {
                let (found, exact) = (found.unwrap(), exact(share));
                assert!(
                    found.abs_diff(exact) <= exact / 100,
                    "{shape}: P{share} is {found:?} and not {exact:?}"
                );
            }
            let mean = durations.iter().sum::<Duration>() / 20_000;
            assert!(figures.mean().unwrap().abs_diff(mean) <= Duration::from_nanos(1));
        }
    }

    #[test]
    fn merging_equals_recording_into_one() {
        let (one, two) = (samples("lognormal"), samples("bimodal"));
        let mut merged = recorded(&one);
        merged.merge(&recorded(&two));
        assert_eq!(merged, recorded(&[one, two].concat()));
        let mut nothing = Figures::default();
        nothing.merge(&merged);
        assert_eq!(nothing, merged);
        assert_eq!(merged.count(), 40_000);
    }

    #[test]
    fn each_outcome_is_counted_and_errors_are_two_of_them() {
        let counts = Counts::default();
        for (times, outcome) in (1..).zip(Outcome::ALL) {
            for _ in 0..times {
                counts.record(Duration::ZERO, *outcome);
            }
        }
        let figures = counts.read();
        assert_eq!(Outcome::ALL.len(), 4);
        for (times, outcome) in (1..).zip(Outcome::ALL) {
            assert_eq!(figures.outcome(*outcome), times, "{outcome}");
        }
        assert_eq!((figures.count(), figures.errors()), (10, 2 + 3));
        assert_eq!(figures.durations().p99(), Some(Duration::ZERO));
    }

    #[test]
    fn totals_saturate() {
        let counts = Counts::default();
        counts.record(Duration::MAX, Outcome::Ok);
        counts.record(Duration::MAX, Outcome::Ok);
        assert_eq!(counts.read().total(), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn figures_of_nothing_are_zero_in_json() {
        let json = serde_json::to_value(Figures::default()).unwrap();
        let fields = json.as_object().unwrap();
        assert_eq!(fields.len(), 12);
        for (name, value) in fields {
            assert_eq!(value.as_f64(), Some(0.0), "{name}");
        }
        let json = serde_json::to_value(recorded(&[Duration::from_millis(100)])).unwrap();
        assert_eq!(json["totalMs"], 100.0);
        assert_eq!(json["ok"], 1);
    }
}
