//! As how many calls a call counts.

use std::num::NonZeroU32;

/// How many calls a call counts as; one, unless a request carries this in its extensions.
///
/// Made by [`Quota::cost`](crate::Quota::cost), so that it is not above the burst. A bucket with another burst refuses what it cannot
/// ever let go ([`Reason::CostAboveBurst`](crate::Reason::CostAboveBurst)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(NonZeroU32);

impl Cost {
    /// Counts as one call.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    pub(crate) const fn new(units: u32) -> Option<Self> {
        match NonZeroU32::new(units) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// Returns how many calls it counts as.
    pub const fn units(self) -> u32 {
        self.0.get()
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::ONE
    }
}
