//! B2: which outcomes are tried again, as a table.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use egress_backoff::{BackoffLayer, Cause, Dialect, ErrorClass, GaveUp, Policy, RetryInfo};
use egress_context::Failure;
use egress_time::ManualTimer;
use http::{HeaderName, Method, StatusCode};
use std::io::ErrorKind;
use support::{Reply, Server, failure, request, status, with_policy};
use tower::{Layer, ServiceExt};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What became of a request whose every attempt got the same reply.
#[derive(Debug, PartialEq, Eq)]
enum Became {
    /// It was sent once, and nothing is said about it.
    Settled,
    /// It was sent once, and the response says why.
    GaveUp(GaveUp),
    Retried,
}
use Became::{Retried, Settled};

const NOT_IDEMPOTENT: Became = Became::GaveUp(GaveUp::NotIdempotent);
const FINAL: Became = Became::GaveUp(GaveUp::Final);

fn became(policy: Policy, method: &str, key: Option<&'static str>, reply: Reply) -> Became {
    let timer = ManualTimer::new();
    let server = Server::new(&timer, [reply]);
    let client = with_policy(&server, &timer, policy.with_max_retries(1));
    let mut request = request(method);
    if let Some(key) = key {
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
    }
    let outcome = timer.run(client.oneshot(request));
    match (server.requests(), outcome) {
        (2, _) => Retried,
        (1, Ok(response)) => match response.extensions().get::<RetryInfo>() {
            None => Settled,
            Some(info) => Became::GaveUp(info.gave_up.expect("there was one attempt")),
        },
        (1, Err(_)) => Settled,
        (sent, _) => panic!("sent {sent} times"),
    }
}

const IDEMPOTENT: [&str; 7] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"];
const OTHERS: [&str; 3] = ["POST", "PATCH", "CONNECT"];
const LISTED: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

/// B2
#[test]
fn idempotent_methods_are_retried_on_these_statuses() {
    for method in IDEMPOTENT {
        for code in LISTED {
            assert_eq!(
                became(Policy::new(), method, None, status(code)),
                Retried,
                "{method} {code}"
            );
        }
        assert_eq!(
            became(Policy::new(), method, None, support::reset()),
            Retried,
            "{method}, connection reset"
        );
    }
}

/// B2: reqwest-retry sends a POST four times.
#[test]
fn a_post_is_not_retried() {
    for method in OTHERS {
        for code in LISTED {
            assert_eq!(
                became(Policy::new(), method, None, status(code)),
                NOT_IDEMPOTENT,
                "{method} {code}"
            );
        }
        assert_eq!(
            became(Policy::new(), method, None, support::reset()),
            Settled,
            "{method}, connection reset: the server may have acted"
        );
        let timed_out = failure(Failure::TimedOut);
        assert_eq!(became(Policy::new(), method, None, timed_out), Settled);
    }
}

/// B2
#[test]
fn a_post_is_retried_with_a_key_before_the_send_or_when_the_server_says_so() {
    for method in OTHERS {
        let with_key = became(Policy::new(), method, Some("8e03978e"), status(503));
        assert_eq!(with_key, Retried, "{method}");
        let with_key = became(Policy::new(), method, Some("8e03978e"), support::reset());
        assert_eq!(with_key, Retried, "{method}");
        let before_send = became(Policy::new(), method, None, support::refused_connection());
        assert_eq!(before_send, Retried, "{method}");
        let told = status(503).header("x-should-retry", "true");
        assert_eq!(
            became(Policy::new(), method, None, told),
            Retried,
            "{method}"
        );
    }
}

/// B2
#[test]
fn nothing_else_is_retried() {
    for code in [
        200, 201, 204, 206, 301, 304, 307, 400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 422,
        451, 499, 501, 505, 507, 511, 520, 529,
    ] {
        assert_eq!(
            became(Policy::new(), "GET", None, status(code)),
            Settled,
            "{code}"
        );
    }
}

/// B2
#[test]
fn the_servers_word_decides_where_it_may() {
    let table = [
        // (status, x-should-retry, what becomes of a GET)
        (503, "false", FINAL),
        (429, "false", FINAL),
        (404, "false", Settled),
        (409, "true", Retried),
        (400, "true", Retried),
        (418, "true", Retried),
        (501, "true", Settled),
        (505, "true", Settled),
        (200, "true", Settled),
        (302, "true", Settled),
    ];
    for (code, word, expected) in table {
        let reply = status(code).header("x-should-retry", word);
        assert_eq!(
            became(Policy::new(), "GET", None, reply),
            expected,
            "{code}, {word}"
        );
    }
    // It wins over an idempotency key and over a wait that would be allowed.
    let told = status(503)
        .header("x-should-retry", "false")
        .header("retry-after", 1);
    assert_eq!(became(Policy::new(), "POST", Some("key"), told), FINAL);
}

/// B2: a 403 is a refusal for good, unless headers or body say rate limit.
#[test]
fn a_403_is_retried_when_it_means_a_rate_limit() {
    const SECONDARY: &str = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
    const FORBIDDEN: &str = r#"{"message":"Resource not accessible by personal access token"}"#;
    let github = || Policy::new().with_dialect(Dialect::GitHub);
    let table = [
        (Policy::new(), status(403), Settled),
        (github(), status(403), Settled),
        (github(), status(403).captured(FORBIDDEN), Settled),
        (github(), status(403).captured(SECONDARY), Retried),
        (github(), status(403).header("retry-after", 3), Retried),
        (
            github(),
            status(403)
                .header("x-ratelimit-remaining", 0)
                .header("x-ratelimit-reset", 1_767_225_600 + 10),
            Retried,
        ),
        (
            github(),
            status(403)
                .header("x-ratelimit-remaining", 4_000)
                .header("x-ratelimit-reset", 1_767_225_600 + 10),
            Settled,
        ),
        (
            github().with_statuses([StatusCode::SERVICE_UNAVAILABLE]),
            status(403).header("retry-after", 3),
            Settled,
        ),
    ];
    for (row, (policy, reply, expected)) in table.into_iter().enumerate() {
        assert_eq!(became(policy, "GET", None, reply), expected, "row {row}");
    }
}

/// B2
#[test]
fn a_529_is_retried_for_anthropic_or_when_listed() {
    let anthropic = Policy::new().with_dialect(Dialect::Anthropic);
    assert_eq!(became(anthropic, "GET", None, status(529)), Retried);
    let listed = Policy::new().with_statuses([StatusCode::from_u16(529).unwrap()]);
    assert_eq!(became(listed.clone(), "GET", None, status(529)), Retried);
    assert_eq!(
        became(listed, "GET", None, status(503)),
        Settled,
        "the list is the whole list"
    );
}

/// B2
#[test]
fn a_429_that_means_a_monthly_cap_is_final() {
    const CAP: &str = r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's monthly spend limit","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    for policy in [
        Policy::new(),
        Policy::new().with_dialect(Dialect::Anthropic),
    ] {
        let spent = status(429).captured(CAP);
        assert_eq!(became(policy.clone(), "GET", None, spent.clone()), FINAL);
        let contradicted = spent.header("x-should-retry", "true");
        assert_eq!(became(policy, "GET", None, contradicted), FINAL);
    }
}

/// B1, B5: a server that asks for time still works, so such a retry is cheaper than one after a breakdown.
#[test]
fn the_cause_is_what_the_server_says_of_itself() {
    const OVERLOADED: &str =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let (transient, throttled) = (Cause::Transient, Cause::Throttled);
    let table = [
        (status(408), transient),
        (status(500), transient),
        (status(502), transient),
        (status(503), transient),
        (status(504), transient),
        (support::reset(), transient),
        (failure(Failure::TimedOut), transient),
        (status(409).header("x-should-retry", "true"), transient),
        (status(429), throttled),
        (status(529), throttled),
        (status(503).header("retry-after", 1), throttled),
        (status(500).header("retry-after", 1), throttled),
        (status(500).captured(OVERLOADED), throttled),
        (status(403).header("retry-after", 1), throttled),
    ];
    for (reply, cause) in table {
        let message = format!("{reply:?}");
        let timer = ManualTimer::new();
        let server = Server::new(&timer, [reply]);
        let layer = BackoffLayer::new(timer.clone()).with_policy(
            Policy::new()
                .with_dialect(Dialect::Anthropic)
                .with_max_retries(1),
        );
        let outcome = timer.run(layer.layer(server.clone()).oneshot(request("GET")));
        drop(outcome);
        let cost = layer.budget().cost(cause);
        assert_eq!(layer.budget().available(), 500 - cost, "{message}");
    }
}

/// B2
#[test]
fn errors_are_retried_by_what_they_mean() {
    let table = [
        (Reply::Error(None, ErrorKind::BrokenPipe), Retried),
        (Reply::Error(None, ErrorKind::TimedOut), Retried),
        (Reply::Error(None, ErrorKind::Other), Retried),
        (Reply::Error(None, ErrorKind::PermissionDenied), Settled),
        (failure(Failure::TimedOut), Retried),
        (failure(Failure::Refused), Settled),
        (failure(Failure::DeadlineExceeded), Settled),
    ];
    for (reply, expected) in table {
        let message = format!("{reply:?}");
        assert_eq!(
            became(Policy::new(), "GET", None, reply),
            expected,
            "{message}"
        );
    }
}

/// B2
#[test]
fn the_policy_can_be_told_otherwise() {
    let post = Policy::new().with_idempotent(Method::POST);
    assert_eq!(became(post, "POST", None, status(503)), Retried);

    let key = Policy::new().with_idempotency_key(HeaderName::from_static("x-request-key"));
    assert_eq!(
        became(key, "POST", Some("in another header"), status(503)),
        NOT_IDEMPOTENT
    );

    let strict = Policy::new().with_classify(|_| ErrorClass::Fatal);
    assert_eq!(became(strict, "GET", None, support::reset()), Settled);
    let knowing = Policy::new().with_classify(|_| ErrorClass::BeforeSend);
    assert_eq!(became(knowing, "POST", None, support::reset()), Retried);
}
