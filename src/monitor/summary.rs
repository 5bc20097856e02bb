//! The report as a text for people.

use super::{
    Report,
    units::{float, millis, percent, size, time},
};
use std::fmt::Write;

const HEADINGS: [&str; 11] = [
    "operation",
    "running",
    "count",
    "errors",
    "P50",
    "P95",
    "P99",
    "max",
    "last min",
    "errors",
    "P95",
];

/// What a name may take of a line, in characters.
const WIDEST_NAME: usize = 40;

impl Report {
    /// Writes the report as an aligned table with units, for people; see [the module](super) for one.
    ///
    /// Nothing that a name contains breaks a line.
    ///
    /// ```
    /// use tower_egress::monitor::Monitor;
    ///
    /// let monitor = Monitor::new(egress_time::ManualTimer::new());
    /// assert_eq!(monitor.report().summary(), "up 0 | warnings 0\nno operation yet\n");
    /// ```
    pub fn summary(&self) -> String {
        let mut text = String::new();
        self.write(&mut text)
            .expect("a string takes whatever is written to it");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        write!(text, "up {}", time(self.uptime_ms))?;
        let memory = &self.memory;
        if let (Some(bytes), Some(peak), Some(mean)) =
            (memory.bytes, memory.peak_bytes, memory.mean_bytes)
        {
            let [bytes, peak, mean] = [bytes, peak, mean].map(|bytes| size(float(bytes)));
            write!(text, " | memory {bytes}, peak {peak}, mean {mean}")?;
        }
        if let Some(spent) = self.cpu.time_ms {
            write!(text, " | CPU {}", time(spent))?;
        }
        if let Some(share) = self.cpu.share {
            write!(text, ", {} of a core", percent(share))?;
        }
        writeln!(text, " | warnings {}", self.warnings)?;
        for crossing in &self.crossed {
            writeln!(text, "! {crossing}")?;
        }
        let rows: Vec<_> = self.rows().collect();
        if rows.is_empty() {
            return writeln!(text, "no operation yet");
        }
        let mut widths = HEADINGS.map(width);
        for row in &rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = width(cell).max(*widest);
            }
        }
        line(text, &HEADINGS.map(str::to_owned), &widths)?;
        rows.iter().try_for_each(|row| line(text, row, &widths))
    }

    fn rows(&self) -> impl Iterator<Item = [String; 11]> {
        self.operations.iter().map(|(name, operation)| {
            let (all, minute) = (&operation.lifetime, &operation.last_minute);
            let or_none = |duration: Option<_>| {
                duration.map_or_else(|| "-".to_owned(), |duration| time(millis(duration)))
            };
            [
                on_one_line(name),
                operation.running.to_string(),
                all.count().to_string(),
                all.errors().to_string(),
                or_none(all.durations().p50()),
                or_none(all.durations().p95()),
                or_none(all.durations().p99()),
                or_none(all.durations().max()),
                minute.count().to_string(),
                minute.errors().to_string(),
                or_none(minute.durations().p95()),
            ]
        })
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// Names to the left, numbers to the right.
fn line(text: &mut String, cells: &[String; 11], widths: &[usize; 11]) -> std::fmt::Result {
    let (name, numbers) = (&cells[0], &cells[1..]);
    write!(text, "{name:<0$}", widths[0])?;
    for (number, width) in numbers.iter().zip(&widths[1..]) {
        write!(text, "  {number:>width$}")?;
    }
    writeln!(text)
}

fn on_one_line(name: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let printable = |c: char| if breaks(c) { '?' } else { c };
    let mut short: String = name.chars().take(WIDEST_NAME).map(printable).collect();
    if width(name) > WIDEST_NAME {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use crate::monitor::{Limits, Monitor, Outcome, Report, Sample};
    use egress_time::ManualTimer;
    use std::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn of_nothing_it_says_so() {
        let text = Report::default().summary();
        assert_eq!(text, "up 0 | warnings 0\nno operation yet\n");
    }

    #[test]
    fn columns_are_aligned_and_have_units() {
        let timer = ManualTimer::new();
        let monitor = Monitor::new(timer.clone()).with_limits(Limits::new().with_memory(1 << 20));
        let _running = monitor.start("scan");
        for number in 1..=100 {
            let outcome = match number % 10 {
                0 => Outcome::Failed,
                _ => Outcome::Ok,
            };
            monitor.record("save größer", Duration::from_millis(number), outcome);
        }
        timer.advance(Duration::from_secs(90));
        monitor.record("line\nbreak", Duration::from_micros(250), Outcome::Ok);
        monitor.check_with(Sample {
            memory_bytes: Some(3 << 20),
            cpu_time: None,
        });
        let text = monitor.summary();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            "up 90 s | memory 3 MiB, peak 3 MiB, mean 3 MiB | warnings 1"
        );
        assert_eq!(lines[1], "! memory is 3 MiB, the limit is 1 MiB");
        assert_eq!(lines.len(), 2 + 4);
        let width = lines[2].chars().count();
        for line in &lines[2..] {
            assert_eq!(line.chars().count(), width, "{line:?}");
        }
        let cells = |line: &str| {
            line.split("  ")
                .map(str::trim)
                .filter(|c| !c.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        // 250 µs, as near as percentiles are.
        assert_eq!(
            cells(lines[3]),
            [
                "line?break",
                "0",
                "1",
                "0",
                "251 µs",
                "251 µs",
                "251 µs",
                "251 µs",
                "1",
                "0",
                "251 µs"
            ]
        );
        let save = cells(lines[4]);
        assert_eq!(save[..4], ["save größer", "0", "100", "10"]);
        assert_eq!(save[8..], ["0", "0", "-"], "nothing in the last minute");
        let scan = cells(lines[5]);
        assert_eq!(scan[..3], ["scan", "1", "0"]);
    }

    #[test]
    fn a_long_name_is_shortened() {
        let monitor = Monitor::new(ManualTimer::new());
        monitor.start(&"n".repeat(64)).succeed();
        let text = monitor.summary();
        assert!(text.contains(&format!("\n{}…  ", "n".repeat(39))), "{text}");
    }
}
