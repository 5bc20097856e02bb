//! A point on a monotonic clock.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// A point on a [`Clock`](crate::Clock), in whole nanoseconds since that clock's own origin.
///
/// Arithmetic saturates: 584 years after the origin, time stands still instead of wrapping, and the
/// difference to a later instant is zero. Instants of two clocks with different origins cannot be compared
/// in any useful way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ORIGIN: Self = Self(0);
    /// The last instant there is; "never", where a deadline is meant.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// Returns the instant `nanos` nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns how long after `earlier` this instant is: zero if it is not after it.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at [`Instant::FAR_FUTURE`].
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }
}

/// Saturates at [`Instant::ORIGIN`].
impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

/// Saturates at zero.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// In 64 bits: this is inlined wherever times are reckoned with, and 128 bits are a call on some machines.
const fn saturating_nanos(duration: Duration) -> u64 {
    const PER_SECOND: u64 = 1_000_000_000;
    const MOST: u64 = u64::MAX / PER_SECOND;
    match duration.as_secs() {
        seconds @ 0..=MOST => (seconds * PER_SECOND).saturating_add(duration.subsec_nanos() as u64),
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!(late + Duration::from_secs(1), Instant::FAR_FUTURE);
        assert_eq!(late + Duration::MAX, Instant::FAR_FUTURE);
        assert_eq!(
            Instant::from_nanos(1) - Duration::from_secs(1),
            Instant::ORIGIN
        );
        assert_eq!(Instant::ORIGIN - late, Duration::ZERO);
        assert_eq!(
            late - Instant::ORIGIN,
            Duration::from_nanos(u64::MAX - 1),
            "a difference forward is exact"
        );
    }
}
