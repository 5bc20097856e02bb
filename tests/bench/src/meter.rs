//! Time and allocations of short calls, measured in turns.

use crate::Report;
use egress_time::{Clock, TokioTimer};
use std::fmt;

/// What one call costs. Time is in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Cost {
    /// The mean of the fastest batch.
    pub fastest: f64,
    /// The mean of the batch in the middle.
    pub median: f64,
    /// How many allocations.
    pub allocations: f64,
    /// How many bytes they were.
    pub bytes: f64,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Every row runs once, to see that it works.
    Once,
    /// A few batches.
    Quick,
    /// Several hundred batches of about 0.4 ms.
    Full,
}

impl Effort {
    /// Reads it from the command line. Cargo passes `--bench` when it is to measure.
    pub fn from_args() -> Self {
        let args: Vec<String> = std::env::args().collect();
        let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
        match (has("--bench"), has("--quick")) {
            (false, _) => Self::Once,
            (true, true) => Self::Quick,
            (true, false) => Self::Full,
        }
    }

    /// Returns how many batches are measured.
    pub const fn rounds(self) -> u32 {
        match self {
            Self::Once => 1,
            Self::Quick => 30,
            Self::Full => 300,
        }
    }

    const fn batch_nanos(self) -> f64 {
        match self {
            Self::Once => 0.0,
            Self::Quick => 200_000.0,
            Self::Full => 400_000.0,
        }
    }
}

/// A row of the meter's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(pub(crate) usize);

/// Measures calls.
///
/// All of them take turns, batch by batch: what disturbs the machine disturbs all of them.
#[derive(Default)]
pub struct Meter {
    rows: Vec<Row>,
    section: &'static str,
}

struct Row {
    section: &'static str,
    name: &'static str,
    run: Box<dyn FnMut(u32)>,
}

impl Meter {
    /// Makes one without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a title above the rows that follow.
    pub fn section(&mut self, title: &'static str) {
        self.section = title;
    }

    /// Adds a row.
    pub fn add(&mut self, name: &'static str, mut call: impl FnMut() + 'static) -> Entry {
        self.rows.push(Row {
            section: self.section,
            name,
            run: Box::new(move |calls| (0..calls).for_each(|_| call())),
        });
        Entry(self.rows.len() - 1)
    }

    /// Measures all rows.
    pub fn measure(mut self, effort: Effort) -> Report {
        let rows = &mut self.rows;
        let batches: Vec<u32> = rows.iter_mut().map(|row| row.calibrate(effort)).collect();
        let mut samples = vec![Vec::new(); rows.len()];
        for round in 0..effort.rounds() {
            let first = usize::try_from(round).unwrap_or_default() % rows.len().max(1);
            for place in (first..rows.len()).chain(0..first) {
                samples[place].push(rows[place].time(batches[place]) / f64::from(batches[place]));
            }
        }
        let costs = rows.iter_mut().zip(batches).zip(samples);
        let lines = costs.map(|((row, batch), samples)| {
            let counted = allocation_counter::measure(|| (row.run)(batch));
            let cost = cost_of(samples, batch, counted);
            (row.section, row.name, cost)
        });
        Report::new(lines.collect())
    }
}

impl Row {
    /// Finds out how many calls take long enough to be measured.
    fn calibrate(&mut self, effort: Effort) -> u32 {
        let mut batch = 1;
        while self.time(batch) < effort.batch_nanos() && batch < 1 << 20 {
            batch *= 2;
        }
        batch
    }

    fn time(&mut self, calls: u32) -> f64 {
        let clock = TokioTimer::new();
        let start = clock.now();
        (self.run)(calls);
        (clock.now() - start).as_secs_f64() * 1e9
    }
}

/// Sums up what one call cost in each batch, and the allocations of a batch of `calls`.
pub fn cost_of(
    mut samples: Vec<f64>,
    calls: u32,
    counted: allocation_counter::AllocationInfo,
) -> Cost {
    samples.sort_unstable_by(f64::total_cmp);
    let per_call =
        |total: u64| f64::from(u32::try_from(total).unwrap_or(u32::MAX)) / f64::from(calls);
    Cost {
        fastest: samples.first().copied().unwrap_or_default(),
        median: samples.get(samples.len() / 2).copied().unwrap_or_default(),
        allocations: per_call(counted.count_total),
        bytes: per_call(counted.bytes_total),
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.rows.iter().map(|row| row.name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_measured_and_its_allocations_are_counted() {
        let mut meter = Meter::new();
        let none = meter.add("none", || ());
        let two = meter.add("two", || drop((Box::new(1_u64), Box::new(2_u64))));
        let report = meter.measure(Effort::Once);
        assert_eq!(report[none].allocations, 0.0);
        assert_eq!((report[two].allocations, report[two].bytes), (2.0, 16.0));
        assert!(report[two].fastest <= report[two].median);
    }
}
