//! What a scan came to, for people and for programs.

use repo_scanner_core::Summary;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};
use tower_egress::{Egress, PhaseStatus, Timer, monitor};

/// The figures of a scan; serialises to the JSON object of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether Ctrl-C ended the scan, so that this is a part of it.
    interrupted: bool,
    /// Those that are as they were among them.
    scanned: u64,
    unchanged: u64,
    failed: u64,
    /// How many were done when an interrupted scan went on.
    pub(crate) already_done: u64,
    /// How many were described, if somebody asked for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) analysed: Option<u64>,
    requests: u64,
    retries: u64,
    throttled: u64,
    peak_in_flight: usize,
    pub(crate) peak_rss_bytes: Option<u64>,
    /// How long the database was at work, and how many transactions stored what came; unknown where that is not watched.
    pub(crate) database: Option<DatabaseReport>,
    elapsed_ms: u128,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    phases: BTreeMap<&'static str, PhaseStatus>,
    failures: BTreeMap<String, u64>,
}

/// What the database did for a scan.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct DatabaseReport {
    saves: u64,
    ms: f64,
}

impl DatabaseReport {
    /// Reads it from what was watched, if anything was.
    pub(crate) fn new(watched: &monitor::Report) -> Option<Self> {
        let save = &watched.operations.get("db: save")?.lifetime;
        let (saves, all) = (save.count(), watched.overall().total());
        (saves > 0).then_some(Self {
            saves,
            ms: all.as_secs_f64() * 1000.0,
        })
    }
}

impl Report {
    pub(crate) fn new<T: Timer, X>(
        summary: &Summary,
        interrupted: bool,
        egress: &Egress<T, X>,
        elapsed: Duration,
    ) -> Self {
        let status = egress.status();
        let all = status.performance.get("all").cloned().unwrap_or_default();
        let total = all.lifetime.get("total").copied().unwrap_or_default();
        let limits = status.rate_limits.values();
        Self {
            interrupted,
            scanned: summary.scanned + summary.unchanged,
            unchanged: summary.unchanged,
            already_done: 0,
            analysed: None,
            failed: summary.failed,
            requests: all.attempts,
            retries: status.retries.retries,
            throttled: limits.map(|limit| limit.throttled).sum(),
            peak_in_flight: status.connections.peak,
            peak_rss_bytes: None,
            database: None,
            elapsed_ms: elapsed.as_millis(),
            p50_ms: total.p50_ms,
            p95_ms: total.p95_ms,
            p99_ms: total.p99_ms,
            phases: all.lifetime,
            failures: summary.reasons.clone(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds =
            Duration::from_millis(u64::try_from(self.elapsed_ms).unwrap_or(u64::MAX)).as_secs_f64();
        writeln!(f)?;
        if self.interrupted {
            writeln!(f, "interrupted; until then:")?;
        }
        if self.already_done > 0 {
            row(f, "done before", self.already_done)?;
        }
        row(f, "scanned", self.scanned)?;
        if self.unchanged > 0 {
            row(f, "  of these unchanged", self.unchanged)?;
        }
        row(f, "failed", self.failed)?;
        for (reason, count) in &self.failures {
            writeln!(f, "    {count:>6} × {reason}")?;
        }
        if let Some(analysed) = self.analysed {
            row(f, "described", analysed)?;
        }
        row(f, "requests sent", self.requests)?;
        row(f, "retries", self.retries)?;
        row(f, "throttled by the server", self.throttled)?;
        row(f, "peak in flight", self.peak_in_flight)?;
        match self.peak_rss_bytes {
            Some(bytes) => row(f, "peak memory", format_args!("{} MiB", bytes >> 20))?,
            None => row(f, "peak memory", "unknown here")?,
        }
        row(f, "elapsed", format_args!("{seconds:.2} s"))?;
        writeln!(f)?;
        writeln!(
            f,
            "{:<26}{:>10}{:>10}{:>10}{:>10}",
            "milliseconds", "P50", "P95", "P99", "longest"
        )?;
        for (name, phase) in [
            ("waiting for the rate limit", "rateWait"),
            ("waiting for a connection", "queueWait"),
            ("sent until headers", "headers"),
            ("headers until end of body", "body"),
            ("in all", "total"),
        ] {
            let phase = self.phases.get(phase).copied().unwrap_or_default();
            writeln!(
                f,
                "{name:<26}{:>10.1}{:>10.1}{:>10.1}{:>10.1}",
                phase.p50_ms, phase.p95_ms, phase.p99_ms, phase.max_ms
            )?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<26}{value:>10}")
}
