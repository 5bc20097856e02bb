//! The score as a table.

use std::fmt;

use crate::Score;

/// Writes a table for people.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = [
            "api", "requests", "served", "over", "faulted", "retries", "early", "paused", "peak",
            "limit", "spacing",
        ];
        for (place, column) in columns.into_iter().enumerate() {
            write_cell(f, place, column)?;
        }
        for (api, score) in &self.apis {
            writeln!(f)?;
            let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let cells = [
                api.to_string(),
                score.requests.to_string(),
                score.served.to_string(),
                score.over_limit.to_string(),
                score.faulted.to_string(),
                score.retries.to_string(),
                score.early_retries.to_string(),
                score.pause_violations.to_string(),
                score.peak_window.to_string(),
                or_dash(score.limit.map(|limit| limit.to_string())),
                or_dash(score.smallest_spacing_us.map(|us| format!("{us}us"))),
            ];
            for (place, cell) in cells.iter().enumerate() {
                write_cell(f, place, cell)?;
            }
        }
        writeln!(f, "\n")?;
        let statuses = join(
            self.by_status
                .iter()
                .map(|(status, count)| format!("{status}: {count}")),
        );
        writeln!(
            f,
            "requests {} ({statuses}), paths served {}",
            self.requests, self.unique_paths_served
        )?;
        writeln!(
            f,
            "at once: {} waiting for headers, {} open bodies, {} connections",
            self.peak_waiting_for_headers, self.peak_open_bodies, self.peak_connections
        )?;
        writeln!(
            f,
            "bodies: {} written, {} aborted, {} still open",
            self.bodies_completed, self.bodies_aborted, self.open_bodies_now
        )?;
        writeln!(
            f,
            "writes: {}, sent twice {}, replayed {}",
            self.writes, self.repeated_writes, self.idempotent_replays
        )?;
        let faults = join(
            self.faults
                .iter()
                .map(|(kind, count)| format!("{kind}: {count}")),
        );
        writeln!(f, "faults: {} ({faults})", self.faults_injected())?;
        match self.complaints() {
            none if none.is_empty() => write!(f, "every rule was kept"),
            complaints => write!(f, "{}", complaints.join("\n")),
        }
    }
}

fn write_cell(f: &mut fmt::Formatter<'_>, place: usize, cell: &str) -> fmt::Result {
    match place {
        0 => write!(f, "{cell:<14}"),
        _ => write!(f, "{cell:>9}"),
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    match parts.collect::<Vec<_>>() {
        none if none.is_empty() => "none".to_owned(),
        parts => parts.join(", "),
    }
}
