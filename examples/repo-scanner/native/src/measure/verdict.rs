//! Whether something was better with an optimisation than without.

use std::fmt;

/// Figures of the same work with something and without it. Less is better.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) flag: &'static str,
    pub(super) of: &'static str,
    pub(super) unit: Unit,
    pub(super) on: Option<u64>,
    pub(super) off: Option<u64>,
}

/// What the figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Micros,
    Nanos,
    Bytes,
}

/// Differences up to this are what two runs of the same differ by, but where something is counted.
const NOISE: f64 = 1.1;

impl Verdict {
    fn judgement(&self) -> String {
        let (Some(on), Some(off)) = (self.on, self.off) else {
            return "unknown here".to_owned();
        };
        #[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
        let [with, without] = [on, off].map(|figure| figure as f64);
        let noise = match self.unit {
            Unit::Count => 1.0,
            _ => NOISE,
        };
        match (on, off) {
            (0, 0) => "no difference".to_owned(),
            (0, _) => "only without it".to_owned(),
            (_, 0) => "**only with it**".to_owned(),
            _ if without > with * noise => {
                format!("{:.1} times as much without it", without / with)
            }
            _ if with > without * noise => {
                format!(
                    "**no improvement**: {:.1} times as much with it",
                    with / without
                )
            }
            _ => "**no improvement**: no difference".to_owned(),
        }
    }

    fn figure(&self, figure: Option<u64>) -> String {
        let Some(figure) = figure else {
            return "–".to_owned();
        };
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let number = figure as f64;
        match self.unit {
            Unit::Count => figure.to_string(),
            Unit::Micros if number >= 1e7 => format!("{:.1} s", number / 1e6),
            Unit::Micros => format!("{:.1} ms", number / 1e3),
            Unit::Nanos => format!("{:.2} µs", number / 1e3),
            Unit::Bytes => format!("{:.1} MiB", number / f64::from(1 << 20)),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, of, .. } = self;
        let (on, off) = (self.figure(self.on), self.figure(self.off));
        let judgement = self.judgement();
        write!(f, "| `{flag}` | {of} | {on} | {off} | {judgement} |")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_improvement_is_called_that() {
        for (unit, on, off, expected) in [
            (Unit::Count, Some(0), Some(0), "no difference"),
            (Unit::Count, Some(0), Some(7), "only without it"),
            (Unit::Count, Some(7), Some(0), "**only with it**"),
            (
                Unit::Count,
                Some(10),
                Some(11),
                "1.1 times as much without it",
            ),
            (
                Unit::Bytes,
                Some(100),
                Some(105),
                "**no improvement**: no difference",
            ),
            (
                Unit::Bytes,
                Some(100),
                Some(250),
                "2.5 times as much without it",
            ),
            (
                Unit::Nanos,
                Some(250),
                Some(100),
                "**no improvement**: 2.5 times as much with it",
            ),
            (Unit::Micros, None, Some(100), "unknown here"),
        ] {
            let verdict = Verdict {
                flag: "x",
                of: "y",
                unit,
                on,
                off,
            };
            assert_eq!(verdict.judgement(), expected, "{verdict:?}");
        }
    }
}
