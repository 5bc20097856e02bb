//! What a server permits, in numbers that make sense.

use crate::{Cost, InvalidQuota};
use std::time::Duration;

/// The longest period and the longest spacing there may be: a leap year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// How many calls may depart: so many in any window of a period, so many at once, and no two closer than a spacing.
///
/// A quota that makes no sense cannot be built: see [`InvalidQuota`].
///
/// The window is strict. A token bucket that holds `limit` tokens and refills `limit` in a period lets almost twice
/// the limit through in the period after an idle time; here no half-open window of the period ever has more than
/// `limit` departures, wherever it begins.
///
/// # Defaults
///
/// - burst: the limit
/// - spacing: none
///
/// # Example
///
/// ```
/// use egress_token_bucket::Quota;
/// use std::time::Duration;
///
/// let quota = Quota::new(30, Duration::from_secs(60))?
///     .with_burst(10)?
///     .with_spacing(Duration::from_millis(100))?;
/// assert_eq!(quota, Quota::GITHUB);
/// assert!(Quota::new(0, Duration::from_secs(60)).is_err());
/// # Ok::<_, egress_token_bucket::InvalidQuota>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: u32,
    period: Duration,
    burst: u32,
    spacing: Duration,
}

impl Quota {
    /// GitHub's REST API: 30 calls in 60 s, 10 of them at once, 100 ms apart.
    ///
    /// Well inside its secondary limits, which it may change without notice
    /// ([docs.github.com](https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api)).
    pub const GITHUB: Self = Self::preset(30, 60, 10, 100);
    /// GitHub's search: 10 calls in 60 s, 3 at once, 1 s apart. What it permits without a token; with one, it is 30.
    pub const GITHUB_SEARCH: Self = Self::preset(10, 60, 3, 1000);
    /// Anthropic's API, smallest tier: 5 calls in 60 s, 2 at once, 2 s apart.
    pub const ANTHROPIC: Self = Self::preset(5, 60, 2, 2000);
    /// Everybody else: 60 calls in 60 s, 20 at once, 50 ms apart.
    pub const EXTERNAL: Self = Self::preset(60, 60, 20, 50);

    /// Permits `limit` calls in any window of `period`, all of them at once.
    ///
    /// # Errors
    ///
    /// [`InvalidQuota`] if the limit or the period is zero, if the period is longer than 366 days, or shorter than
    /// a nanosecond per call.
    pub const fn new(limit: u32, period: Duration) -> Result<Self, InvalidQuota> {
        if limit == 0 {
            return Err(InvalidQuota::ZeroLimit);
        }
        if period.is_zero() {
            return Err(InvalidQuota::ZeroPeriod);
        }
        if period.as_nanos() > LONGEST.as_nanos() {
            return Err(InvalidQuota::PeriodTooLong { period });
        }
        // The lossless `u128::from` is not const.
        if period.as_nanos() < limit as u128 {
            return Err(InvalidQuota::PeriodTooShort { limit, period });
        }
        Ok(Self {
            limit,
            period,
            burst: limit,
            spacing: Duration::ZERO,
        })
    }

    /// Permits `burst` calls at once after an idle time; more follow at the pace of the period divided by the limit.
    ///
    /// That holds for what really departs: after a suspension of the program a whole queue is late, and still no more
    /// than `burst` go at once. The burst is also what makes up for timers that are late. With a burst of 1 there is
    /// nothing to make up with, so each departure delays the next by as much as it was late itself: 50 µs of 5 ms are 1 %
    /// of the rate. From 2 on, lateness of less than the period divided by the limit costs nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidQuota`] if the burst is zero or above the limit.
    pub const fn with_burst(self, burst: u32) -> Result<Self, InvalidQuota> {
        if burst == 0 {
            return Err(InvalidQuota::ZeroBurst);
        }
        if burst > self.limit {
            let limit = self.limit;
            return Err(InvalidQuota::BurstAboveLimit { burst, limit });
        }
        Ok(Self { burst, ..self })
    }

    /// Keeps any two departures at least `spacing` apart, those of a burst too.
    ///
    /// With a spacing above the period divided by the limit, the spacing is what limits.
    ///
    /// # Errors
    ///
    /// [`InvalidQuota`] if the spacing is longer than 366 days.
    pub const fn with_spacing(self, spacing: Duration) -> Result<Self, InvalidQuota> {
        if spacing.as_nanos() > LONGEST.as_nanos() {
            return Err(InvalidQuota::SpacingTooLong { spacing });
        }
        Ok(Self { spacing, ..self })
    }

    /// Returns the cost of a call that counts as `units` calls.
    ///
    /// # Errors
    ///
    /// [`InvalidQuota`] if that is zero, or more than the burst: such a call could never depart.
    pub const fn cost(&self, units: u32) -> Result<Cost, InvalidQuota> {
        if units > self.burst {
            let (cost, burst) = (units, self.burst);
            return Err(InvalidQuota::CostAboveBurst { cost, burst });
        }
        match Cost::new(units) {
            None => Err(InvalidQuota::ZeroCost),
            Some(cost) => Ok(cost),
        }
    }

    /// Returns how many calls any window of the [period](Self::period) may have.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns the length of the window.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Returns how many calls may depart at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// Returns the least time between two departures.
    pub const fn spacing(&self) -> Duration {
        self.spacing
    }

    const fn preset(limit: u32, seconds: u64, burst: u32, spacing_millis: u64) -> Self {
        Self {
            limit,
            period: Duration::from_secs(seconds),
            burst,
            spacing: Duration::from_millis(spacing_millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const MINUTE: Duration = Duration::from_secs(60);

    /// T12
    #[test]
    fn a_quota_that_makes_no_sense_cannot_be_built() {
        assert_eq!(Quota::new(0, MINUTE), Err(InvalidQuota::ZeroLimit));
        assert_eq!(Quota::new(1, Duration::ZERO), Err(InvalidQuota::ZeroPeriod));
        assert!(matches!(
            Quota::new(1, Duration::MAX),
            Err(InvalidQuota::PeriodTooLong { .. })
        ));
        assert!(matches!(
            Quota::new(u32::MAX, Duration::from_secs(1)),
            Err(InvalidQuota::PeriodTooShort { .. })
        ));
        assert!(Quota::new(u32::MAX, LONGEST).is_ok());

        let quota = Quota::new(5, MINUTE).unwrap();
        assert_eq!(quota.with_burst(0), Err(InvalidQuota::ZeroBurst));
        assert_eq!(
            quota.with_burst(6),
            Err(InvalidQuota::BurstAboveLimit { burst: 6, limit: 5 })
        );
        assert!(matches!(
            quota.with_spacing(Duration::MAX),
            Err(InvalidQuota::SpacingTooLong { .. })
        ));
    }

    /// T12
    #[test]
    fn a_cost_above_the_burst_cannot_be_built() {
        let quota = Quota::ANTHROPIC;
        assert_eq!(quota.cost(0), Err(InvalidQuota::ZeroCost));
        assert_eq!(quota.cost(2).map(Cost::units), Ok(2));
        assert_eq!(
            quota.cost(3),
            Err(InvalidQuota::CostAboveBurst { cost: 3, burst: 2 })
        );
        assert_eq!(Cost::default(), Cost::ONE);
        assert_eq!(quota.cost(1), Ok(Cost::ONE));
    }

    #[test]
    fn presets_are_valid_quotas_with_the_documented_numbers() {
        for (preset, limit, spacing, burst) in [
            (Quota::GITHUB, 30, 100, 10),
            (Quota::GITHUB_SEARCH, 10, 1000, 3),
            (Quota::ANTHROPIC, 5, 2000, 2),
            (Quota::EXTERNAL, 60, 50, 20),
        ] {
            let built = Quota::new(limit, MINUTE)
                .and_then(|quota| quota.with_burst(burst))
                .and_then(|quota| quota.with_spacing(Duration::from_millis(spacing)));
            assert_eq!(built, Ok(preset));
        }
    }

    #[test]
    fn a_new_quota_has_the_documented_defaults() {
        let quota = Quota::new(7, MINUTE).unwrap();
        assert_eq!((quota.limit(), quota.period()), (7, MINUTE));
        assert_eq!((quota.burst(), quota.spacing()), (7, Duration::ZERO));
    }
}
