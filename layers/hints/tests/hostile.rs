//! Values that a broken or hostile server sends: no panic, no overflow, and never an early retry.

use std::time::Duration;

use egress_hints::{Dialect, Hints, read};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// 22 November 2026, noon.
const NOW: Duration = Duration::from_secs(1_795_348_800);
const HALF_A_MINUTE: Duration = Duration::from_secs(30);
const DIALECTS: [Dialect; 3] = [Dialect::Generic, Dialect::GitHub, Dialect::Anthropic];

/// Every header that is read, one of each kind.
const HEADERS: [&str; 28] = [
    "retry-after-ms",
    "retry-after",
    "x-should-retry",
    "age",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-policy",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-used",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-ratelimit-retry-after",
    "x-ratelimit-resource",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-tokens",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-priority-input-tokens-reset",
];

fn junk() -> Vec<Vec<u8>> {
    let mut junk: Vec<Vec<u8>> = [
        "",
        " ",
        "\t",
        "-1",
        "-0",
        "+5",
        "1e308",
        "1e-308",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "0x7f",
        "null",
        "true",
        "five",
        "5s",
        "5 s",
        "5;",
        ";5",
        "5,,",
        ",",
        ",,,",
        "1.",
        ".5",
        "1.2.3",
        "--5",
        "5-",
        "1_000",
        "1 000",
        "1'000",
        "Sun, 32 Nov 2026 12:00:00 GMT",
        "Sun, 00 Nov 2026 12:00:00 GMT",
        "Sun, 22 Foo 2026 12:00:00 GMT",
        "Sun, 22 Nov 99999 12:00:00 GMT",
        "Sun, 22 Nov 2026 25:00:00 GMT",
        "Sun, 22 Nov 2026 12:60:00 GMT",
        "Sunday, 22-Nov-2026 12:00:00 GMT",
        "Sun Nov 222 12:00:00 2026",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "99999-01-01T00:00:00Z",
        "2026-11-22T12:00:00",
        "2026-11-22T12:00:00+99:99",
        "\"default\"",
        "\"default\";r",
        "\"default\";r=-1;t=1",
        "\"default\";r=0;t=-1",
        "\"default\";r=1e3",
        "\"default;r=0",
        "default;;r=0",
        "();r=0",
        "limit=, remaining=",
        "remaining=-1",
        "\"a\";q=0;w=0",
        ":====",
        "?9",
        "@",
        "%\"",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    junk.push("١٢٣".as_bytes().to_vec());
    junk.push(b"\xff\xfe\x80".to_vec());
    junk.push(b"12\xa0".to_vec());
    junk.push(b"x".repeat(10_000));
    junk.push(b",".repeat(10_000));
    junk.push(b";".repeat(10_000));
    junk.push(b"\"".repeat(10_000));
    junk
}

fn huge() -> Vec<String> {
    vec![
        "9".repeat(40),
        "9".repeat(10_000),
        "18446744073709551615".into(),
        "18446744073709551616".into(),
        format!("{}.5", "9".repeat(40)),
        format!("{}, 1", "9".repeat(40)),
    ]
}

fn value(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).expect("allowed in a header")
}

fn with(lines: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, bytes) in lines {
        headers.append(HeaderName::from_static(name), value(bytes));
    }
    headers
}

fn asked(hints: &Hints) -> Duration {
    hints.wait.map_or(Duration::ZERO, |wait| wait.after)
}

/// B9: a hostile value alone is no wait, except where it names one.
#[test]
fn junk_alone_asks_for_nothing() {
    for name in HEADERS {
        for junk in junk() {
            let headers = with(&[(name, &junk)]);
            for status in [200, 404, 500] {
                for dialect in DIALECTS {
                    let status = StatusCode::from_u16(status).unwrap();
                    let hints = read(status, &headers, None, NOW, dialect);
                    let shown = String::from_utf8_lossy(&junk[..junk.len().min(40)]).into_owned();
                    // "5,," is a list of which one element can be read.
                    let readable = name.starts_with("retry-after") && junk == b"5,,";
                    assert!(
                        hints.wait.is_none() || readable,
                        "{name}: {shown} says {:?}",
                        hints.wait
                    );
                }
            }
        }
    }
}

/// B9: digits beyond counting are a huge wait, not none.
#[test]
fn huge_numbers_are_huge_waits() {
    let century = Duration::from_secs(100 * 365 * 86_400);
    for digits in huge() {
        for name in ["retry-after", "retry-after-ms"] {
            let hints = read(
                StatusCode::TOO_MANY_REQUESTS,
                &with(&[(name, digits.as_bytes())]),
                None,
                NOW,
                Dialect::Generic,
            );
            assert!(asked(&hints) > century, "{name}");
        }
        for (remaining, reset) in [
            ("x-ratelimit-remaining", "x-ratelimit-reset"),
            ("x-rate-limit-remaining", "x-rate-limit-reset"),
            ("ratelimit-remaining", "ratelimit-reset"),
            (
                "anthropic-ratelimit-tokens-remaining",
                "anthropic-ratelimit-tokens-reset",
            ),
        ] {
            let headers = with(&[(remaining, b"0"), (reset, digits.as_bytes())]);
            for status in [200, 403, 429] {
                let hints = read(
                    StatusCode::from_u16(status).unwrap(),
                    &headers,
                    None,
                    NOW,
                    Dialect::Generic,
                );
                assert!(asked(&hints) > century, "{reset}");
            }
        }
    }
}

/// B4, B9: nothing that is added to a response with a `Retry-After` shortens it, short of the two
/// headers that may.
#[test]
fn junk_beside_retry_after_never_shortens_it() {
    for name in HEADERS {
        for junk in junk()
            .into_iter()
            .chain(huge().into_iter().map(String::into_bytes))
        {
            let headers = with(&[("retry-after", b"30"), (name, &junk)]);
            for status in [200, 403, 429, 503] {
                for dialect in DIALECTS {
                    let hints = read(
                        StatusCode::from_u16(status).unwrap(),
                        &headers,
                        None,
                        NOW,
                        dialect,
                    );
                    let names_millis = name == "retry-after-ms" && junk == b"5,,";
                    assert!(
                        asked(&hints) >= HALF_A_MINUTE || hints.cached || names_millis,
                        "{name}: {:?} shortens the wait to {:?}",
                        String::from_utf8_lossy(&junk[..junk.len().min(40)]),
                        hints.wait
                    );
                }
            }
        }
    }
}

/// B4, B9: nor does anything shorten the wait for an exhausted quota.
#[test]
fn junk_beside_an_exhausted_quota_never_shortens_its_reset() {
    for name in HEADERS
        .into_iter()
        .filter(|name| !name.starts_with("retry-after"))
    {
        for junk in junk()
            .into_iter()
            .chain(huge().into_iter().map(String::into_bytes))
        {
            let headers = with(&[
                ("x-ratelimit-remaining", b"0"),
                ("x-ratelimit-reset", b"30"),
                (name, &junk),
            ]);
            for status in [200, 403, 429] {
                let hints = read(
                    StatusCode::from_u16(status).unwrap(),
                    &headers,
                    None,
                    NOW,
                    Dialect::Generic,
                );
                assert!(
                    asked(&hints) >= HALF_A_MINUTE || hints.cached,
                    "{name}: {:?} shortens the wait to {:?}",
                    String::from_utf8_lossy(&junk[..junk.len().min(40)]),
                    hints.wait
                );
            }
        }
    }
}

/// B9: clocks at either end of time.
#[test]
fn hostile_clocks_do_no_harm() {
    let times = [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Sunday, 22-Nov-26 12:00:00 GMT",
    ];
    for date in times {
        for retry_after in times {
            for now in [Duration::ZERO, NOW, Duration::MAX] {
                let headers = with(&[
                    ("date", date.as_bytes()),
                    ("retry-after", retry_after.as_bytes()),
                    ("x-ratelimit-remaining", b"0"),
                    ("x-ratelimit-reset", b"1795348830"),
                ]);
                assert!(
                    read(
                        StatusCode::TOO_MANY_REQUESTS,
                        &headers,
                        None,
                        now,
                        Dialect::GitHub
                    )
                    .wait
                    .is_some()
                );
            }
        }
    }
}

/// A small generator, so that the loop below is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

const GOOD: [&str; 16] = [
    "120",
    "1.5",
    "0",
    "1795348830",
    "1795348830123",
    "6m0s",
    "Sun, 22 Nov 2026 12:00:30 GMT",
    "Sunday, 22-Nov-26 12:00:30 GMT",
    "Sun Nov 22 12:00:30 2026",
    "2026-11-22T12:00:30.5Z",
    "2026-11-22t12:00:30-08:00",
    "\"burst\";q=100;w=60,\"daily\";q=1000;w=86400;pk=:cHs=:",
    "\"burst\";r=0;t=30, \"daily\";r=5;t=3600",
    "limit=100, remaining=0, reset=30",
    "100, 100;w=60",
    "0, 14523",
];

/// A good value with a few bytes changed, cut, doubled or moved.
fn mutate(random: &mut Random) -> Vec<u8> {
    const BYTES: &[u8] = b"0123456789,;:=\"\\ .-+TtZzGMTSun()?@%*\xff\t";
    let mut text = GOOD[random.below(GOOD.len())].as_bytes().to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(text.len() + 1);
        match random.below(4) {
            0 if at < text.len() => text[at] = BYTES[random.below(BYTES.len())],
            1 if at < text.len() => drop(text.remove(at)),
            2 => text.truncate(at),
            3 => text.insert(at, BYTES[random.below(BYTES.len())]),
            _ => {
                let tail = text[at.min(text.len())..].to_vec();
                text.extend(tail);
            }
        }
    }
    text
}

/// B4, B9: near misses of good values.
#[test]
fn mutated_values_never_shorten_a_wait() {
    const BODIES: [&str; 3] = [
        r#"{"error":{"type":"rate_limit_error","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
        r#"{"message":"You have exceeded a secondary rate limit","documentation_url":"https://x/#secondary-rate-limits"}"#,
        r#"[{"errors":[{"type":"RATE_LIMITED"}]},{"a":{"b":{"c":["d","e\"f\\"]}}}]"#,
    ];
    let mut random = Random(42);
    for round in 0..20_000 {
        let mut headers = with(&[("retry-after", b"30")]);
        for _ in 0..1 + random.below(6) {
            let name = HEADERS[random.below(HEADERS.len())];
            let bytes = mutate(&mut random);
            if name != "retry-after-ms" {
                headers.append(HeaderName::from_static(name), value(&bytes));
            }
        }
        let mut body = BODIES[random.below(BODIES.len())].as_bytes().to_vec();
        let at = random.below(body.len());
        body[at] = b"\"{}[]:,\\x\0\xff"[random.below(11)];
        body.truncate(random.below(body.len() + 1));
        let status = [200, 403, 429, 503, 529][random.below(5)];
        let dialect = DIALECTS[random.below(3)];
        let hints = read(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            Some(&body),
            NOW,
            dialect,
        );
        assert!(
            asked(&hints) >= HALF_A_MINUTE || hints.cached,
            "round {round}: {headers:?} gives {hints:?}"
        );
    }
}
