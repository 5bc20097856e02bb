//! Days and seconds of the Gregorian calendar.

use std::time::Duration;

const SECONDS_PER_DAY: i64 = 86_400;

/// A date and a time of day in UTC, as written and not yet checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
}

impl Civil {
    /// Seconds since the Unix epoch; `None` if there is no such day or time. A leap second is the
    /// second after it.
    pub(crate) fn unix_seconds(self) -> Option<i64> {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        let valid = (0..=99_999).contains(&year)
            && (1..=days_in(year, month)?).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 60;
        valid.then(|| {
            days_since_epoch(year, i64::from(month), i64::from(day)) * SECONDS_PER_DAY
                + i64::from(hour * 3600 + minute * 60 + second)
        })
    }
}

/// A time since the Unix epoch; what lies before it is the epoch itself, long past either way.
pub(crate) fn since_epoch(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn days_in(year: i64, month: u32) -> Option<u32> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

/// Counts from the first of March, so that the leap day is the last of its year.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - DAYS_FROM_MARCH_OF_YEAR_0
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn midnight(year: i64, month: u32, day: u32) -> Option<i64> {
        Civil {
            year,
            month,
            day,
            hour: 0,
            minute: 0,
            second: 0,
        }
        .unix_seconds()
    }

    #[test]
    fn known_days_have_their_known_number() {
        assert_eq!(midnight(1970, 1, 1), Some(0));
        assert_eq!(midnight(1969, 12, 31), Some(-86_400));
        assert_eq!(midnight(2000, 2, 29), Some(951_782_400));
        assert_eq!(midnight(2000, 3, 1), Some(951_868_800));
        assert_eq!(midnight(2024, 2, 29), Some(1_709_164_800));
        assert_eq!(midnight(2038, 1, 19), Some(2_147_472_000));
        assert_eq!(midnight(2100, 2, 28), Some(4_107_456_000));
        assert_eq!(midnight(2100, 3, 1), Some(4_107_542_400));
        assert_eq!(midnight(9999, 12, 31), Some(253_402_214_400));
        assert_eq!(midnight(0, 3, 1), Some(-62_162_035_200));
        assert_eq!(midnight(1, 1, 1), Some(-62_135_596_800));
    }

    /// Every day from the year 0 to 2400, counted one by one.
    #[test]
    fn days_follow_each_other() {
        let mut expected = midnight(0, 1, 1).unwrap();
        for year in 0..=2400 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(seconds) = midnight(year, month, day) {
                        assert_eq!(seconds, expected, "{year}-{month}-{day}");
                        expected += SECONDS_PER_DAY;
                    }
                }
            }
        }
    }

    #[test]
    fn days_and_times_that_do_not_exist_are_refused() {
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2100, 2, 29),
            (2024, 4, 31),
            (2024, 1, 32),
            (2024, 1, 0),
            (2024, 13, 1),
            (2024, 0, 1),
        ] {
            assert_eq!(midnight(year, month, day), None, "{year}-{month}-{day}");
        }
        let at = |hour, minute, second| {
            Civil {
                year: 2024,
                month: 1,
                day: 1,
                hour,
                minute,
                second,
            }
            .unix_seconds()
        };
        assert_eq!(at(24, 0, 0), None);
        assert_eq!(at(0, 60, 0), None);
        assert_eq!(at(0, 0, 61), None);
        assert_eq!(at(23, 59, 60), midnight(2024, 1, 2));
    }
}
