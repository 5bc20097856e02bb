//! What a report is as metrics, and what a status is.

mod flags;
mod status;

pub(super) use self::status::of_status;
use super::{
    LimitKind, Outcome, Report,
    family::Family,
    units::{float, float_len},
};

/// Those that are of no operation in particular.
const LIMITS: [LimitKind; 4] = [
    LimitKind::Memory,
    LimitKind::CpuTime,
    LimitKind::CpuShare,
    LimitKind::Duration,
];

pub(super) fn of_report(report: &Report) -> Vec<Family<'_>> {
    let operations = || report.operations.iter();
    let mut durations = Family::summary(
        "tower_egress_operation_duration_seconds",
        "How long runs took: quantiles of the last minute, sum and count since the start.",
    );
    let mut ended = Family::counter(
        "tower_egress_operation_runs_total",
        "Runs that ended, by outcome.",
    );
    let mut running = Family::gauge(
        "tower_egress_operation_running",
        "Runs that have begun and not ended.",
    );
    let mut longest = Family::gauge(
        "tower_egress_operation_longest_running_seconds",
        "For how long the first of them has been running, 0 if none is.",
    );
    let mut slow = Family::counter(
        "tower_egress_operation_slow_total",
        "Runs that took longer than the operation should.",
    );
    let mut lost = Family::gauge(
        "tower_egress_operation_lost",
        "Runs that began and were not heard of again for too long.",
    );
    let mut busy = Family::counter(
        "tower_egress_operation_busy_seconds_total",
        "For how long runs were at work and not waiting, where they are spans.",
    );
    for (name, operation) in operations() {
        let of = || ("operation", name.as_str().into());
        let minute = operation.last_minute.durations();
        for (quantile, time) in [
            ("0.5", minute.p50()),
            ("0.95", minute.p95()),
            ("0.99", minute.p99()),
        ] {
            // As Prometheus' own libraries say of a window in which nothing was.
            let time = time.map_or(f64::NAN, |time| time.as_secs_f64());
            durations.push([of(), ("quantile", quantile.into())], time);
        }
        let lifetime = &operation.lifetime;
        durations.push_suffixed("_sum", [of()], lifetime.total().as_secs_f64());
        durations.push_suffixed("_count", [of()], float(lifetime.count()));
        for outcome in Outcome::ALL {
            let labels = [of(), ("outcome", outcome.as_str().into())];
            ended.push(labels, float(lifetime.outcome(*outcome)));
        }
        running.push_of("operation", name, Some(float_len(operation.running)));
        // Also when it is over: a recorder keeps what it was told last.
        longest.push_of(
            "operation",
            name,
            Some(operation.longest_running_ms.unwrap_or(0.0) / 1e3),
        );
        slow.push_of("operation", name, Some(float(operation.slow)));
        lost.push_of("operation", name, Some(float(operation.lost)));
        busy.push_of("operation", name, seconds(operation.busy_ms));
    }
    let mut crossed = Family::gauge(
        "tower_egress_limit_crossed",
        "1 for each limit that is exceeded, 0 for each that is not.",
    );
    let one_if = |is_crossed| f64::from(u8::from(is_crossed));
    for limit in LIMITS {
        let is_crossed = report.crossed.iter().any(|of| of.limit == limit);
        crossed.push([("limit", limit.as_str().into())], one_if(is_crossed));
    }
    let of_operations = report.crossed.iter();
    let of_operations = of_operations.filter(|of| of.limit == LimitKind::Operation);
    let too_slow: Vec<_> = of_operations
        .filter_map(|of| of.operation.as_deref())
        .collect();
    for (name, operation) in operations() {
        if operation.warn_after_ms.is_some() {
            let limit = ("limit", LimitKind::Operation.as_str().into());
            let is_crossed = one_if(too_slow.contains(&name.as_str()));
            crossed.push([limit, ("operation", name.as_str().into())], is_crossed);
        }
    }
    let (memory, cpu) = (&report.memory, &report.cpu);
    vec![
        durations,
        ended,
        running,
        longest,
        slow,
        lost,
        busy,
        Family::gauge(
            "tower_egress_memory_bytes",
            "Memory at the last sample: resident natively, the wasm heap in a Worker.",
        )
        .with(memory.bytes.map(float)),
        Family::gauge(
            "tower_egress_memory_peak_bytes",
            "The most memory of all samples.",
        )
        .with(memory.peak_bytes.map(float)),
        Family::counter(
            "tower_egress_cpu_seconds_total",
            "CPU time since the first sample.",
        )
        .with(seconds(cpu.time_ms)),
        Family::gauge(
            "tower_egress_cpu_share",
            "How busy the process was between the last two samples; 1 is one core.",
        )
        .with(cpu.share),
        crossed,
        Family::counter(
            "tower_egress_warnings_total",
            "How often a limit was crossed.",
        )
        .with(float(report.warnings)),
        Family::gauge(
            "tower_egress_uptime_seconds",
            "For how long the monitor has been used.",
        )
        .with(report.uptime_ms / 1e3),
    ]
}

fn seconds(millis: Option<f64>) -> Option<f64> {
    millis.map(|millis| millis / 1e3)
}
