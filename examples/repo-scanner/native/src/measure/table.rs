//! What was measured, as Markdown.

use super::{MeasureArgs, Scanned, Verdict, situation::off_text};
use std::{fmt, time::Duration};

/// All tables of a run.
#[derive(Debug)]
pub(super) struct Tables {
    command: String,
    verdicts: Vec<Verdict>,
    scans: Vec<(String, Vec<Scanned>)>,
}

impl Tables {
    pub(super) fn new(options: &MeasureArgs) -> Self {
        let MeasureArgs { repositories, rows } = options;
        Self {
            command: format!("repo-scanner measure --repositories {repositories} --rows {rows}"),
            verdicts: Vec::new(),
            scans: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, title: String, scans: Vec<Scanned>) {
        self.scans.push((title, scans));
    }

    pub(super) fn set_verdicts(&mut self, verdicts: Vec<Verdict>) {
        self.verdicts = verdicts;
    }
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = match cfg!(debug_assertions) {
            true => "a debug build",
            false => "a release build",
        };
        let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
        writeln!(f, "`{}`, {build}, {cores} processors", self.command)?;
        writeln!(f)?;
        writeln!(f, "| optimisation | measured | with it | without it | |")?;
        writeln!(f, "|---|---|--:|--:|---|")?;
        for verdict in &self.verdicts {
            writeln!(f, "{verdict}")?;
        }
        for (title, scans) in &self.scans {
            writeln!(f, "\n{title}:\n")?;
            writeln!(
                f,
                "| | s | requests | above a limit | too close | too early | not scanned | in flight | retries | connections | peak MiB | transactions | database ms |"
            )?;
            writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
            for scan in scans {
                row(f, scan)?;
            }
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, scan: &Scanned) -> fmt::Result {
    let seconds = Duration::from_millis(scan.elapsed_ms).as_secs_f64();
    let unknown = |figure: Option<u64>| figure.map_or("–".to_owned(), |it| it.to_string());
    write!(f, "| {} | {seconds:.2} ", off_text(&scan.off))?;
    for figure in [
        scan.requests,
        scan.refused,
        scan.close,
        scan.early,
        scan.failed,
        scan.in_flight,
        scan.retries,
        scan.connections,
    ] {
        write!(f, "| {figure} ")?;
    }
    let memory = unknown(scan.peak_rss.map(|bytes| bytes >> 20));
    let (saves, at_work) = (
        unknown(scan.saves()),
        unknown(scan.database_us().map(|us| us / 1000)),
    );
    writeln!(f, "| {memory} | {saves} | {at_work} |")
}
