//! Which durations are counted together.
//!
//! Every duration falls into exactly one bucket, the buckets are in the order of the durations, and the middle of a
//! bucket is within 1/128 of whatever falls into it, or within 128 ns.

use egress_time::Instant;
use std::{ops::Range, time::Duration};

/// What the narrowest buckets are wide, in nanoseconds: 2^7.
const UNIT_BITS: u32 = 7;

/// How many equal buckets there are between a duration and its double: 2^6. Each is at most 1/64 wide, and its middle
/// off by half of that.
const STEP_BITS: u32 = 6;
pub(crate) const STEPS: usize = 1 << STEP_BITS;

/// How many magnitudes there are: the first 64 units, then 31 doublings, up to 2^44 ns.
pub(crate) const MAGNITUDES: usize = 32;

/// A bucket: a magnitude and a step in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bucket {
    /// Below [`MAGNITUDES`].
    pub(crate) magnitude: u8,
    /// Below [`STEPS`].
    pub(crate) step: u8,
}

impl Bucket {
    const LAST: Self = Self {
        magnitude: 31,
        step: 63,
    };

    /// Returns the bucket that `duration` falls into.
    pub(crate) fn of(duration: Duration) -> Self {
        let nanos = (Instant::ORIGIN + duration).as_nanos();
        let units = nanos >> UNIT_BITS;
        // The steps of the first magnitude, which begins at zero, are one unit wide, as are those of the second; every
        // one after it has steps twice as wide.
        let (magnitude, width_bits) = match units.checked_ilog2() {
            Some(bits) if bits >= STEP_BITS => (bits - STEP_BITS + 1, bits - STEP_BITS),
            _ => (0, 0),
        };
        let step = (units >> width_bits) & ((1 << STEP_BITS) - 1);
        match (u8::try_from(magnitude), u8::try_from(step)) {
            (Ok(magnitude), Ok(step)) => Self { magnitude, step }.min(Self::LAST),
            _ => Self::LAST,
        }
    }

    /// Returns the bucket at this position among all buckets.
    pub(crate) fn at(index: u16) -> Self {
        match (
            u8::try_from(index >> STEP_BITS),
            u8::try_from(index & ((1 << STEP_BITS) - 1)),
        ) {
            (Ok(magnitude), Ok(step)) => Self { magnitude, step }.min(Self::LAST),
            _ => Self::LAST,
        }
    }

    /// Returns its position among all buckets.
    pub(crate) fn index(self) -> u16 {
        (u16::from(self.magnitude) << STEP_BITS) + u16::from(self.step)
    }

    /// Returns the duration that stands for all that fall into it; zero for zero and what is next to it.
    pub(crate) fn middle(self) -> Duration {
        let Range { start, end } = self.range();
        if start == 0 {
            return Duration::ZERO;
        }
        Duration::from_nanos(start + (end - start) / 2)
    }

    /// Returns the nanoseconds that fall into it.
    fn range(self) -> Range<u64> {
        let (first, doublings) = match self.magnitude.checked_sub(1) {
            None => (0, 0),
            Some(doublings) => (1 << STEP_BITS, doublings),
        };
        let start = first + u64::from(self.step);
        (start << doublings << UNIT_BITS)..((start + 1) << doublings << UNIT_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn all() -> impl Iterator<Item = Bucket> {
        (0..=Bucket::LAST.index()).map(Bucket::at)
    }

    /// M2: the law of this file.
    #[test]
    fn buckets_follow_each_other_without_gaps_and_their_middles_are_near() {
        let mut next = 0;
        for (index, bucket) in (0..).zip(all()) {
            let Range { start, end } = bucket.range();
            assert_eq!(
                start, next,
                "{bucket:?} begins where the one before it ends"
            );
            assert_eq!(bucket.index(), index);
            for nanos in [start, start + (end - start) / 2, end - 1] {
                assert_eq!(Bucket::of(Duration::from_nanos(nanos)), bucket);
                let off = bucket
                    .middle()
                    .abs_diff(Duration::from_nanos(nanos))
                    .as_nanos();
                assert!(
                    off * 128 <= u128::from(start) || off < 128,
                    "{bucket:?} is off by {off} ns"
                );
            }
            assert!(usize::from(bucket.magnitude) < MAGNITUDES);
            assert!(usize::from(bucket.step) < STEPS);
            next = end;
        }
        assert_eq!(next, 1 << 44);
    }

    /// M3
    #[test]
    fn zero_stays_zero_and_what_is_too_long_is_the_last() {
        assert_eq!(Bucket::of(Duration::ZERO).middle(), Duration::ZERO);
        for long in [
            Duration::from_nanos(1 << 44),
            Duration::from_nanos(u64::MAX),
            Duration::MAX,
        ] {
            assert_eq!(Bucket::of(long), Bucket::LAST);
        }
        assert!(Bucket::LAST.middle() > Duration::from_secs(48 * 360));
        assert_eq!(Bucket::at(u16::MAX), Bucket::LAST);
    }
}
