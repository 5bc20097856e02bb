//! Time in nanoseconds and fractions of one, so that a rate has no rounding to drift by.

/// A point or a span of time: whole nanoseconds, and parts of one. How many parts make a nanosecond is the limit of the
/// quota it belongs to, so that one call's share of the period is exact. Sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fine {
    nanos: u64,
    // Less than the limit, so that the derived order is that of time.
    parts: u32,
}

impl Fine {
    pub(super) const fn whole(nanos: u64) -> Self {
        Self { nanos, parts: 0 }
    }

    /// Tells whether it is before this nanosecond has begun.
    pub(super) const fn is_before(self, nanos: u64) -> bool {
        self.nanos < nanos
    }

    /// Returns the end of this span if it begins there.
    pub(super) const fn since(self, nanos: u64) -> Self {
        Self {
            nanos: self.nanos.saturating_add(nanos),
            parts: self.parts,
        }
    }

    /// Returns `units` calls' share of a `period` that has `limit`.
    pub(super) fn share(units: u64, period: u64, limit: u32) -> Self {
        let total = u128::from(units) * u128::from(period);
        let limit = u128::from(limit);
        Self {
            nanos: u64::try_from(total / limit).unwrap_or(u64::MAX),
            parts: u32::try_from(total % limit).unwrap_or(0),
        }
    }

    pub(super) fn plus(self, other: Self, limit: u32) -> Self {
        let parts = u64::from(self.parts) + u64::from(other.parts);
        let carry = parts >= u64::from(limit);
        let parts = parts - if carry { u64::from(limit) } else { 0 };
        Self {
            nanos: self
                .nanos
                .saturating_add(other.nanos)
                .saturating_add(u64::from(carry)),
            parts: u32::try_from(parts).unwrap_or(0),
        }
    }

    /// Zero if `other` is more.
    pub(super) fn minus(self, other: Self, limit: u32) -> Self {
        if self <= other {
            return Self::default();
        }
        match self.parts.checked_sub(other.parts) {
            Some(parts) => Self {
                nanos: self.nanos - other.nanos,
                parts,
            },
            None => Self {
                nanos: self.nanos - other.nanos - 1,
                parts: limit - (other.parts - self.parts),
            },
        }
    }

    /// The first whole nanosecond that is not before this.
    pub(super) const fn ceil(self) -> u64 {
        if self.parts == 0 {
            self.nanos
        } else {
            self.nanos.saturating_add(1)
        }
    }

    /// How many calls' shares of the period fit into this span.
    pub(super) fn shares(self, period: u64, limit: u32) -> u64 {
        let parts = u128::from(self.nanos) * u128::from(limit) + u128::from(self.parts);
        u64::try_from(parts / u128::from(period)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn seven_sevenths_of_a_second_are_a_second() {
        let seventh = Fine::share(1, 1_000_000_000, 7);
        let sum = (0..7).fold(Fine::default(), |sum, _| sum.plus(seventh, 7));
        assert_eq!(sum, Fine::whole(1_000_000_000));
        assert_eq!(sum.minus(seventh, 7), Fine::share(6, 1_000_000_000, 7));
        assert_eq!(sum.shares(1_000_000_000, 7), 7);
        assert_eq!(sum.minus(seventh, 7).shares(1_000_000_000, 7), 6);
    }

    #[test]
    fn a_part_of_a_nanosecond_counts_as_one_when_it_must_be_waited_for() {
        assert_eq!(Fine::share(1, 10, 7).ceil(), 2);
        assert_eq!(Fine::share(7, 10, 7).ceil(), 10);
    }

    #[test]
    fn it_saturates_at_both_ends() {
        let end = Fine::whole(u64::MAX);
        assert_eq!(end.plus(Fine::share(1, 3, 2), 2).ceil(), u64::MAX);
        assert_eq!(Fine::whole(1).minus(end, 2), Fine::default());
        assert_eq!(Fine::share(u64::MAX, u64::MAX, 1), end);
        assert_eq!(end.shares(1, u32::MAX), u64::MAX);
    }
}
