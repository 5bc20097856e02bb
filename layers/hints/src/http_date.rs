//! The three date formats of HTTP (RFC 9110, section 5.6.7).
//!
//! Why not the `httpdate` crate? It is what this parser is tested against, but it reads the
//! two-digit year of an RFC 850 date with a fixed pivot where the RFC wants one that moves with the
//! clock, it refuses a leap second, and it answers in `SystemTime`, which has no place in a crate
//! that also runs on wasm32-unknown-unknown. A weekday that does not fit the date is no reason to
//! ignore when a server wants to be asked again.

use std::time::Duration;

use crate::{
    civil::{self, Civil},
    cursor::Cursor,
};

/// On average; enough to find the year to begin with.
const SECONDS_PER_YEAR: i64 = 31_556_952;
/// Thirteen of them leap years, the most there can be.
const FIFTY_YEARS: i64 = (50 * 365 + 13) * 86_400;
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const SHORT_WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Reads a date as time since the Unix epoch.
pub(crate) fn parse(text: &[u8], unix_now: Duration) -> Option<Duration> {
    let seconds = imf_fixdate(text)
        .or_else(|| rfc850(text, unix_now))
        .or_else(|| asctime(text))?;
    Some(civil::since_epoch(seconds))
}

/// Takes a list apart at its commas, but for those inside of its dates.
pub(crate) fn list(text: &[u8], unix_now: Duration) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let comma = |from: usize| {
            let found = text.get(from..)?.iter().position(|&byte| byte == b',')?;
            Some(from + found)
        };
        let Some(first) = comma(0) else {
            rest = None;
            return Some(text.trim_ascii());
        };
        let second = comma(first + 1).unwrap_or(text.len());
        // Only the name of a day has a comma behind it, and what begins with one is a date or cannot be read.
        let with_date = text[..second].trim_ascii();
        let is_date = with_date.first().is_some_and(u8::is_ascii_uppercase)
            && parse(with_date, unix_now).is_some();
        let end = if is_date { second } else { first };
        rest = text.get(end + 1..);
        Some(text[..end].trim_ascii())
    })
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &[u8]) -> Option<i64> {
    let mut cursor = Cursor::new(text);
    cursor.one_of(&SHORT_WEEKDAYS)?;
    cursor.literal(b", ")?;
    let day = cursor.digits(2)?;
    cursor.literal(b" ")?;
    let month = month(&mut cursor)?;
    cursor.literal(b" ")?;
    let year = i64::from(cursor.digits(4)?);
    cursor.literal(b" ")?;
    let (hour, minute, second) = time(&mut cursor)?;
    cursor.literal(b" GMT")?;
    cursor.end()?;
    Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    }
    .unix_seconds()
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
///
/// Of all years with these last digits the latest that is not more than 50 years ahead.
fn rfc850(text: &[u8], unix_now: Duration) -> Option<i64> {
    let mut cursor = Cursor::new(text);
    cursor.one_of(&WEEKDAYS)?;
    cursor.literal(b", ")?;
    let day = cursor.digits(2)?;
    cursor.literal(b"-")?;
    let month = month(&mut cursor)?;
    cursor.literal(b"-")?;
    let short_year = i64::from(cursor.digits(2)?);
    cursor.literal(b" ")?;
    let (hour, minute, second) = time(&mut cursor)?;
    cursor.literal(b" GMT")?;
    cursor.end()?;

    let in_year = |year| {
        Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        }
        .unix_seconds()
    };
    // A clock that stands beyond the year 9999 is not one to reckon with.
    let now = i64::try_from(unix_now.as_secs())
        .unwrap_or(i64::MAX)
        .min(8_000 * SECONDS_PER_YEAR);
    let horizon = now + FIFTY_YEARS;
    let last = 1970 + horizon / SECONDS_PER_YEAR + 1;
    let year = last - (last - short_year).rem_euclid(100);
    in_year(year)
        .filter(|&seconds| seconds <= horizon)
        .or_else(|| in_year(year - 100))
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<i64> {
    let mut cursor = Cursor::new(text);
    cursor.one_of(&SHORT_WEEKDAYS)?;
    cursor.literal(b" ")?;
    let month = month(&mut cursor)?;
    cursor.literal(b" ")?;
    let day = match cursor.literal(b" ") {
        Some(()) => cursor.digits(1)?,
        None => cursor.digits(2)?,
    };
    cursor.literal(b" ")?;
    let (hour, minute, second) = time(&mut cursor)?;
    cursor.literal(b" ")?;
    let year = i64::from(cursor.digits(4)?);
    cursor.end()?;
    Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    }
    .unix_seconds()
}

fn month(cursor: &mut Cursor<'_>) -> Option<u32> {
    u32::try_from(cursor.one_of(&MONTHS)? + 1).ok()
}

fn time(cursor: &mut Cursor<'_>) -> Option<(u32, u32, u32)> {
    let hour = cursor.digits(2)?;
    cursor.literal(b":")?;
    let minute = cursor.digits(2)?;
    cursor.literal(b":")?;
    Some((hour, minute, cursor.digits(2)?))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// 22 November 2026, noon.
    const NOW: Duration = Duration::from_secs(1_795_348_800);

    fn seconds(text: &str) -> Option<u64> {
        parse(text.as_bytes(), NOW).map(|at| at.as_secs())
    }

    #[test]
    fn the_three_forms_are_one_time() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("Sun Nov  6 08:49:37 1994"), Some(784_111_777));
    }

    #[test]
    fn known_dates_have_their_known_epoch() {
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            seconds("Sun, 22 Nov 2026 12:00:00 GMT"),
            Some(NOW.as_secs())
        );
        assert_eq!(
            seconds("Thu, 29 Feb 2024 23:59:59 GMT"),
            Some(1_709_251_199)
        );
        assert_eq!(seconds("Tue, 29 Feb 2000 00:00:00 GMT"), Some(951_782_400));
        assert_eq!(
            seconds("Mon, 01 Mar 2100 00:00:00 GMT"),
            Some(4_107_542_400)
        );
        assert_eq!(
            seconds("Fri, 31 Dec 9999 23:59:59 GMT"),
            Some(253_402_300_799)
        );
        assert_eq!(
            seconds("Sat, 31 Dec 2016 23:59:60 GMT"),
            Some(1_483_228_800)
        );
        assert_eq!(seconds("Fri Jan 16 09:00:00 2026"), Some(1_768_554_000));
    }

    #[test]
    fn a_date_before_the_epoch_is_the_epoch() {
        assert_eq!(
            seconds("Mon, 01 Jan 0001 00:00:00 GMT"),
            Some(0),
            "the zero time of Go"
        );
        assert_eq!(seconds("Sat, 01 Jan 0000 00:00:00 GMT"), Some(0));
        assert_eq!(seconds("Wed, 31 Dec 1969 23:59:59 GMT"), Some(0));
    }

    #[test]
    fn a_short_year_is_never_more_than_fifty_years_ahead() {
        let year = |text: &str, now: u64| {
            parse(text.as_bytes(), Duration::from_secs(now)).map(|at| at.as_secs())
        };
        let date = "Tuesday, 01-Jan-30 00:00:00 GMT";
        assert_eq!(year(date, NOW.as_secs()), Some(1_893_456_000), "2030");
        assert_eq!(
            year("Sunday, 22-Nov-76 11:00:00 GMT", NOW.as_secs()),
            Some(3_373_268_400),
            "2076: just under 50 years"
        );
        assert_eq!(
            year("Monday, 22-Nov-76 23:59:00 GMT", NOW.as_secs()),
            Some(217_555_140),
            "1976: just over 50 years"
        );
        assert_eq!(
            year("Saturday, 01-Jan-00 00:00:00 GMT", NOW.as_secs()),
            Some(946_684_800),
            "2000"
        );
        let in_2090 = 3_786_912_000;
        assert_eq!(
            year(date, in_2090),
            Some(5_049_129_600),
            "2130: forty years ahead"
        );
        assert_eq!(
            year("Friday, 29-Feb-00 00:00:00 GMT", in_2090),
            Some(951_782_400),
            "2100 has no such day"
        );
        assert_eq!(year(date, 0), Some(0), "1930, seen from 1970");
        assert!(
            year(date, u64::MAX).is_some(),
            "a hostile clock does not overflow"
        );
    }

    #[test]
    fn a_list_may_hold_dates() {
        let parts = |text: &'static str| {
            list(text.as_bytes(), NOW)
                .map(|part| str::from_utf8(part).unwrap())
                .collect::<Vec<_>>()
        };
        let (fixed, old, c) = (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        );
        assert_eq!(parts(fixed), [fixed]);
        assert_eq!(parts(""), [""]);
        assert_eq!(parts("5"), ["5"]);
        assert_eq!(parts("5, 6 ,,7,"), ["5", "6", "", "7", ""]);
        assert_eq!(
            parts(
                "5, Sun, 06 Nov 1994 08:49:37 GMT,Sunday, 06-Nov-94 08:49:37 GMT , \
                 Sun Nov  6 08:49:37 1994, 6"
            ),
            ["5", fixed, old, c, "6"]
        );
        assert_eq!(parts("Sun, 5"), ["Sun", "5"], "no number is lost to a day");
        assert_eq!(parts("Sun, Sun, 06 Nov 1994 08:49:37 GMT"), ["Sun", fixed]);
    }

    #[test]
    fn anything_else_is_not_a_date() {
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, 06 Nov -994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov 006 08:49:37 1994",
            "Son, 06 Nov 1994 08:49:37 GMT",
            "Sun, ٠٦ Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT\0",
        ] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_fifth_day_agrees_with_httpdate() {
        for days in (0..2_932_896).step_by(5) {
            let at = Duration::from_secs(days * 86_400 + days % 86_400);
            let text = httpdate::fmt_http_date(UNIX_EPOCH + at);
            assert_eq!(parse(text.as_bytes(), NOW), Some(at), "{text}");
        }
    }
}
