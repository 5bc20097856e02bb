//! How durations are distributed.

use crate::bucket::Bucket;
use std::{cmp::Ordering, fmt, time::Duration};

/// How durations are distributed: what a [`Histogram`](crate::Histogram) has counted, or several of them together.
///
/// Every duration it tells is within 1 % of one that was recorded; zero is exact.
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct Distribution {
    /// Indices of buckets and how many durations fell into them; ascending, without zeros.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "sanitize"))]
    counts: Vec<(u16, u64)>,
}

impl Distribution {
    pub(crate) const fn from_sorted(counts: Vec<(u16, u64)>) -> Self {
        Self { counts }
    }

    /// Returns how many durations there are.
    pub fn count(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Tells whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Returns the median.
    pub fn p50(&self) -> Option<Duration> {
        self.per_mille(500)
    }

    /// Returns what 95 of 100 do not exceed.
    pub fn p95(&self) -> Option<Duration> {
        self.per_mille(950)
    }

    /// Returns what 99 of 100 do not exceed.
    pub fn p99(&self) -> Option<Duration> {
        self.per_mille(990)
    }

    /// Returns the shortest duration that at least `share` of 1000 do not exceed, and `None` if there are none.
    ///
    /// A share of 0 is the shortest of all, and 1000 or more is the longest.
    pub fn per_mille(&self, share: u16) -> Option<Duration> {
        let count = u128::from(self.count());
        let rank = (count * u128::from(share)).div_ceil(1000);
        let mut seen = 0;
        for (index, count) in &self.counts {
            seen += u128::from(*count);
            if seen >= rank {
                return Some(Bucket::at(*index).middle());
            }
        }
        self.max()
    }

    /// Returns the shortest.
    pub fn min(&self) -> Option<Duration> {
        let (index, _) = self.counts.first()?;
        Some(Bucket::at(*index).middle())
    }

    /// Returns the longest.
    pub fn max(&self) -> Option<Duration> {
        let (index, _) = self.counts.last()?;
        Some(Bucket::at(*index).middle())
    }

    /// Returns the mean.
    pub fn mean(&self) -> Option<Duration> {
        let (mut count, mut sum) = (0, 0);
        for (index, times) in &self.counts {
            // At most 2^16 buckets of 2^64 durations of 2^44 ns.
            count += u128::from(*times);
            sum += u128::from(*times) * Bucket::at(*index).middle().as_nanos();
        }
        let mean = sum.checked_div(count)?;
        Some(Duration::from_nanos(
            u64::try_from(mean).unwrap_or(u64::MAX),
        ))
    }

    /// Adds what `other` has: the distribution of both together.
    pub fn merge(&mut self, other: &Self) {
        let mine = std::mem::take(&mut self.counts);
        self.counts.reserve(mine.len().max(other.counts.len()));
        let (mut mine, mut theirs) = (mine.into_iter().peekable(), other.counts.iter().peekable());
        loop {
            let order = match (mine.peek(), theirs.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((mine, _)), Some((theirs, _))) => mine.cmp(theirs),
            };
            let mut next = None;
            if order.is_le() {
                next = mine.next();
            }
            if order.is_ge()
                && let Some((index, count)) = theirs.next()
            {
                next = Some((
                    *index,
                    next.map_or(0, |(_, mine)| mine).saturating_add(*count),
                ));
            }
            self.counts.extend(next);
        }
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution")
            .field("count", &self.count())
            .field("p50", &self.p50())
            .field("p95", &self.p95())
            .field("p99", &self.p99())
            .finish_non_exhaustive()
    }
}

/// Restores the order that everything here relies on: what is read may come from anywhere.
#[cfg(feature = "serde")]
fn sanitize<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(u16, u64)>, D::Error> {
    let mut counts: Vec<(u16, u64)> = serde::Deserialize::deserialize(deserializer)?;
    for (index, _) in &mut counts {
        *index = Bucket::at(*index).index();
    }
    counts.sort_unstable_by_key(|(index, _)| *index);
    counts.dedup_by(|(index, count), (kept, sum)| {
        let same = index == kept;
        if same {
            *sum = sum.saturating_add(*count);
        }
        same
    });
    counts.retain(|(_, count)| *count > 0);
    Ok(counts)
}
