//! `retry-after-ms`, `Retry-After`, `x-should-retry` and `Age`.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use crate::{Source, Wait, clocks::Clocks, decimal::Decimal, http_date};

pub(crate) const RETRY_AFTER_MS: &str = "retry-after-ms";
pub(crate) const SHOULD_RETRY: &str = "x-should-retry";

/// The wait that the server asks for in so many words.
pub(crate) fn wait(headers: &HeaderMap, clocks: &Clocks<'_>) -> Option<Wait> {
    let millis = headers
        .get_all(RETRY_AFTER_MS)
        .iter()
        .filter_map(|value| millis(value.as_bytes()))
        .max();
    if let Some(after) = millis {
        return Some(Wait {
            after,
            source: Source::RetryAfterMs,
        });
    }
    let after = headers
        .get_all(header::RETRY_AFTER)
        .iter()
        .filter_map(|value| delay(value.as_bytes(), clocks))
        .max()?;
    Some(Wait {
        after,
        source: Source::RetryAfter,
    })
}

/// Whether `Retry-After` on this status is about the server. Otherwise it is about the one resource
/// that is still being made, or that has moved (RFC 9110, section 10.2.3).
pub(crate) fn speaks_of_the_server(status: StatusCode) -> bool {
    !status.is_redirection() && status != StatusCode::CREATED && status != StatusCode::ACCEPTED
}

/// The server's own word; a no outweighs a yes.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    headers
        .get_all(SHOULD_RETRY)
        .iter()
        .filter_map(|value| match value.as_bytes() {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        })
        .min()
}

/// Whether a cache kept the reply for any time.
pub(crate) fn cached(headers: &HeaderMap) -> bool {
    headers.get(header::AGE).is_some_and(|age| {
        let first = age
            .as_bytes()
            .split(|&byte| byte == b',')
            .next()
            .unwrap_or_default();
        Decimal::parse(first.trim_ascii()).is_some_and(|age| age.whole() > 0)
    })
}

fn millis(text: &[u8]) -> Option<Duration> {
    text.split(|&byte| byte == b',')
        .filter_map(|element| Decimal::parse(element.trim_ascii()))
        .map(|number| number.times(Duration::from_millis(1)))
        .max()
}

/// The longest of the delays and dates that a proxy may have joined by commas.
fn delay(text: &[u8], clocks: &Clocks<'_>) -> Option<Duration> {
    http_date::list(text, clocks.unix_now())
        .filter_map(|element| match Decimal::parse(element) {
            Some(number) => Some(number.times(Duration::from_secs(1))),
            None => http_date::parse(element, clocks.unix_now()).map(|date| clocks.until(date)),
        })
        .max()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// 22 November 2026, noon.
    const NOW: Duration = Duration::from_secs(1_795_348_800);

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn after(lines: &[(&'static str, &str)]) -> Option<(u128, Source)> {
        let headers = headers(lines);
        wait(&headers, &Clocks::new(&headers, NOW))
            .map(|wait| (wait.after.as_millis(), wait.source))
    }

    fn retry_after(value: &str) -> Option<u128> {
        after(&[("retry-after", value)]).map(|(millis, _)| millis)
    }

    #[test]
    fn seconds_and_the_three_dates() {
        assert_eq!(retry_after("120"), Some(120_000));
        assert_eq!(retry_after("1.5"), Some(1_500));
        assert_eq!(retry_after("0"), Some(0));
        assert_eq!(retry_after("Sun, 22 Nov 2026 12:00:30 GMT"), Some(30_000));
        assert_eq!(retry_after("Sunday, 22-Nov-26 12:00:30 GMT"), Some(30_000));
        assert_eq!(retry_after("Sun Nov 22 12:00:30 2026"), Some(30_000));
        assert_eq!(
            retry_after("Sun, 22 Nov 2026 11:59:59 GMT"),
            Some(0),
            "a past date says now"
        );
    }

    #[test]
    fn a_date_is_measured_against_the_date_of_the_response() {
        let lines = |now| {
            [
                ("date", now),
                ("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT"),
            ]
        };
        assert_eq!(
            after(&lines("Sun, 22 Nov 2026 11:58:00 GMT")),
            Some((150_000, Source::RetryAfter))
        );
        assert_eq!(
            after(&lines("Sun, 22 Nov 2026 12:00:29 GMT")),
            Some((1_000, Source::RetryAfter))
        );
    }

    #[test]
    fn milliseconds_come_first() {
        assert_eq!(
            after(&[("retry-after-ms", "1234"), ("retry-after", "2")]),
            Some((1_234, Source::RetryAfterMs))
        );
        assert_eq!(
            after(&[("retry-after-ms", "soon"), ("retry-after", "2")]),
            Some((2_000, Source::RetryAfter))
        );
        assert_eq!(
            after(&[("retry-after-ms", "1500.5")]),
            Some((1_500, Source::RetryAfterMs))
        );
    }

    #[test]
    fn of_several_the_longest_counts() {
        assert_eq!(
            after(&[
                ("retry-after", "5"),
                ("retry-after", "60"),
                ("retry-after", "junk")
            ]),
            Some((60_000, Source::RetryAfter))
        );
        assert_eq!(
            after(&[
                ("retry-after", "5"),
                ("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT")
            ]),
            Some((30_000, Source::RetryAfter))
        );
        assert_eq!(
            after(&[("retry-after-ms", "5"), ("retry-after-ms", "7")]),
            Some((7, Source::RetryAfterMs))
        );
        assert_eq!(retry_after("120, 60"), Some(120_000));
        assert_eq!(retry_after("60 ,\t120, x"), Some(120_000));
    }

    /// B4: a date in a list was not read, and what stood beside it was too early.
    #[test]
    fn of_delays_and_dates_in_one_line_the_longest_counts() {
        let (soon, late) = (
            "Sun, 22 Nov 2026 12:00:30 GMT",
            "Sun, 22 Nov 2026 12:05:00 GMT",
        );
        for (line, seconds) in [
            (format!("5, {late}"), 300),
            (format!("{late}, 5"), 300),
            (format!("{soon}, {late}"), 300),
            (format!("{late},{soon}"), 300),
            (format!("600, {late}"), 600),
            (format!("{late}, 600, {soon}"), 600),
            (format!("{soon}, Sunday, 22-Nov-26 12:05:00 GMT"), 300),
            (format!("Sun Nov 22 12:05:00 2026, {soon}"), 300),
            (format!("Sun, {late}, junk"), 300),
            ("Sun, 5".into(), 5),
            ("Sun, 32 Nov 2026 12:05:00 GMT, 5".into(), 5),
        ] {
            assert_eq!(retry_after(&line), Some(seconds * 1_000), "{line:?}");
        }
    }

    #[test]
    fn digits_beyond_counting_are_a_huge_wait() {
        let forever = Duration::MAX.as_millis();
        assert_eq!(retry_after(&"9".repeat(40)), Some(forever));
        assert_eq!(retry_after(&"9".repeat(10_000)), Some(forever));
        assert_eq!(
            after(&[("retry-after-ms", &"9".repeat(40))]).unwrap().0,
            forever
        );
        assert_eq!(
            retry_after("1795348830"),
            Some(1_795_348_830_000),
            "an epoch is seconds all the same: never early"
        );
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let long = "x".repeat(10_000);
        for value in [
            "",
            "-5",
            "+5",
            "5s",
            "1e308",
            "NaN",
            "inf",
            "0x10",
            "five",
            "5;6",
            "1 2",
            ".5",
            "5.",
            "Sun, 32 Nov 2026 12:00:30 GMT",
            &long,
        ] {
            assert_eq!(retry_after(value), None, "{value:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from_bytes(b"12\xff0").unwrap(),
        );
        assert_eq!(wait(&headers, &Clocks::new(&headers, NOW)), None);
        assert_eq!(
            retry_after(" 5 "),
            Some(5_000),
            "white space around a value is no part of it"
        );
    }

    #[test]
    fn should_retry_is_exact() {
        let said = |lines: &[(&'static str, &str)]| should_retry(&headers(lines));
        assert_eq!(said(&[("x-should-retry", "true")]), Some(true));
        assert_eq!(said(&[("x-should-retry", "false")]), Some(false));
        assert_eq!(
            said(&[("x-should-retry", "true"), ("x-should-retry", "false")]),
            Some(false),
            "a no outweighs a yes"
        );
        for other in ["", "True", "1", "yes", "true, false", "true "] {
            assert_eq!(said(&[("x-should-retry", other)]), None, "{other:?}");
        }
    }

    #[test]
    fn an_age_above_zero_is_a_cached_reply() {
        let aged = |value: &str| cached(&headers(&[("age", value)]));
        for old in ["1", "600", "600, 0", &"9".repeat(40)] {
            assert!(aged(old), "{old:?}");
        }
        for fresh in ["0", "", "-1", "old", "0, 5"] {
            assert!(!aged(fresh), "{fresh:?}");
        }
        assert!(!cached(&HeaderMap::new()));
    }
}
