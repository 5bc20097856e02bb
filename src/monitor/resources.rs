//! Memory and CPU over time, and whether they are within their limits.

use super::{
    Crossing, LimitKind, Limits, Sample,
    limits::Alarm,
    report::{CpuReport, MemoryReport},
    units::{float, millis},
};
use egress_time::Instant;
use std::time::Duration;

/// Over less, a clock of 10 ms says nothing of how busy a core is.
const SHORTEST_SPAN: Duration = Duration::from_millis(100);

/// A run that is running, and for how long it has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Longest {
    pub(super) operation: String,
    pub(super) duration: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Resources {
    limits: Limits,
    memory: Memory,
    cpu: Cpu,
    /// In the order of [`Resources::values`].
    alarms: [Alarm; 4],
}

/// Something that has a limit.
#[derive(Clone, Copy, Debug)]
struct Value {
    limit: LimitKind,
    value: f64,
    threshold: f64,
}

#[derive(Debug, Default)]
struct Memory {
    last: Option<u64>,
    peak: u64,
    sum: u128,
    samples: u64,
}

#[derive(Debug, Default)]
struct Cpu {
    /// The first sample, from which the CPU time counts.
    first: Option<Duration>,
    /// The most of all samples: who samples something else than a process may see it fall.
    most: Option<Duration>,
    /// Where the present share begins.
    mark: Option<(Instant, Duration)>,
    share: Option<f64>,
    peak_share: Option<f64>,
}

impl Resources {
    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn record(&mut self, now: Instant, sample: Sample) {
        if let Some(bytes) = sample.memory_bytes {
            self.memory.record(bytes);
        }
        if let Some(time) = sample.cpu_time {
            self.cpu.record(now, time);
        }
    }

    /// Returns what is exceeded now, and tells of each whether it was not when this was asked before.
    pub(super) fn check(&mut self, longest: Option<&Longest>) -> Vec<(Crossing, bool)> {
        let values = self.values(longest);
        let hysteresis = self.limits.hysteresis();
        let mut crossed = Vec::new();
        for (alarm, value) in self.alarms.iter_mut().zip(values) {
            let Some(value) = value else {
                // A limit that is set later is crossed anew.
                *alarm = Alarm::default();
                continue;
            };
            let new = alarm.observe(value.value, value.threshold, hysteresis);
            if value.is_crossed() {
                crossed.push((value.crossing(longest), new));
            }
        }
        crossed
    }

    /// Returns what is exceeded now.
    pub(super) fn crossed(&self, longest: Option<&Longest>) -> Vec<Crossing> {
        let values = self.values(longest).into_iter().flatten();
        let crossed = values.filter(Value::is_crossed);
        crossed.map(|value| value.crossing(longest)).collect()
    }

    /// Returns whatever is known and has a limit.
    fn values(&self, longest: Option<&Longest>) -> [Option<Value>; 4] {
        let limits = &self.limits;
        let value = |limit, value: Option<f64>, threshold: Option<f64>| {
            Some(Value {
                limit,
                value: value?,
                threshold: threshold?,
            })
        };
        let running = longest.map_or(Duration::ZERO, |longest| longest.duration);
        [
            value(
                LimitKind::Memory,
                self.memory.last.map(float),
                limits.memory().map(float),
            ),
            value(
                LimitKind::CpuTime,
                self.cpu.spent().map(millis),
                limits.cpu_time().map(millis),
            ),
            value(LimitKind::CpuShare, self.cpu.share, limits.cpu_share()),
            value(
                LimitKind::Duration,
                Some(millis(running)),
                limits.duration().map(millis),
            ),
        ]
    }

    pub(super) fn memory(&self) -> MemoryReport {
        let Memory {
            last,
            peak,
            sum,
            samples,
        } = &self.memory;
        let mean = sum.checked_div(u128::from(*samples));
        MemoryReport {
            bytes: *last,
            peak_bytes: last.map(|_| *peak),
            mean_bytes: mean.and_then(|mean| u64::try_from(mean).ok()),
            limit_bytes: self.limits.memory(),
            samples: *samples,
        }
    }

    pub(super) fn cpu(&self) -> CpuReport {
        CpuReport {
            time_ms: self.cpu.spent().map(millis),
            share: self.cpu.share,
            peak_share: self.cpu.peak_share,
            limit_time_ms: self.limits.cpu_time().map(millis),
            limit_share: self.limits.cpu_share(),
        }
    }
}

impl Value {
    fn is_crossed(&self) -> bool {
        self.value > self.threshold
    }

    fn crossing(&self, longest: Option<&Longest>) -> Crossing {
        let longest = longest.filter(|_| self.limit == LimitKind::Duration);
        Crossing {
            limit: self.limit,
            operation: longest.map(|longest| longest.operation.clone()),
            value: self.value,
            threshold: self.threshold,
        }
    }
}

impl Memory {
    fn record(&mut self, bytes: u64) {
        self.last = Some(bytes);
        self.peak = self.peak.max(bytes);
        self.sum = self.sum.saturating_add(u128::from(bytes));
        self.samples = self.samples.saturating_add(1);
    }
}

impl Cpu {
    fn record(&mut self, now: Instant, time: Duration) {
        self.first.get_or_insert(time);
        self.most = self.most.max(Some(time));
        let (since, before) = *self.mark.get_or_insert((now, time));
        if now < since {
            // The clock has stepped back: nobody knows how long it was.
            self.mark = Some((now, time));
        } else if now - since >= SHORTEST_SPAN {
            let share = time.saturating_sub(before).as_secs_f64() / (now - since).as_secs_f64();
            self.mark = Some((now, time));
            self.share = Some(share);
            self.peak_share = Some(self.peak_share.unwrap_or_default().max(share));
        }
    }

    fn spent(&self) -> Option<Duration> {
        Some(self.most?.saturating_sub(self.first?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    fn memory(bytes: u64) -> Sample {
        Sample {
            memory_bytes: Some(bytes),
            cpu_time: None,
        }
    }

    fn cpu(millis: u64) -> Sample {
        Sample {
            memory_bytes: None,
            cpu_time: Some(Duration::from_millis(millis)),
        }
    }

    #[test]
    fn memory_has_a_peak_and_a_mean_of_its_samples() {
        let mut resources = Resources::default();
        assert_eq!(resources.memory(), MemoryReport::default());
        for bytes in [100, 400, 101] {
            resources.record(at(0), memory(bytes));
        }
        resources.record(at(0), cpu(5));
        let report = resources.memory();
        assert_eq!(report.bytes, Some(101));
        assert_eq!(report.peak_bytes, Some(400));
        assert_eq!(report.mean_bytes, Some(200));
        assert_eq!(report.samples, 3);
    }

    #[test]
    fn cpu_counts_from_the_first_sample_and_its_share_between_two() {
        let mut resources = Resources::default();
        resources.record(at(0), cpu(5000));
        assert_eq!(resources.cpu().time_ms, Some(0.0));
        assert_eq!(resources.cpu().share, None);
        resources.record(at(1000), cpu(5500));
        assert_eq!(resources.cpu().time_ms, Some(500.0));
        assert_eq!(resources.cpu().share, Some(0.5));
        resources.record(at(1099), cpu(5599));
        assert_eq!(resources.cpu().share, Some(0.5), "too short to tell");
        resources.record(at(1200), cpu(5900));
        assert_eq!(resources.cpu().share, Some(2.0), "two cores");
        resources.record(at(2200), cpu(5900));
        assert_eq!(resources.cpu().share, Some(0.0));
        assert_eq!(resources.cpu().peak_share, Some(2.0));
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_share_up() {
        let mut resources = Resources::default();
        resources.record(at(10_000), cpu(0));
        resources.record(at(0), cpu(1000));
        assert_eq!(resources.cpu().share, None);
        resources.record(at(1000), cpu(1250));
        assert_eq!(resources.cpu().share, Some(0.25));
    }

    #[test]
    fn each_limit_is_crossed_by_itself_and_new_once() {
        let mut resources = Resources::default();
        resources.set_limits(
            Limits::new()
                .with_memory(1000)
                .with_cpu_time(Duration::from_millis(100))
                .with_cpu_share(0.5)
                .with_duration(Duration::from_secs(1)),
        );
        let longest = |millis| Longest {
            operation: "scan".into(),
            duration: Duration::from_millis(millis),
        };
        assert_eq!(resources.check(None), [], "of what is unknown, nothing");
        resources.record(at(0), memory(1000));
        resources.record(at(0), cpu(0));
        resources.record(at(1000), cpu(100));
        assert_eq!(
            resources.check(Some(&longest(1000))),
            [],
            "at the limit, not above"
        );
        resources.record(at(1000), memory(1001));
        resources.record(at(2000), cpu(800));
        for new in [true, false] {
            let crossed = resources.check(Some(&longest(1001)));
            let kinds: Vec<_> = crossed.iter().map(|(crossing, _)| crossing.limit).collect();
            assert_eq!(
                kinds,
                [
                    LimitKind::Memory,
                    LimitKind::CpuTime,
                    LimitKind::CpuShare,
                    LimitKind::Duration
                ]
            );
            assert!(crossed.iter().all(|(_, is_new)| *is_new == new));
            assert_eq!(crossed[0].0.operation, None);
            let now = resources.crossed(Some(&longest(1001)));
            assert!(now.iter().eq(crossed.iter().map(|(crossing, _)| crossing)));
            assert_eq!(crossed[3].0.operation.as_deref(), Some("scan"));
            assert_eq!(
                (crossed[3].0.value, crossed[3].0.threshold),
                (1001.0, 1000.0)
            );
        }
    }
}
