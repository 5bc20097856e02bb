//! Properties over arbitrary input, against naive references.
#![cfg(not(target_arch = "wasm32"))]

use std::time::{Duration, UNIX_EPOCH};

use egress_hints::{Dialect, Hints, read, says_nothing};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::{collection::vec, prelude::*, sample::select};

/// 22 November 2026, noon.
const NOW: Duration = Duration::from_secs(1_795_348_800);
const HALF_A_MINUTE: Duration = Duration::from_secs(30);

/// Every header that is read but `retry-after-ms` and `age`, which may shorten a wait.
const HEADERS: [&str; 14] = [
    "retry-after",
    "x-should-retry",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-used",
    "x-ratelimit-reset",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
];

fn header_value() -> impl Strategy<Value = HeaderValue> {
    let any = vec(any::<u8>(), 0..200).prop_map(|bytes| {
        bytes
            .into_iter()
            .filter(|&byte| byte == b'\t' || byte >= b' ' && byte != 127)
            .collect::<Vec<_>>()
    });
    let close = vec(
        select(b"0123456789.,;:=\"-+ TtZzrtqwSun,NovGM".to_vec()),
        0..60,
    );
    prop_oneof![any, close].prop_map(|bytes| HeaderValue::from_bytes(&bytes).expect("filtered"))
}

fn lines() -> impl Strategy<Value = Vec<(&'static str, HeaderValue)>> {
    vec((select(HEADERS.to_vec()), header_value()), 0..8)
}

fn status() -> impl Strategy<Value = StatusCode> {
    select(vec![200, 400, 403, 408, 429, 500, 503, 529])
        .prop_map(|status| StatusCode::from_u16(status).expect("a status"))
}

fn dialect() -> impl Strategy<Value = Dialect> {
    select(vec![Dialect::Generic, Dialect::GitHub, Dialect::Anthropic])
}

fn headers(lines: &[(&'static str, HeaderValue)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), value.clone());
    }
    headers
}

fn asked(hints: &Hints) -> Duration {
    hints.wait.map_or(Duration::ZERO, |wait| wait.after)
}

fn retry_after(text: &str, now: Duration) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(
        "retry-after",
        HeaderValue::from_str(text).expect("a header value"),
    );
    read(
        StatusCode::SERVICE_UNAVAILABLE,
        &headers,
        None,
        now,
        Dialect::Generic,
    )
    .wait
    .map(|wait| wait.after)
}

fn anthropic_reset(text: &str) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(
        "anthropic-ratelimit-requests-remaining",
        HeaderValue::from_static("0"),
    );
    headers.insert(
        "anthropic-ratelimit-requests-reset",
        HeaderValue::from_str(text).expect("a header value"),
    );
    read(StatusCode::OK, &headers, None, NOW, Dialect::Anthropic)
        .quota
        .and_then(|quota| quota.resets_at)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(fixed: &str) -> String {
    let day = match &fixed[..3] {
        "Tue" => "Tuesday".into(),
        "Wed" => "Wednesday".into(),
        "Thu" => "Thursday".into(),
        "Sat" => "Saturday".into(),
        short => format!("{short}day"),
    };
    let (date, month, year, time) = (&fixed[5..7], &fixed[8..11], &fixed[14..16], &fixed[17..]);
    format!("{day}, {date}-{month}-{year} {time}")
}

/// The same as `Sun Nov  6 08:49:37 1994`.
fn asctime(fixed: &str) -> String {
    let (day, month, year, time) = (&fixed[..3], &fixed[8..11], &fixed[12..16], &fixed[17..25]);
    let date: u32 = fixed[5..7].parse().expect("a day of the month");
    format!("{day} {month} {date:>2} {time} {year}")
}

/// Days since the epoch, counted year by year and month by month.
fn naive_days(year: u64, month: u64, day: u64) -> u64 {
    let divides = |by: u64, year: u64| year.is_multiple_of(by);
    let leap = |year| divides(4, year) && (!divides(100, year) || divides(400, year));
    let length = |month| match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1970..year)
        .map(|year| if leap(year) { 366 } else { 365 })
        .sum::<u64>()
        + (1..month).map(length).sum::<u64>()
        + day
        - 1
}

proptest! {
    /// B9: no panic, whatever the bytes, in headers and body, at whatever time.
    #[test]
    fn anything_can_be_read(
        lines in lines(),
        millis in proptest::option::of(header_value()),
        age in proptest::option::of(header_value()),
        body in proptest::option::of(vec(any::<u8>(), 0..300)),
        now in any::<Duration>(),
        status in status(),
        dialect in dialect(),
    ) {
        let mut headers = headers(&lines);
        headers.extend(millis.map(|value| (HeaderName::from_static("retry-after-ms"), value)));
        headers.extend(age.map(|value| (HeaderName::from_static("age"), value)));
        let _ = read(status, &headers, body.as_deref(), now, dialect);
    }

    /// Whoever asks the cheap question need not ask the other one.
    #[test]
    fn where_a_response_says_nothing_there_is_nothing_to_read(
        lines in lines(),
        names in vec("(a|r|x-)[a-z-]{1,12}", 0..4),
        value in header_value(),
        status in status(),
        dialect in dialect(),
    ) {
        let mut headers = headers(&lines);
        for name in &names {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, value.clone());
        }
        let hints = read(status, &headers, None, NOW, dialect);
        let nothing = says_nothing(status, &headers);
        prop_assert!(!nothing || hints == Hints::default());
        let unsaid = [429, 503, 529].iter().all(|refusal| status != *refusal)
            && lines.iter().all(|(name, _)| *name == "date");
        prop_assert!(nothing || !unsaid, "headers that mean nothing say nothing");
    }

    /// B4: of members that a proxy has joined, the one that asks for most counts, however each is written.
    #[test]
    fn a_joined_retry_after_asks_for_no_less_than_any_of_its_members(
        members in vec((0..100_000_u64, 0..4_u8), 1..6),
        separator in select(vec![",", ", ", " ,\t"]),
    ) {
        let written: Vec<_> = members.iter().map(|&(after, form)| {
            let at = UNIX_EPOCH + NOW + Duration::from_secs(after);
            let fixed = httpdate::fmt_http_date(at);
            match form {
                0 => after.to_string(),
                1 => rfc850(&fixed),
                2 => asctime(&fixed),
                _ => fixed,
            }
        }).collect();
        let longest = members.iter().map(|(after, _)| *after).max().map(Duration::from_secs);
        prop_assert_eq!(retry_after(&written.join(separator), NOW), longest, "{:?}", written);
    }

    /// B4: a caller's clock, however wrong, neither shortens a wait that the server can be taken at its word for nor
    /// lengthens it.
    #[test]
    fn a_wrong_clock_is_put_right_by_the_date(
        wait in 0..200_000_u64,
        skew in prop_oneof![-5_000_000..5_000_000_i64, Just(-1_795_348_800), Just(i64::MAX)],
    ) {
        let mut headers = HeaderMap::new();
        let write = |after: u64| {
            let at = UNIX_EPOCH + NOW + Duration::from_secs(after);
            HeaderValue::from_str(&httpdate::fmt_http_date(at)).expect("a header value")
        };
        headers.insert("date", write(0));
        headers.insert("retry-after", write(wait));
        let now = Duration::from_secs(NOW.as_secs().saturating_add_signed(skew));
        let hints = read(StatusCode::SERVICE_UNAVAILABLE, &headers, None, now, Dialect::Generic);
        let (asked, wait) = (asked(&hints), Duration::from_secs(wait));
        prop_assert!(asked >= wait);
        let day = Duration::from_secs(86_400);
        prop_assert!(asked == wait || wait > day && skew.unsigned_abs() > day.as_secs());
    }

    /// B4: whatever else a response says, a `Retry-After` in it is kept.
    #[test]
    fn nothing_shortens_a_retry_after(lines in lines(), at in 0_usize..8, status in status(), dialect in dialect()) {
        let mut lines = lines;
        lines.insert(at.min(lines.len()), ("retry-after", HeaderValue::from_static("30")));
        let hints = read(status, &headers(&lines), None, NOW, dialect);
        prop_assert!(asked(&hints) >= HALF_A_MINUTE, "{hints:?}");
    }

    /// B4: likewise the reset of an exhausted quota, short of a `Retry-After`, which has
    /// precedence.
    #[test]
    fn nothing_shortens_an_exhausted_quota(lines in lines(), at in 0_usize..8, status in status(), dialect in dialect()) {
        let mut lines: Vec<_> = lines.into_iter().filter(|(name, _)| *name != "retry-after").collect();
        let at = at.min(lines.len());
        lines.insert(at, ("x-rate-limit-remaining", HeaderValue::from_static("0")));
        lines.insert(at, ("x-rate-limit-reset", HeaderValue::from_static("30")));
        let hints = read(status, &headers(&lines), None, NOW, dialect);
        prop_assert!(asked(&hints) >= HALF_A_MINUTE, "{hints:?}");
    }

    /// B4: seconds with any fraction, against exact arithmetic: never less, and not a nanosecond
    /// more.
    #[test]
    fn seconds_round_up_to_the_nanosecond(whole in any::<u64>(), digits in "[0-9]{0,15}") {
        let text = if digits.is_empty() { whole.to_string() } else { format!("{whole}.{digits}") };
        let after = retry_after(&text, NOW).expect("a number");
        let padded: u128 = format!("{digits:0<15}").parse().expect("digits");
        let nanos = u128::from(whole) * 1_000_000_000 + padded.div_ceil(1_000_000);
        let most = Duration::MAX.as_nanos();
        prop_assert!(after.as_nanos() == nanos.min(most) || whole == u64::MAX && after == Duration::MAX);
    }

    /// B4: numbers of any length, against their text: more digits are more seconds.
    #[test]
    fn longer_numbers_are_longer_waits(digits in "[1-9][0-9]{0,60}", more in "[0-9]{1,30}") {
        let short = retry_after(&digits, NOW).expect("a number");
        let long = retry_after(&format!("{digits}{more}"), NOW).expect("a number");
        prop_assert!(long > short || short == Duration::MAX, "{short:?}, {long:?}");
    }

    /// B4: the three forms of every date, against the `httpdate` crate and a fixed clock.
    #[test]
    fn dates_agree_with_httpdate(seconds in 0_u64..253_402_300_800, now in 0_u64..4_000_000_000) {
        let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        let expected = Duration::from_secs(seconds.saturating_sub(now));
        let now = Duration::from_secs(now);
        prop_assert_eq!(retry_after(&text, now), Some(expected));
        // Sun, 06 Nov 1994 08:49:37 GMT
        let (weekday, day, month, year, time) = (&text[..3], &text[5..7], &text[8..11], &text[12..16], &text[17..25]);
        let day_of_month: u8 = day.parse().expect("digits");
        let asctime = format!("{weekday} {month} {day_of_month:>2} {time} {year}");
        prop_assert_eq!(retry_after(&asctime, now), Some(expected));
    }

    /// B4: the short year is the one that is at most 50 years ahead and less than 50 behind.
    #[test]
    fn short_years_are_near(now in 1_600_000_000_u64..4_000_000_000, ahead in 0_u64..49 * 31_556_952) {
        let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now + ahead));
        let (day, month, year, time) = (&text[5..7], &text[8..11], &text[14..16], &text[17..25]);
        let rfc850 = format!("Friday, {day}-{month}-{year} {time} GMT");
        prop_assert_eq!(retry_after(&rfc850, Duration::from_secs(now)), Some(Duration::from_secs(ahead)));
    }

    /// B4: whatever `httpdate` can read of near misses is read alike.
    #[test]
    fn what_httpdate_reads_is_read_alike(seconds in 0_u64..253_402_300_800, at in 0_usize..29, byte in b' '..=b'~') {
        let mut text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)).into_bytes();
        text[at] = byte;
        let text = String::from_utf8(text).expect("ASCII");
        if let Ok(time) = httpdate::parse_http_date(&text) {
            let expected = time.duration_since(UNIX_EPOCH).expect("after the epoch");
            prop_assert_eq!(retry_after(&text, Duration::ZERO), Some(expected));
        }
    }

    /// B4: RFC 3339 against a calendar that counts on its fingers.
    #[test]
    fn rfc3339_agrees_with_a_naive_calendar(
        (year, month, day) in (1971_u64..=9998, 1_u64..=12, 1_u64..=28),
        (hour, minute, second) in (0_u64..24, 0_u64..60, 0_u64..60),
        nanos in proptest::option::of(0_u32..1_000_000_000),
        (ahead, off_hours, off_minutes) in (any::<bool>(), 0_u64..24, 0_u64..60),
        separator in select(vec!['T', 't', ' ']),
    ) {
        let fraction = nanos.map(|nanos| format!(".{nanos:09}")).unwrap_or_default();
        let sign = if ahead { '+' } else { '-' };
        let local = format!("{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}");
        let seconds = naive_days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        let nanos = nanos.unwrap_or(0);
        prop_assert_eq!(anthropic_reset(&format!("{local}Z")), Some(Duration::new(seconds, nanos)));
        let offset = off_hours * 3600 + off_minutes * 60;
        let utc = if ahead { seconds - offset } else { seconds + offset };
        let text = format!("{local}{sign}{off_hours:02}:{off_minutes:02}");
        prop_assert_eq!(anthropic_reset(&text), Some(Duration::new(utc, nanos)));
    }

    /// B4: a reset in any of its forms waits at least until the server's clock has passed it, and
    /// at most a second longer.
    #[test]
    fn every_form_of_a_reset_waits_for_it(ahead in 0_u64..31_536_000, skew in -80_000_i64..80_000) {
        let date = httpdate::fmt_http_date(UNIX_EPOCH + NOW);
        let reset = NOW.as_secs() + ahead;
        let forms = [
            reset.to_string(),
            format!("{reset}.000"),
            format!("{reset}000"),
            ahead.to_string(),
            format!("{}m{}s", ahead / 60, ahead % 60),
            httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(reset)),
        ];
        let here = Duration::from_secs(NOW.as_secs().saturating_add_signed(skew));
        for form in forms {
            let mut headers = HeaderMap::new();
            headers.insert("date", HeaderValue::from_str(&date).expect("a header value"));
            headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
            headers.insert("x-ratelimit-reset", HeaderValue::from_str(&form).expect("a header value"));
            let after = asked(&read(StatusCode::OK, &headers, None, here, Dialect::Generic));
            let ahead = Duration::from_secs(ahead);
            prop_assert!(after >= ahead && after <= ahead + Duration::from_secs(1), "{form}: {after:?} for {ahead:?}");
        }
    }

    /// The draft's field, written by the rules and read back.
    #[test]
    fn rate_limit_fields_are_read_back(policies in vec(("[a-z ]{1,12}", 0_u64..1000, 1_u64..100_000), 1..6)) {
        let field: Vec<_> = policies.iter().map(|(name, r, t)| format!("\"{name}\";r={r};t={t}")).collect();
        let mut headers = HeaderMap::new();
        for line in &field {
            headers.append("ratelimit", HeaderValue::from_str(line).expect("a header value"));
        }
        let split = read(StatusCode::OK, &headers, None, NOW, Dialect::Generic);
        headers.insert("ratelimit", HeaderValue::from_str(&field.join(", ")).expect("a header value"));
        let joined = read(StatusCode::OK, &headers, None, NOW, Dialect::Generic);
        prop_assert_eq!(&split, &joined);
        let longest = policies.iter().filter(|(_, r, _)| *r == 0).map(|(_, _, t)| Duration::from_secs(*t)).max();
        prop_assert_eq!(joined.wait.map(|wait| wait.after), longest);
    }
}
