//! What was measured, as a table.

use crate::{Cost, Entry};
use std::{fmt, ops::Index};

/// What a [`Meter`](crate::Meter) has measured.
#[derive(Clone, Debug)]
pub struct Report {
    lines: Vec<(&'static str, &'static str, Cost)>,
    bare: Option<Entry>,
}

impl Report {
    pub(crate) const fn new(lines: Vec<(&'static str, &'static str, Cost)>) -> Self {
        Self { lines, bare: None }
    }

    /// Has the table say what each row adds to this one.
    #[must_use]
    pub const fn over(mut self, bare: Entry) -> Self {
        self.bare = Some(bare);
        self
    }

    /// Returns what is left of a row without another: what it adds.
    pub fn added(&self, row: Entry, bare: Entry) -> Cost {
        let (row, bare) = (self[row], self[bare]);
        Cost {
            fastest: row.fastest - bare.fastest,
            median: row.median - bare.median,
            allocations: row.allocations - bare.allocations,
            bytes: row.bytes - bare.bytes,
        }
    }
}

impl Index<Entry> for Report {
    type Output = Cost;

    fn index(&self, entry: Entry) -> &Cost {
        &self.lines[entry.0].2
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.bare.map(|bare| self[bare].fastest);
        let mut above = "";
        for (section, name, cost) in &self.lines {
            if *section != above {
                above = section;
                let added = if bare.is_some() { "added" } else { "" };
                writeln!(
                    f,
                    "\n{section:<52}{:>9}{:>9}{added:>9}{:>8}{:>8}",
                    "fastest", "median", "allocs", "bytes"
                )?;
            }
            write!(f, "  {name:<50}{:>9.1}{:>9.1}", cost.fastest, cost.median)?;
            match bare {
                Some(bare) => write!(f, "{:>9.1}", cost.fastest - bare)?,
                None => write!(f, "{:>9}", "")?,
            }
            writeln!(f, "{:>8.2}{:>8.0}", cost.allocations, cost.bytes)?;
        }
        Ok(())
    }
}
