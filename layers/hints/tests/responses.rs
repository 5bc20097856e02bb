//! Whole responses as servers send them, and what is read from them.

use std::time::Duration;

use egress_hints::{
    Dialect, Hints, Limit, Resource, SECONDARY_LIMIT_WAIT, Source, Unit, Wait, read,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// 22 November 2026, noon.
const NOW: Duration = Duration::from_secs(1_795_348_800);
const DIALECTS: [Dialect; 3] = [Dialect::Generic, Dialect::GitHub, Dialect::Anthropic];

/// Headers as they stand on the wire.
fn headers(block: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in block.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("a header line has a colon");
        let name: HeaderName = name.parse().expect("a header name");
        headers.append(
            name,
            HeaderValue::from_str(value.trim()).expect("a header value"),
        );
    }
    headers
}

fn hints(status: u16, block: &str, body: Option<&str>, dialect: Dialect) -> Hints {
    let status = StatusCode::from_u16(status).expect("a status");
    read(
        status,
        &headers(block),
        body.map(str::as_bytes),
        NOW,
        dialect,
    )
}

fn wait(seconds: u64, source: Source) -> Option<Wait> {
    Some(Wait {
        after: Duration::from_secs(seconds),
        source,
    })
}

const PLAIN: &str = "
    server: nginx
    date: Sun, 22 Nov 2026 12:00:00 GMT
    content-type: application/json; charset=utf-8
    content-length: 1234
    connection: keep-alive
    vary: Accept-Encoding
    etag: \"abc\"
    x-request-id: 4f2c
    x-frame-options: DENY
    access-control-allow-origin: *
";

#[test]
fn a_plain_reply_says_nothing() {
    for dialect in DIALECTS {
        assert_eq!(hints(200, PLAIN, None, dialect), Hints::default());
        assert_eq!(hints(404, PLAIN, None, dialect), Hints::default());
        assert_eq!(hints(500, PLAIN, None, dialect), Hints::default());
    }
}

#[test]
fn defaults_say_nothing() {
    let none = Hints::default();
    assert_eq!(
        (
            none.wait,
            none.quota,
            none.should_retry,
            none.cached,
            none.limit
        ),
        (None, None, None, false, None)
    );
    assert_eq!(Dialect::default(), Dialect::Generic);
    assert_eq!(SECONDARY_LIMIT_WAIT, Duration::from_secs(60));
}

#[test]
fn hints_travel_between_threads() {
    fn is_plain_data<T: Send + Sync + Unpin + Clone + std::fmt::Debug + 'static>() {}
    is_plain_data::<Hints>();
    is_plain_data::<Wait>();
    is_plain_data::<Resource>();
}

const GITHUB_OK: &str = "
    date: Sun, 22 Nov 2026 12:00:00 GMT
    content-type: application/json; charset=utf-8
    x-github-media-type: github.v3; format=json
    x-ratelimit-limit: 5000
    x-ratelimit-remaining: 4987
    x-ratelimit-reset: 1795350600
    x-ratelimit-used: 13
    x-ratelimit-resource: core
    x-content-type-options: nosniff
";

#[test]
fn a_good_reply_shows_its_quota_and_asks_nothing() {
    for dialect in DIALECTS {
        let hints = hints(200, GITHUB_OK, None, dialect);
        assert_eq!((hints.wait, hints.limit, hints.cached), (None, None, false));
        let quota = hints.quota.unwrap();
        assert_eq!((quota.limit, quota.remaining), (Some(5000), Some(4987)));
        assert_eq!(quota.resets_at, Some(Duration::from_secs(1_795_350_600)));
        assert_eq!(quota.reset_after, Some(Duration::from_secs(1_801)));
        assert_eq!((quota.unit, quota.window), (Unit::Requests, None));
        assert_eq!(quota.resource.unwrap(), *"core");
    }
}

/// T7: a pause ahead of time.
#[test]
fn nothing_left_on_a_good_reply_is_a_wait() {
    let block = GITHUB_OK.replace("remaining: 4987", "remaining: 0");
    let hints = hints(200, &block, None, Dialect::GitHub);
    assert_eq!(hints.wait, wait(1_801, Source::Reset));
    assert_eq!(hints.limit, None, "nobody was refused");
}

/// T7: a hint on a cached reply is ignored.
#[test]
fn a_cached_reply_has_no_say() {
    let block = format!(
        "{}\nage: 31\nretry-after: 60\nx-should-retry: false",
        GITHUB_OK.replace("4987", "0")
    );
    for status in [200, 403, 429, 503] {
        let hints = hints(status, &block, None, Dialect::GitHub);
        assert_eq!((hints.wait, hints.quota, hints.cached), (None, None, true));
        assert_eq!(hints.should_retry, Some(false));
    }
    let fresh = hints(
        429,
        &block.replace("age: 31", "age: 0"),
        None,
        Dialect::GitHub,
    );
    assert_eq!(
        (fresh.wait, fresh.cached),
        (wait(60, Source::RetryAfter), false)
    );
}

/// B4: the order of the hints.
#[test]
fn milliseconds_then_retry_after_then_resets() {
    let reset = "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795348890";
    let seconds = format!("{reset}\nretry-after: 7");
    let millis = format!("{seconds}\nretry-after-ms: 6500");
    for dialect in DIALECTS {
        for status in [200, 403, 429, 503, 529] {
            let wait = |block: &str| hints(status, block, None, dialect).wait.unwrap();
            assert_eq!(
                wait(reset),
                Wait {
                    after: Duration::from_secs(91),
                    source: Source::Reset
                }
            );
            assert_eq!(
                wait(&seconds),
                Wait {
                    after: Duration::from_secs(7),
                    source: Source::RetryAfter
                }
            );
            assert_eq!(
                wait(&millis),
                Wait {
                    after: Duration::from_millis(6_500),
                    source: Source::RetryAfterMs
                }
            );
        }
    }
}

/// B4: what is malformed gives way to the next.
#[test]
fn a_malformed_hint_gives_way_to_the_next() {
    let block =
        "retry-after-ms: soon\nretry-after: -1\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 30";
    assert_eq!(
        hints(429, block, None, Dialect::Generic).wait,
        wait(30, Source::Reset)
    );
    let block = "retry-after: later\nratelimit: \"default\";r=zero";
    assert_eq!(hints(429, block, None, Dialect::Generic).wait, None);
}

/// B4: corrected by the `Date` header.
#[test]
fn absolute_times_are_measured_by_the_servers_clock() {
    let an_hour_ago = "date: Sun, 22 Nov 2026 11:00:00 GMT\n";
    let date = format!("{an_hour_ago}retry-after: Sun, 22 Nov 2026 11:00:30 GMT");
    assert_eq!(
        hints(503, &date, None, Dialect::Generic).wait,
        wait(30, Source::RetryAfter)
    );
    let epoch = format!("{an_hour_ago}x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795345230");
    assert_eq!(
        hints(429, &epoch, None, Dialect::Generic).wait,
        wait(31, Source::Reset)
    );
    let rfc3339 = format!(
        "{an_hour_ago}anthropic-ratelimit-requests-remaining: 0\nanthropic-ratelimit-requests-reset: 2026-11-22T11:00:30Z"
    );
    assert_eq!(
        hints(429, &rfc3339, None, Dialect::Anthropic).wait,
        wait(31, Source::Reset)
    );
}

#[test]
fn retry_after_on_a_redirect_or_an_operation_is_not_about_the_server() {
    for status in [201, 202, 301, 302, 303, 304, 307, 308] {
        assert_eq!(
            hints(status, "retry-after: 30", None, Dialect::Generic).wait,
            None,
            "{status}"
        );
        let dry = "retry-after: 30\nratelimit: \"default\";r=0;t=5";
        assert_eq!(
            hints(status, dry, None, Dialect::Generic).wait,
            wait(5, Source::Reset),
            "{status}"
        );
    }
    for status in [200, 403, 404, 408, 413, 425, 429, 500, 503] {
        assert_eq!(
            hints(status, "retry-after: 30", None, Dialect::Generic).wait,
            wait(30, Source::RetryAfter),
            "{status}"
        );
    }
}

const SECONDARY: &str = r#"{"documentation_url":"https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits","message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
const FORBIDDEN: &str = r#"{"message":"Resource not accessible by integration","documentation_url":"https://docs.github.com/rest/git/refs#create-a-reference"}"#;

/// B2, B4: a secondary limit without a time waits a minute, not for the hourly reset that has
/// nothing to do with it.
#[test]
fn github_secondary_limit_waits_a_minute() {
    for status in [403, 429] {
        let found = hints(status, GITHUB_OK, Some(SECONDARY), Dialect::GitHub);
        assert_eq!(
            (found.limit, found.wait),
            (Some(Limit::Secondary), wait(60, Source::SecondaryLimit))
        );
        let told = format!("{GITHUB_OK}\nretry-after: 7");
        let found = hints(status, &told, Some(SECONDARY), Dialect::GitHub);
        assert_eq!(
            (found.limit, found.wait),
            (Some(Limit::Secondary), wait(7, Source::RetryAfter))
        );
        let dry = GITHUB_OK.replace("4987", "0");
        let found = hints(status, &dry, Some(SECONDARY), Dialect::GitHub);
        assert_eq!(
            (found.limit, found.wait),
            (Some(Limit::Secondary), wait(1_801, Source::Reset))
        );
    }
    let bodyless = hints(429, GITHUB_OK, None, Dialect::GitHub);
    assert_eq!(
        (bodyless.limit, bodyless.wait),
        (Some(Limit::Secondary), wait(60, Source::SecondaryLimit))
    );
    let bare = hints(429, "", None, Dialect::GitHub);
    assert_eq!(
        (bare.limit, bare.wait),
        (Some(Limit::Secondary), wait(60, Source::SecondaryLimit))
    );
}

/// B2: 403 only when headers or body say rate limit.
#[test]
fn github_403_without_a_word_is_a_missing_permission() {
    for body in [Some(FORBIDDEN), None, Some("")] {
        let found = hints(403, GITHUB_OK, body, Dialect::GitHub);
        assert_eq!((found.limit, found.wait), (None, None), "{body:?}");
        assert!(found.quota.is_some());
    }
    let told = hints(403, "retry-after: 60", None, Dialect::GitHub);
    assert_eq!(
        (told.limit, told.wait),
        (Some(Limit::Secondary), wait(60, Source::RetryAfter))
    );
    let told = hints(403, "retry-after: 60", None, Dialect::Generic);
    assert_eq!(
        (told.limit, told.wait),
        (Some(Limit::RateLimit), wait(60, Source::RetryAfter))
    );
}

#[test]
fn github_primary_limit_waits_for_the_reset() {
    let dry = GITHUB_OK.replace("4987", "0");
    let body = r#"{"message":"API rate limit exceeded for 198.51.100.7. (But here's the good news: Authenticated requests get a higher rate limit.)"}"#;
    for status in [403, 429] {
        for body in [Some(body), None] {
            let found = hints(status, &dry, body, Dialect::GitHub);
            assert_eq!(
                (found.limit, found.wait),
                (Some(Limit::Primary), wait(1_801, Source::Reset))
            );
        }
    }
    let resetless = hints(403, "x-ratelimit-remaining: 0", None, Dialect::GitHub);
    assert_eq!(
        (resetless.limit, resetless.wait),
        (Some(Limit::Primary), wait(60, Source::SecondaryLimit))
    );
    let stale = hints(
        403,
        "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795340000",
        None,
        Dialect::GitHub,
    );
    assert_eq!(
        stale.wait,
        wait(60, Source::SecondaryLimit),
        "a reset that has passed asks for nothing"
    );
}

#[test]
fn github_graphql_refuses_inside_a_200() {
    let dry = GITHUB_OK.replace("4987", "0");
    let body = r#"{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded for user ID 1."}]}"#;
    let found = hints(200, &dry, Some(body), Dialect::GitHub);
    assert_eq!(
        (found.limit, found.wait),
        (Some(Limit::Primary), wait(1_801, Source::Reset))
    );
    let body =
        r#"{"data":null,"errors":[{"message":"You have exceeded a secondary rate limit."}]}"#;
    let found = hints(200, GITHUB_OK, Some(body), Dialect::GitHub);
    assert_eq!(
        (found.limit, found.wait),
        (Some(Limit::Secondary), wait(60, Source::SecondaryLimit))
    );
    let found = hints(200, "", Some(body), Dialect::GitHub);
    assert_eq!(found.limit, Some(Limit::Secondary), "without any header");
}

const ANTHROPIC: &str = "
    date: Sun, 22 Nov 2026 12:00:00 GMT
    request-id: req_018EeWyXxfu5pfWkrYcMdjWG
    anthropic-organization-id: 0000
    anthropic-ratelimit-requests-limit: 50
    anthropic-ratelimit-requests-remaining: 49
    anthropic-ratelimit-requests-reset: 2026-11-22T12:00:01Z
    anthropic-ratelimit-input-tokens-limit: 30000
    anthropic-ratelimit-input-tokens-remaining: 28000
    anthropic-ratelimit-input-tokens-reset: 2026-11-22T12:00:04Z
    anthropic-ratelimit-output-tokens-limit: 8000
    anthropic-ratelimit-output-tokens-remaining: 8000
    anthropic-ratelimit-output-tokens-reset: 2026-11-22T12:00:00Z
    anthropic-ratelimit-tokens-limit: 38000
    anthropic-ratelimit-tokens-remaining: 36000
    anthropic-ratelimit-tokens-reset: 2026-11-22T12:00:00Z
";

#[test]
fn anthropic_quotas_count_requests_while_all_is_well() {
    let found = hints(200, ANTHROPIC, None, Dialect::Anthropic);
    assert_eq!((found.wait, found.limit), (None, None));
    let quota = found.quota.unwrap();
    assert_eq!(
        (quota.limit, quota.remaining, quota.unit),
        (Some(50), Some(49), Unit::Requests)
    );
    assert_eq!(quota.resource.unwrap(), *"requests");
}

#[test]
fn anthropic_waits_for_whatever_ran_out() {
    let dry = ANTHROPIC.replace("28000", "0");
    for status in [200, 429] {
        let found = hints(status, &dry, None, Dialect::Anthropic);
        assert_eq!(found.wait, wait(5, Source::Reset));
        let quota = found.quota.unwrap();
        assert_eq!(
            (quota.resource.unwrap().as_str(), quota.unit),
            ("input-tokens", Unit::Tokens)
        );
    }
    assert_eq!(
        hints(429, &dry, None, Dialect::Anthropic).limit,
        Some(Limit::Primary)
    );
    let told = format!("{dry}\nretry-after: 33");
    assert_eq!(
        hints(429, &told, None, Dialect::Anthropic).wait,
        wait(33, Source::RetryAfter)
    );
}

#[test]
fn anthropic_overloaded_names_no_time() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let found = hints(529, ANTHROPIC, Some(body), Dialect::Anthropic);
    assert_eq!((found.limit, found.wait), (Some(Limit::Overloaded), None));
    assert_eq!(
        hints(529, "", None, Dialect::Generic).limit,
        Some(Limit::Overloaded)
    );
    assert_eq!(
        hints(500, "", Some(body), Dialect::Anthropic).limit,
        Some(Limit::Overloaded)
    );
    let busy = hints(503, "retry-after: 120", None, Dialect::Generic);
    assert_eq!(
        (busy.limit, busy.wait),
        (Some(Limit::Overloaded), wait(120, Source::RetryAfter))
    );
}

/// B2: a 429 that means a monthly cap is final.
#[test]
fn a_spend_cap_is_final() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"You have reached your API usage limits: your organization has crossed its monthly API usage threshold.","details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_018"}"#;
    for dialect in DIALECTS {
        let found = hints(429, ANTHROPIC, Some(body), dialect);
        assert_eq!(
            (found.limit, found.wait),
            (Some(Limit::SpendCap), None),
            "resets of other quotas do not help"
        );
    }
    let openai = r#"{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    let block = "
        x-ratelimit-limit-requests: 60
        x-ratelimit-remaining-requests: 59
        x-ratelimit-reset-requests: 1s
        x-should-retry: false
    ";
    let found = hints(429, block, Some(openai), Dialect::Generic);
    assert_eq!(
        (found.limit, found.wait, found.should_retry),
        (Some(Limit::SpendCap), None, Some(false))
    );
    let minute = r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let found = hints(429, block, Some(minute), Dialect::Generic);
    assert_eq!(
        (found.limit, found.wait),
        (Some(Limit::RateLimit), wait(1, Source::Reset))
    );
}

#[test]
fn a_429_that_blames_nothing_waits_for_the_scarcest_quota() {
    let block = "
        x-ratelimit-limit-requests: 5000
        x-ratelimit-remaining-requests: 4999
        x-ratelimit-reset-requests: 12ms
        x-ratelimit-limit-tokens: 40000
        x-ratelimit-remaining-tokens: 200
        x-ratelimit-reset-tokens: 2.985s
    ";
    let found = hints(429, block, None, Dialect::Generic);
    assert_eq!(found.limit, Some(Limit::RateLimit));
    assert_eq!(
        found.wait,
        Some(Wait {
            after: Duration::from_millis(2_985),
            source: Source::Reset
        })
    );
    assert_eq!(found.quota.unwrap().resource.unwrap().as_str(), "tokens");
    assert_eq!(
        hints(200, block, None, Dialect::Generic)
            .quota
            .unwrap()
            .resource
            .unwrap()
            .as_str(),
        "requests"
    );
    let bare = hints(429, "", None, Dialect::Generic);
    assert_eq!((bare.limit, bare.wait), (Some(Limit::RateLimit), None));
}

/// B4: IETF `RateLimit`.
#[test]
fn the_ietf_fields_of_every_generation() {
    let block = r#"
        ratelimit-policy: "burst";q=100;w=60,"daily";q=1000;w=86400
        ratelimit: "burst";r=0;t=12, "daily";r=870;t=40000
    "#;
    let found = hints(429, block, None, Dialect::Generic);
    assert_eq!(
        (found.limit, found.wait),
        (Some(Limit::Primary), wait(12, Source::Reset))
    );
    let quota = found.quota.unwrap();
    assert_eq!(
        (quota.limit, quota.window),
        (Some(100), Some(Duration::from_secs(60)))
    );
    assert_eq!(quota.resource.unwrap().as_str(), "burst");

    let scarce = hints(200, &block.replace("r=0", "r=1"), None, Dialect::Generic);
    assert_eq!(
        (scarce.wait, scarce.quota.unwrap().remaining),
        (None, Some(1)),
        "the scarcest is shown"
    );

    let express = "ratelimit: limit=100, remaining=0, reset=900\nratelimit-policy: 100;w=900";
    assert_eq!(
        hints(429, express, None, Dialect::Generic).wait,
        wait(900, Source::Reset)
    );
    let older = "ratelimit-limit: 100, 100;w=60\nratelimit-remaining: 0\nratelimit-reset: 30";
    let found = hints(429, older, None, Dialect::Generic);
    assert_eq!(
        (found.wait, found.quota.unwrap().window),
        (wait(30, Source::Reset), Some(Duration::from_secs(60)))
    );

    let busy =
        "ratelimit-policy: \"slots\";q=10;qu=\"concurrent-requests\"\nratelimit: \"slots\";r=0;t=5";
    assert_eq!(
        hints(200, busy, None, Dialect::Generic).wait,
        None,
        "busy slots come back by themselves"
    );
    assert_eq!(
        hints(429, busy, None, Dialect::Generic).wait,
        wait(5, Source::Reset)
    );
}

/// The draft: Retry-After takes precedence over RateLimit, and a malformed RateLimit must be
/// ignored.
#[test]
fn retry_after_wins_over_rate_limit() {
    let block = "retry-after: 3\nratelimit: \"default\";r=0;t=60";
    assert_eq!(
        hints(429, block, None, Dialect::Generic).wait,
        wait(3, Source::RetryAfter)
    );
    let torn = "ratelimit: \"default\";r=0;t=60,\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 9";
    assert_eq!(
        hints(429, torn, None, Dialect::Generic).wait,
        wait(9, Source::Reset)
    );
}

#[test]
fn the_last_exhausted_quota_decides() {
    let block = "
        x-ratelimit-limit: 1, 15000
        x-ratelimit-remaining: 0, 14523
        x-ratelimit-reset: 1, 1419704
    ";
    assert_eq!(
        hints(200, block, None, Dialect::Generic).wait,
        wait(1, Source::Reset),
        "columns are not mixed"
    );
    let month = block.replace("0, 14523", "0, 0");
    assert_eq!(
        hints(429, &month, None, Dialect::Generic).wait,
        wait(1_419_704, Source::Reset)
    );
}

#[test]
fn should_retry_is_passed_on() {
    assert_eq!(
        hints(409, "x-should-retry: true", None, Dialect::Generic).should_retry,
        Some(true)
    );
    assert_eq!(
        hints(500, "x-should-retry: false", None, Dialect::Generic).should_retry,
        Some(false)
    );
    assert_eq!(
        hints(200, "x-should-retry: maybe", None, Dialect::Generic).should_retry,
        None
    );
}
