//! RFC 3339 times, which Anthropic and others write into their reset headers.

use std::time::Duration;

use crate::{
    civil::{self, Civil},
    cursor::Cursor,
    decimal::Fraction,
};

/// A time since the Unix epoch, and whether it was written in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) unix: Duration,
    pub(crate) whole_seconds: bool,
}

/// Reads `2026-11-22T12:00:30Z`, with any fraction and offset; `t`, `z` and a space for the `T` are
/// allowed.
pub(crate) fn parse(text: &[u8]) -> Option<Time> {
    let mut cursor = Cursor::new(text);
    let year = i64::from(cursor.digits(4)?);
    cursor.literal(b"-")?;
    let month = cursor.digits(2)?;
    cursor.literal(b"-")?;
    let day = cursor.digits(2)?;
    matches!(cursor.bump()?, b'T' | b't' | b' ').then_some(())?;
    let hour = cursor.digits(2)?;
    cursor.literal(b":")?;
    let minute = cursor.digits(2)?;
    cursor.literal(b":")?;
    let second = cursor.digits(2)?;
    let fraction = match cursor.peek() {
        Some(b'.') => Some(Fraction::take(&mut cursor)?),
        _ => None,
    };
    let offset = offset(&mut cursor)?;
    cursor.end()?;

    let seconds = Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    }
    .unix_seconds()?
        - offset;
    let nanos = fraction.map_or(0, |fraction| u64::from(fraction.nanos));
    Some(Time {
        unix: civil::since_epoch(seconds) + Duration::from_nanos(nanos),
        whole_seconds: fraction.is_none(),
    })
}

/// Seconds ahead of UTC.
fn offset(cursor: &mut Cursor<'_>) -> Option<i64> {
    let sign = match cursor.bump()? {
        b'Z' | b'z' => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = i64::from(cursor.digits(2)?);
    cursor.literal(b":")?;
    let minutes = i64::from(cursor.digits(2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn millis(text: &str) -> Option<u128> {
        parse(text.as_bytes()).map(|time| time.unix.as_millis())
    }

    #[test]
    fn known_times_have_their_known_epoch() {
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2026-11-22T12:00:00Z"), Some(1_795_348_800_000));
        assert_eq!(millis("2024-02-29T23:59:59Z"), Some(1_709_251_199_000));
        assert_eq!(millis("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        assert_eq!(millis("2100-03-01T00:00:00Z"), Some(4_107_542_400_000));
        assert_eq!(millis("9999-12-31T23:59:59Z"), Some(253_402_300_799_000));
        // The examples of RFC 3339, section 5.8.
        assert_eq!(millis("1985-04-12T23:20:50.52Z"), Some(482_196_050_520));
        assert_eq!(millis("1996-12-19T16:39:57-08:00"), Some(851_042_397_000));
        assert_eq!(millis("1990-12-31T23:59:60Z"), Some(662_688_000_000));
        assert_eq!(millis("1990-12-31T15:59:60-08:00"), Some(662_688_000_000));
    }

    #[test]
    fn letters_may_be_small_and_offsets_may_be_any() {
        let noon = millis("2026-11-22T12:00:00Z");
        for same in [
            "2026-11-22t12:00:00z",
            "2026-11-22 12:00:00Z",
            "2026-11-22T12:00:00+00:00",
            "2026-11-22T12:00:00-00:00",
            "2026-11-22T17:45:00+05:45",
            "2026-11-23T11:59:00+23:59",
            "2026-11-22T12:00:00.000Z",
        ] {
            assert_eq!(millis(same), noon, "{same}");
        }
    }

    #[test]
    fn a_fraction_rounds_up_and_is_remembered() {
        let time = parse(b"2026-11-22T12:00:00.1234567891Z").unwrap();
        assert_eq!(
            (time.unix.subsec_nanos(), time.whole_seconds),
            (123_456_790, false)
        );
        let time = parse(b"2026-11-22T12:00:00.9999999999Z").unwrap();
        assert_eq!(time.unix, Duration::from_secs(1_795_348_801));
        assert!(parse(b"2026-11-22T12:00:00Z").unwrap().whole_seconds);
    }

    #[test]
    fn a_time_before_the_epoch_is_the_epoch() {
        assert_eq!(millis("0000-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("0001-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("1970-01-01T00:00:00+01:00"), Some(0));
    }

    #[test]
    fn anything_else_is_not_a_time() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T12:00:00",
            "2026-11-22T12:00Z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T12:00:00,5Z",
            "2026-11-32T12:00:00Z",
            "2026-13-22T12:00:00Z",
            "2026-00-22T12:00:00Z",
            "2023-02-29T12:00:00Z",
            "2100-02-29T12:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T12:00:61Z",
            "2026-11-22T12:00:00+24:00",
            "2026-11-22T12:00:00+0100",
            "2026-11-22T12:00:00Zulu",
            "99999-11-22T12:00:00Z",
            "-026-11-22T12:00:00Z",
            "2026-11-22_12:00:00Z",
            "２026-11-22T12:00:00Z",
        ] {
            assert_eq!(millis(text), None, "{text:?}");
        }
    }
}
