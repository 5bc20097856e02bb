//! Points in time as servers write them.

use std::time::Duration;

use crate::{cursor::Cursor, decimal::Decimal, http_date, rfc3339};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A time, relative or absolute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// So long after the response.
    In(Duration),
    /// So long after the Unix epoch, perhaps cut off to a multiple of `grain`.
    At { unix: Duration, grain: Duration },
}

impl When {
    /// Below this many seconds a number is a delay, from here on an epoch: 9 September 2001, or
    /// 31.7 years.
    const FIRST_EPOCH: u64 = 1_000_000_000;
    /// From here on an epoch is in milliseconds: 9 September 2001 again, or the year 33658.
    const FIRST_EPOCH_MILLIS: u64 = 1_000_000_000_000;

    /// Reads what stands in a reset header: a number, a duration, an RFC 3339 time or an HTTP date.
    pub(crate) fn parse_reset(text: &[u8], unix_now: Duration) -> Option<Self> {
        let text = text.trim_ascii();
        Decimal::parse(text)
            .map(Self::of_number)
            .or_else(|| duration(text).map(Self::In))
            .or_else(|| {
                let time = rfc3339::parse(text)?;
                Some(Self::At {
                    unix: time.unix,
                    grain: if time.whole_seconds {
                        SECOND
                    } else {
                        Duration::ZERO
                    },
                })
            })
            .or_else(|| {
                http_date::parse(text, unix_now).map(|unix| Self::At {
                    unix,
                    grain: SECOND,
                })
            })
    }

    fn of_number(number: Decimal) -> Self {
        match number.whole() {
            ..Self::FIRST_EPOCH => Self::In(number.times(SECOND)),
            Self::FIRST_EPOCH..Self::FIRST_EPOCH_MILLIS => Self::At {
                unix: number.times(SECOND),
                grain: if number.has_fraction() {
                    Duration::ZERO
                } else {
                    SECOND
                },
            },
            Self::FIRST_EPOCH_MILLIS.. => Self::At {
                unix: number.times(MILLISECOND),
                grain: MILLISECOND,
            },
        }
    }
}

/// A duration in Go's notation, as OpenAI writes its resets: `6m0s`, `1.5s`, `20ms`.
fn duration(text: &[u8]) -> Option<Duration> {
    const UNITS: [(&str, Duration); 7] = [
        ("ms", MILLISECOND),
        ("us", Duration::from_micros(1)),
        ("µs", Duration::from_micros(1)),
        ("ns", Duration::from_nanos(1)),
        ("h", Duration::from_secs(3600)),
        ("m", Duration::from_secs(60)),
        ("s", SECOND),
    ];
    let mut cursor = Cursor::new(text);
    let mut total = Duration::ZERO;
    loop {
        let number = Decimal::take(&mut cursor)?;
        let (_, unit) = UNITS
            .iter()
            .find(|(name, _)| cursor.literal(name.as_bytes()).is_some())?;
        total = total.saturating_add(number.times(*unit));
        if cursor.end().is_some() {
            return Some(total);
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// 22 November 2026, noon.
    const NOW: Duration = Duration::from_secs(1_795_348_800);

    fn reset(text: &str) -> Option<When> {
        When::parse_reset(text.as_bytes(), NOW)
    }

    fn at(unix: Duration, grain: Duration) -> Option<When> {
        Some(When::At { unix, grain })
    }

    #[test]
    fn a_number_is_told_by_its_size() {
        assert_eq!(reset("30"), Some(When::In(Duration::from_secs(30))));
        assert_eq!(
            reset("64.57"),
            Some(When::In(Duration::from_millis(64_570)))
        );
        assert_eq!(
            reset("999999999"),
            Some(When::In(Duration::from_secs(999_999_999)))
        );
        assert_eq!(
            reset("1000000000"),
            at(Duration::from_secs(1_000_000_000), SECOND)
        );
        assert_eq!(
            reset("1795348830"),
            at(NOW + Duration::from_secs(30), SECOND)
        );
        assert_eq!(
            reset("1470173023.123"),
            at(Duration::from_millis(1_470_173_023_123), Duration::ZERO)
        );
        assert_eq!(
            reset("253402300799"),
            at(Duration::from_secs(253_402_300_799), SECOND),
            "the year 9999 is no epoch in ms"
        );
        assert_eq!(
            reset("999999999999"),
            at(Duration::from_secs(999_999_999_999), SECOND)
        );
        assert_eq!(
            reset("1000000000000"),
            at(Duration::from_secs(1_000_000_000), MILLISECOND)
        );
        assert_eq!(
            reset("1795348830123"),
            at(Duration::from_millis(1_795_348_830_123), MILLISECOND)
        );
        assert_eq!(reset(&"9".repeat(40)), at(Duration::MAX, MILLISECOND));
    }

    #[test]
    fn times_and_durations_are_told_by_their_form() {
        assert_eq!(
            reset("2026-11-22T12:00:30Z"),
            at(NOW + Duration::from_secs(30), SECOND)
        );
        assert_eq!(
            reset("2026-11-22T12:00:30.5Z"),
            at(NOW + Duration::from_millis(30_500), Duration::ZERO)
        );
        assert_eq!(
            reset("2017-05-18T13:58:00+00:00"),
            at(Duration::from_secs(1_495_115_880), SECOND)
        );
        assert_eq!(
            reset("Sun, 22 Nov 2026 12:00:30 GMT"),
            at(NOW + Duration::from_secs(30), SECOND)
        );
        assert_eq!(reset("6m0s"), Some(When::In(Duration::from_secs(360))));
        assert_eq!(reset("20ms"), Some(When::In(Duration::from_millis(20))));
        assert_eq!(
            reset("1h2m3.5s"),
            Some(When::In(Duration::from_millis(3_723_500)))
        );
        assert_eq!(reset("15us"), Some(When::In(Duration::from_micros(15))));
        assert_eq!(reset("1µs2ns"), Some(When::In(Duration::from_nanos(1_002))));
        assert_eq!(reset(" 5 "), Some(When::In(Duration::from_secs(5))));
        assert_eq!(
            reset(&format!("{}h", "9".repeat(40))),
            Some(When::In(Duration::MAX))
        );
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "", "-1", "+5", "soon", "5 m", "m", "5m3", "1.s", "5d", "NaN", "inf", "1e308", "0x1F",
            "12:00", "1,2",
        ] {
            assert_eq!(reset(text), None, "{text:?}");
        }
    }
}
