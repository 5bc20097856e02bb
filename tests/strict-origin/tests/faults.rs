//! What each fault looks like on the wire, and when it happens.
#![allow(clippy::unwrap_used, reason = "what helps a test fails with it")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a server is tested on real sockets in real time"
)]

mod support;

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use strict_origin::{Answer, Api, FaultKind, FaultPlan, Reply, Script, StrictOrigin};
use support::{Client, eventually, raw_get, run, start};

/// Asks a path of `api` that a script makes fail with `kind` once.
async fn failed(api: Api, kind: FaultKind) -> (support::Answer, StrictOrigin) {
    let path = match api {
        Api::Github => "/repos/a/b",
        Api::GithubSearch => "/search/repositories?q=a",
        Api::Anthropic => "/v1/messages",
        Api::External => "/anything",
    };
    let plan = FaultPlan::none()
        .with_wait(Duration::from_millis(1_500))
        .with_slowness(Duration::from_millis(40));
    let script = Script::new().on(path, [kind]);
    let (origin, client) = start(StrictOrigin::builder().script(script).faults(plan)).await;
    let answer = client.get(path).await;
    assert_eq!(origin.score().faults, BTreeMap::from([(kind, 1)]));
    assert_eq!(origin.score().api(api).faulted, 1);
    (answer, origin)
}

/// How far in the future an HTTP date is, as its reader corrects it with the `Date` of the
/// response.
fn until(answer: &support::Answer, date: &str) -> Duration {
    let read = |text: &str| httpdate::parse_http_date(text).unwrap();
    read(date)
        .duration_since(read(answer.header("date").unwrap()))
        .unwrap_or_default()
}

fn seconds(wait: Duration) -> bool {
    // A wait of 1.5 s, rounded up to whole seconds at one end and down at the other.
    (Duration::from_secs(2)..=Duration::from_secs(3)).contains(&wait)
}

#[test]
fn throttling_faults_ask_for_their_wait_in_every_dialect() {
    run(async {
        let (answer, _) = failed(Api::Github, FaultKind::SecondaryLimit).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (StatusCode::FORBIDDEN, Some("2"))
        );
        assert!(
            answer.json()["message"]
                .as_str()
                .unwrap()
                .contains("secondary rate limit")
        );

        let (answer, _) = failed(Api::GithubSearch, FaultKind::SecondaryLimitSilent).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (StatusCode::FORBIDDEN, None)
        );
        assert!(
            answer.json()["message"]
                .as_str()
                .unwrap()
                .contains("secondary rate limit")
        );

        let (answer, _) = failed(Api::Github, FaultKind::RetryAfterSeconds).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (StatusCode::TOO_MANY_REQUESTS, Some("2"))
        );

        for (kind, mark) in [
            (FaultKind::RetryAfterImfDate, " GMT"),
            (FaultKind::RetryAfterRfc850Date, "day, "),
            (FaultKind::RetryAfterAsctimeDate, ":"),
        ] {
            let (answer, _) = failed(Api::External, kind).await;
            let date = answer.header("retry-after").unwrap();
            assert!(date.contains(mark), "{kind}: {date}");
            assert_eq!(
                date.ends_with("GMT"),
                kind != FaultKind::RetryAfterAsctimeDate,
                "{date}"
            );
            assert!(seconds(until(&answer, date)), "{kind}: {date}");
        }

        let (answer, _) = failed(Api::Anthropic, FaultKind::RetryAfterMs).await;
        assert_eq!(
            (
                answer.header("retry-after-ms"),
                answer.header("retry-after")
            ),
            (Some("1500"), None)
        );

        let (answer, _) = failed(Api::Github, FaultKind::EpochReset).await;
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
        let reset = UNIX_EPOCH + Duration::from_secs(answer.number("x-ratelimit-reset"));
        let wait = reset.duration_since(SystemTime::now()).unwrap();
        assert!(
            (Duration::from_millis(1_000)..=Duration::from_millis(2_500)).contains(&wait),
            "{wait:?}"
        );

        let (answer, _) = failed(Api::External, FaultKind::DeltaReset).await;
        assert_eq!(
            (
                answer.header("x-ratelimit-remaining"),
                answer.number("x-ratelimit-reset")
            ),
            (Some("0"), 2)
        );

        let (answer, _) = failed(Api::Anthropic, FaultKind::Rfc3339Reset).await;
        assert_eq!(
            answer.header("anthropic-ratelimit-requests-remaining"),
            Some("0")
        );
        let reset = answer.header("anthropic-ratelimit-requests-reset").unwrap();
        assert!(reset.len() == 20 && reset.ends_with('Z'), "{reset}");

        let (answer, _) = failed(Api::External, FaultKind::IetfRateLimit).await;
        assert_eq!(answer.header("ratelimit"), Some("\"default\";r=0;t=2"));
    });
}

#[test]
fn errors_have_their_status_and_their_shape() {
    run(async {
        for (kind, status) in [
            (FaultKind::InternalError, 500),
            (FaultKind::BadGateway, 502),
            (FaultKind::Unavailable, 503),
            (FaultKind::UnavailableRetryAfter, 503),
        ] {
            let (answer, _) = failed(Api::Github, kind).await;
            assert_eq!(answer.status, status);
            assert!(answer.json()["message"].is_string());
            assert_eq!(
                answer.header("retry-after").is_some(),
                kind == FaultKind::UnavailableRetryAfter
            );
        }
        let (answer, _) = failed(Api::Anthropic, FaultKind::Overloaded).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]["type"]),
            (529, &"overloaded_error".into())
        );
        let (answer, _) = failed(Api::Anthropic, FaultKind::SpendLimit).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("retry-after")),
            (429, None)
        );
        assert_eq!(
            answer.json()["error"]["details"]["error_code"],
            "enforced_spend_limit_reached"
        );
        let (answer, _) = failed(Api::External, FaultKind::LargeError).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (500, 1 << 20));
    });
}

#[test]
fn lies_are_told_as_documented() {
    run(async {
        for (kind, hint) in [
            (FaultKind::NegativeRetryAfter, "-1"),
            (FaultKind::GarbageRetryAfter, "soon"),
            (
                FaultKind::HugeRetryAfter,
                "9999999999999999999999999999999999999999",
            ),
            (FaultKind::ZeroRetryAfter, "0"),
        ] {
            let (answer, _) = failed(Api::External, kind).await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("retry-after")),
                (503, Some(hint))
            );
        }
        let (answer, _) = failed(Api::External, FaultKind::PastRetryAfter).await;
        assert_eq!(
            until(&answer, answer.header("retry-after").unwrap()),
            Duration::ZERO
        );

        for kind in [FaultKind::ClockAhead, FaultKind::ClockBehind] {
            let (answer, _) = failed(Api::External, kind).await;
            assert!(
                seconds(until(&answer, answer.header("retry-after").unwrap())),
                "{kind}"
            );
            let date = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
            let ahead = date.duration_since(SystemTime::now()).is_ok();
            assert_eq!(ahead, kind == FaultKind::ClockAhead);
            let (answer, _) = failed(Api::Github, kind).await;
            let date = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
            let date = date.duration_since(UNIX_EPOCH).unwrap().as_secs();
            assert!(
                (2..=3).contains(&(answer.number("x-ratelimit-reset") - date)),
                "{kind}"
            );
        }

        let (answer, origin) = failed(Api::Github, FaultKind::StaleHint).await;
        assert_eq!(
            (answer.status, answer.header("age")),
            (StatusCode::OK, Some("60"))
        );
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
        assert_eq!(
            origin.score().api(Api::Github).served,
            1,
            "it is served all the same"
        );
        let (answer, _) = failed(Api::External, FaultKind::InflatedRemaining).await;
        assert_eq!(answer.header("ratelimit"), Some("\"default\";r=600;t=0"));
    });
}

#[test]
fn slow_heads_and_slow_bodies_are_slow() {
    run(async {
        for kind in [FaultKind::SlowHeaders, FaultKind::SlowBody] {
            let begin = Instant::now();
            let (answer, _) = failed(Api::Github, kind).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.json()["id"].is_number());
            assert!(begin.elapsed() >= Duration::from_millis(40), "{kind}");
        }
    });
}

#[test]
fn http1_connections_end_without_or_inside_a_response() {
    run(async {
        let cases = [
            FaultKind::CloseBeforeHeaders,
            FaultKind::ResetBeforeHeaders,
            FaultKind::TruncatedBody,
            FaultKind::ResetInsideBody,
        ];
        let script = cases.iter().fold(Script::new(), |script, kind| {
            script.on(format!("/bytes/1000?{kind}"), [*kind])
        });
        let (origin, _) = start(StrictOrigin::builder().script(script)).await;
        for kind in cases {
            let (bytes, end) = raw_get(&origin, &format!("/bytes/1000?{kind}"));
            let text = String::from_utf8_lossy(&bytes);
            let reset = end.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
            let resets = matches!(
                kind,
                FaultKind::ResetBeforeHeaders | FaultKind::ResetInsideBody
            );
            assert_eq!(reset, resets, "{kind}");
            match text.split_once("\r\n\r\n") {
                None => assert!(
                    text.is_empty() && kind <= FaultKind::ResetBeforeHeaders,
                    "{kind}: {text}"
                ),
                Some((head, body)) => {
                    assert!(head.contains("content-length: 1000"), "{kind}: {head}");
                    assert_eq!(body.len(), 500, "{kind}");
                }
            }
        }
        let score = origin.score();
        assert_eq!(
            (score.bodies_aborted, score.abandoned, score.malformed),
            (0, 0, 0),
            "it was the origin's doing"
        );
        assert_eq!((score.faults_injected(), score.unique_paths_served), (4, 0));
        eventually("connections close", || origin.score().connections_now == 0).await;
    });
}

#[test]
fn http2_streams_are_reset_and_their_connection_lives() {
    run(async {
        let cases = [
            FaultKind::CloseBeforeHeaders,
            FaultKind::ResetBeforeHeaders,
            FaultKind::TruncatedBody,
            FaultKind::ResetInsideBody,
        ];
        let script = cases.iter().fold(Script::new(), |script, kind| {
            script.on(format!("/bytes/1000?{kind}"), [*kind])
        });
        let (origin, _) = start(StrictOrigin::builder().script(script)).await;
        let client = Client::http2(&origin);
        for kind in cases {
            let path = format!("/bytes/1000?{kind}");
            let response = client.open(client.request(Method::GET, &path, "")).await;
            match kind {
                FaultKind::CloseBeforeHeaders | FaultKind::ResetBeforeHeaders => {
                    assert!(response.is_err(), "{kind}")
                }
                _ => assert!(
                    response.unwrap().into_body().collect().await.is_err(),
                    "{kind}"
                ),
            }
            assert_eq!(
                client.get(&path).await.body.len(),
                1_000,
                "{kind}: the next attempt is served"
            );
        }
        assert_eq!(
            origin.score().connections_accepted,
            1,
            "one connection survived it all"
        );
    });
}

#[test]
fn the_same_seed_gives_the_same_faults_in_any_order() {
    run(async {
        let plan = FaultPlan::mixed(7, 0.4)
            .with_slowness(Duration::from_millis(1))
            .with_attempts(1);
        let paths: Vec<String> = (0..60).map(|n| format!("/repos/owner/name-{n}")).collect();
        let expected: BTreeMap<FaultKind, u64> =
            paths.iter().fold(BTreeMap::new(), |mut faults, path| {
                if let Some(kind) = plan.pick(Api::Github, &format!("GET {path}"), 0) {
                    *faults.entry(kind).or_default() += 1;
                }
                faults
            });
        assert!(expected.len() > 5, "{expected:?}");
        let (origin, client) = start(StrictOrigin::builder().faults(plan)).await;
        for concurrent in [false, true] {
            origin.reset();
            let requests = paths.iter().rev().map(|path| {
                let (client, path) = (client.clone(), path.clone());
                tokio::spawn(async move {
                    client
                        .try_send(client.request(Method::GET, &path, ""))
                        .await
                        .is_ok()
                })
            });
            let requests: Vec<_> = match concurrent {
                true => requests.collect(),
                false => {
                    for path in &paths {
                        let _ = client.try_send(client.request(Method::GET, path, "")).await;
                    }
                    Vec::new()
                }
            };
            for request in requests {
                request.await.unwrap();
            }
            assert_eq!(origin.score().faults, expected, "concurrent: {concurrent}");
        }
        origin.reset();
        for path in &paths {
            let _ = client.try_send(client.request(Method::GET, path, "")).await;
            assert_eq!(
                client.get(path).await.status,
                StatusCode::OK,
                "the second attempt is spared"
            );
        }
        assert_eq!(origin.score().unique_paths_served, 60);
    });
}

#[test]
fn faults_cost_no_quota_and_refusals_are_no_attempts() {
    run(async {
        let plan = FaultPlan::new(1)
            .with(FaultKind::BadGateway, 1.0)
            .with_attempts(2);
        let (origin, client) = start(
            StrictOrigin::builder()
                .github("1/1m".parse().unwrap())
                .faults(plan),
        )
        .await;
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(client.get("/repos/a/b").await.status.as_u16());
        }
        assert_eq!(statuses, [502, 502, 200]);
        assert_eq!(
            client.get("/repos/c/d").await.status,
            StatusCode::FORBIDDEN,
            "limits come first"
        );
        let score = origin.score();
        assert_eq!(
            (score.faults_injected(), score.api(Api::Github).over_limit),
            (2, 1)
        );
        assert_eq!(score.api(Api::Github).retries, 2);
    });
}

#[test]
fn scripts_say_what_comes_first_and_then_serve() {
    run(async {
        let teapot = Reply::new(StatusCode::IM_A_TEAPOT)
            .header("x-kind", "tea")
            .body("short and stout");
        let script = Script::new()
            .on(
                "/repos/a/b",
                [
                    Answer::from(StatusCode::SERVICE_UNAVAILABLE),
                    Answer::Serve,
                    teapot.into(),
                ],
            )
            .on(
                "POST /items/1",
                [Reply::new(StatusCode::BAD_GATEWAY).header("x-should-retry", "true")],
            );
        let plan = FaultPlan::new(1).with(FaultKind::InternalError, 1.0);
        let (origin, client) = start(StrictOrigin::builder().script(script).faults(plan)).await;
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let answer = client.get("/repos/a/b").await;
            statuses.push(answer.status.as_u16());
            if answer.status == StatusCode::IM_A_TEAPOT {
                assert_eq!(
                    (answer.header("x-kind"), &answer.body[..]),
                    (Some("tea"), &b"short and stout"[..])
                );
            }
        }
        assert_eq!(statuses, [503, 200, 418, 200]);
        assert_eq!(
            client.post("/items/1", "a", &[]).await.status,
            StatusCode::BAD_GATEWAY
        );
        assert_eq!(
            client.post("/items/1", "a", &[]).await.status,
            StatusCode::CREATED
        );
        assert_eq!(origin.score().repeated_writes, 0, "it was asked for");
        assert_eq!(
            origin.score().faults_injected(),
            0,
            "scripted paths are spared"
        );
    });
}
