//! Dates as HTTP (RFC 9110, section 5.6.7) and RFC 3339 write them.

use std::time::{Duration, UNIX_EPOCH};

const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment in parts, UTC.
struct Parts {
    weekday: &'static str,
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Parts {
    /// Splits seconds since 1970, by Howard Hinnant's `civil_from_days`.
    fn of(epoch: u64) -> Self {
        let (days, second) = (epoch / 86_400, epoch % 86_400);
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Self {
            weekday: pick(&DAYS, days % 7),
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    fn month_name(&self) -> &'static str {
        pick(&MONTHS, self.month.saturating_sub(1))
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the form that servers send.
pub(crate) fn imf(epoch: u64) -> String {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(epoch))
        .map(httpdate::fmt_http_date)
        .unwrap_or_default()
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`, obsolete, which recipients must accept.
pub(crate) fn rfc850(epoch: u64) -> String {
    let p = Parts::of(epoch);
    format!(
        "{}, {:02}-{}-{:02} {:02}:{:02}:{:02} GMT",
        p.weekday,
        p.day,
        p.month_name(),
        p.year % 100,
        p.hour,
        p.minute,
        p.second
    )
}

/// `Sun Nov  6 08:49:37 1994`, obsolete, which recipients must accept.
pub(crate) fn asctime(epoch: u64) -> String {
    let p = Parts::of(epoch);
    format!(
        "{:.3} {} {:2} {:02}:{:02}:{:02} {}",
        p.weekday,
        p.month_name(),
        p.day,
        p.hour,
        p.minute,
        p.second,
        p.year
    )
}

/// `1994-11-06T08:49:37Z`.
pub(crate) fn rfc3339(epoch: u64) -> String {
    let p = Parts::of(epoch);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        p.year, p.month, p.day, p.hour, p.minute, p.second
    )
}

fn pick(names: &[&'static str], place: u64) -> &'static str {
    let place = usize::try_from(place).unwrap_or_default();
    names.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_rfc_9110() {
        let epoch = 784_111_777;
        assert_eq!(imf(epoch), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(rfc850(epoch), "Sunday, 06-Nov-94 08:49:37 GMT");
        assert_eq!(asctime(epoch), "Sun Nov  6 08:49:37 1994");
        assert_eq!(rfc3339(epoch), "1994-11-06T08:49:37Z");
    }

    #[test]
    fn leap_days_exist() {
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    }

    proptest! {
        /// Another reader of HTTP dates reads back what was written. (A two-digit year is good
        /// until 2069.)
        #[test]
        fn every_form_reads_back(epoch in 0_u64..3_100_000_000) {
            let time = UNIX_EPOCH + Duration::from_secs(epoch);
            for text in [imf(epoch), rfc850(epoch), asctime(epoch)] {
                prop_assert_eq!(httpdate::parse_http_date(&text).ok(), Some(time), "{}", text);
            }
            let p = Parts::of(epoch);
            let imf = imf(epoch);
            prop_assert!(imf.starts_with(p.weekday.get(..3).unwrap()));
            let day = format!("{:04}-{:02}-{:02}", p.year, p.month, p.day);
            prop_assert!(rfc3339(epoch).starts_with(&day));
        }
    }
}
