//! The figures of one family of headers, by column.

use std::slice;

use crate::{
    clocks::{Clocks, Reset},
    decimal::Decimal,
    family::Figure,
    http_date,
    quota::Resource,
    when::When,
};

/// One quota's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Column {
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    used: Option<u64>,
    pub(crate) reset: Option<Reset>,
}

/// The figures of a family. Servers with a short and a long window put both into each header,
/// separated by a comma.
///
/// Where a header is repeated the more cautious figure counts.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: [Column; Self::WIDTH],
    remainders_wide: usize,
    resets_wide: usize,
    resource: Option<Resource>,
}

impl Table {
    /// What stands further right shares the last column.
    const WIDTH: usize = 3;

    /// Takes one line of one header.
    pub(crate) fn add(&mut self, figure: Figure, line: &[u8], clocks: &Clocks<'_>) {
        match figure {
            Figure::Limit => {
                self.fill(elements(line), |column, text| {
                    merge(&mut column.limit, count(text), u64::min)
                });
            }
            Figure::Remaining => {
                let wide = self.fill(elements(line), |column, text| {
                    merge(&mut column.remaining, count(text), u64::min);
                });
                self.remainders_wide = self.remainders_wide.max(wide);
            }
            Figure::Used => {
                self.fill(elements(line), |column, text| {
                    merge(&mut column.used, count(text), u64::max)
                });
            }
            Figure::Reset => {
                let wide = self.resets(line, clocks);
                self.resets_wide = self.resets_wide.max(wide);
            }
            Figure::Resource => self.resource = Resource::new(line),
        }
    }

    /// What the server calls the quota.
    pub(crate) fn resource(&self) -> Option<Resource> {
        self.resource
    }

    fn resets(&mut self, line: &[u8], clocks: &Clocks<'_>) -> usize {
        let elements = http_date::list(line, clocks.unix_now());
        self.fill(elements, |column, text| {
            let reset = When::parse_reset(text, clocks.unix_now()).map(|when| clocks.reset(when));
            merge(&mut column.reset, reset, later);
        })
    }

    /// Gives each element of a line to its column; returns how many columns that took.
    fn fill<'a>(
        &mut self,
        elements: impl Iterator<Item = &'a [u8]>,
        mut put: impl FnMut(&mut Column, &[u8]),
    ) -> usize {
        let mut wide = 0;
        for text in elements {
            if let Some(column) = self.columns.get_mut(wide.min(Self::WIDTH - 1)) {
                put(column, text);
            }
            wide += 1;
        }
        wide.min(Self::WIDTH)
    }

    /// Calls `each` for every quota found. If remainders and resets do not pair up, all of it is one
    /// quota, at its most cautious.
    pub(crate) fn quotas(&self, each: impl FnMut(Column)) {
        let both = self.remainders_wide > 0 && self.resets_wide > 0;
        let whole;
        let columns = if both && self.remainders_wide != self.resets_wide {
            whole = self.columns.iter().fold(Column::default(), Column::and);
            slice::from_ref(&whole)
        } else {
            &self.columns
        };
        columns
            .iter()
            .filter(|column| !column.is_empty())
            .map(Column::with_remainder)
            .for_each(each);
    }
}

impl Column {
    fn and(mut self, other: &Self) -> Self {
        merge(&mut self.limit, other.limit, u64::min);
        merge(&mut self.remaining, other.remaining, u64::min);
        merge(&mut self.used, other.used, u64::max);
        merge(&mut self.reset, other.reset, later);
        self
    }

    /// What is not used is left, if the server does not say it itself.
    fn with_remainder(&self) -> Self {
        let unused = self
            .limit
            .zip(self.used)
            .map(|(limit, used)| limit.saturating_sub(used));
        Self {
            remaining: self.remaining.or(unused),
            ..*self
        }
    }

    fn is_empty(&self) -> bool {
        self.limit.is_none() && self.remaining.is_none() && self.reset.is_none()
    }
}

fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',')
}

/// A count; a fraction of a request is none.
fn count(text: &[u8]) -> Option<u64> {
    Decimal::parse(text.trim_ascii()).map(Decimal::whole)
}

fn later(one: Reset, other: Reset) -> Reset {
    if other.after > one.after { other } else { one }
}

fn merge<T: Copy>(slot: &mut Option<T>, found: Option<T>, choose: impl FnOnce(T, T) -> T) {
    *slot = match (*slot, found) {
        (Some(one), Some(other)) => Some(choose(one, other)),
        (one, other) => one.or(other),
    };
}
