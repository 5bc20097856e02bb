//! What is enforced and what is scored about rates.
#![allow(clippy::unwrap_used, reason = "what helps a test fails with it")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a server is tested on real sockets in real time"
)]

mod support;

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http::{Method, StatusCode};
use strict_origin::{Answer, Api, FaultKind, FaultPlan, HeaderSlots, Reply, Script, StrictOrigin};
use support::{Client, eventually, pause, run, start};

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// A path of each API that is served.
const PATHS: [(Api, &str); 3] = [
    (Api::Github, "/repos/a/b"),
    (Api::GithubSearch, "/search/repositories?q=a"),
    (Api::External, "/anything"),
];

#[test]
fn the_limit_is_served_and_one_more_is_refused_and_counted() {
    run(async {
        let rule = || "5/1m".parse().unwrap();
        let builder = StrictOrigin::builder()
            .github(rule())
            .github_search(rule())
            .external(rule());
        let (origin, client) = start(builder).await;
        for (api, path) in PATHS {
            for _ in 0..5 {
                assert_eq!(client.get(path).await.status, StatusCode::OK);
            }
            assert_eq!(
                origin.score().api(api).over_limit,
                0,
                "the limit itself breaks nothing"
            );
            let refused = client.get(path).await;
            assert!(
                matches!(refused.status.as_u16(), 403 | 429),
                "{}",
                refused.status
            );
            let score = origin.score().api(api);
            assert_eq!(
                (
                    score.requests,
                    score.served,
                    score.over_limit,
                    score.peak_window
                ),
                (6, 5, 1, 6)
            );
        }
        assert_eq!(
            origin.score().complaints().len(),
            6,
            "{:?}",
            origin.score().complaints()
        );
    });
}

#[test]
fn a_flood_gets_the_limit_of_each_window_and_no_more() {
    run(async {
        let rule = "10/100ms".parse().unwrap();
        let (origin, client) = start(StrictOrigin::builder().external(rule)).await;
        let begin = Instant::now();
        let (mut served, mut refused) = (0, 0);
        while served < 40 {
            match client.get("/anything").await.status.as_u16() {
                200 => served += 1,
                429 => refused += 1,
                other => panic!("{other}"),
            }
        }
        let elapsed = begin.elapsed();
        assert!(
            elapsed >= Duration::from_millis(300),
            "40 in {elapsed:?}, at 10 in 100 ms"
        );
        let score = origin.score().api(Api::External);
        assert_eq!((score.served, score.over_limit), (served, refused));
    });
}

#[test]
fn whoever_comes_back_when_told_is_served_and_breaks_nothing() {
    run(async {
        let rule = || "3/900ms".parse().unwrap();
        let builder = StrictOrigin::builder()
            .github(rule())
            .anthropic(rule())
            .external(rule());
        let (origin, client) = start(builder).await;
        let message = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#;
        for _ in 0..3 {
            client.get("/repos/a/b").await;
            client.get("/anything").await;
            client
                .post("/v1/messages", message, &[("idempotency-key", "k")])
                .await;
        }
        let github = client.get("/repos/a/b").await;
        let external = client.get("/anything").await;
        let anthropic = client
            .post("/v1/messages", message, &[("idempotency-key", "k")])
            .await;
        assert_eq!(github.header("x-ratelimit-remaining"), Some("0"));
        assert_eq!(
            github.json()["message"],
            "API rate limit exceeded for user ID 1."
        );
        assert_eq!(
            github.header("retry-after"),
            None,
            "the primary limit has no such header"
        );
        assert_eq!(anthropic.json()["error"]["type"], "rate_limit_error");
        assert_eq!(anthropic.header("retry-after"), Some("1"));
        assert_eq!(external.header("ratelimit"), Some("\"default\";r=0;t=1"));
        assert_eq!(
            external.header("ratelimit-policy"),
            Some("\"default\";q=3;w=1")
        );

        let reset = Duration::from_secs(github.number("x-ratelimit-reset"));
        let second = Duration::from_millis(1_000);
        pause(u64::try_from(reset.saturating_sub(wall()).max(second).as_millis()).unwrap() + 1)
            .await;
        assert_eq!(client.get("/repos/a/b").await.status, StatusCode::OK);
        assert_eq!(client.get("/anything").await.status, StatusCode::OK);
        assert_eq!(
            client
                .post("/v1/messages", message, &[("idempotency-key", "k")])
                .await
                .status,
            StatusCode::OK
        );
        for api in [Api::Github, Api::Anthropic, Api::External] {
            let score = origin.score().api(api);
            assert_eq!(
                (score.early_retries, score.pause_violations),
                (0, 0),
                "{api}"
            );
            assert_eq!((score.over_limit, score.retries), (1, 1), "{api}");
        }
    });
}

#[test]
fn a_polite_client_gives_no_cause_for_complaint() {
    run(async {
        let rule = "20/100ms,burst=5,spacing=5ms".parse().unwrap();
        let (origin, client) = start(StrictOrigin::builder().github(rule)).await;
        for _ in 0..30 {
            assert_eq!(client.get("/repos/a/b").await.status, StatusCode::OK);
            pause(5).await;
        }
        assert_eq!(origin.score().complaints(), Vec::<String>::new());
        let smallest = origin.score().api(Api::Github).smallest_spacing_us.unwrap();
        assert!(smallest >= 5_000, "{smallest} us");
    });
}

#[test]
fn a_hasty_client_is_found_out() {
    run(async {
        let rule = "100/10s,burst=5,spacing=100ms,jitter=1ms".parse().unwrap();
        let (origin, client) = start(StrictOrigin::builder().github(rule)).await;
        for _ in 0..20 {
            client.get("/repos/a/b").await;
        }
        let score = origin.score().api(Api::Github);
        assert_eq!(
            score.over_limit, 0,
            "spacing and burst are scored, not enforced"
        );
        assert!(score.spacing_violations > 0, "{score:?}");
        assert!(score.burst_violations > 0, "{score:?}");
    });
}

#[test]
fn what_responses_say_about_the_quota_is_true() {
    run(async {
        let (_origin, client) =
            start(StrictOrigin::builder().github("3/1m".parse().unwrap())).await;
        for remaining in [2, 1, 0] {
            let answer = client.get("/repos/a/b").await;
            assert_eq!(answer.number("x-ratelimit-limit"), 3);
            assert_eq!(answer.number("x-ratelimit-remaining"), remaining);
            assert_eq!(answer.number("x-ratelimit-used"), 3 - remaining);
            assert_eq!(answer.header("x-ratelimit-resource"), Some("core"));
            let wait =
                Duration::from_secs(answer.number("x-ratelimit-reset")).saturating_sub(wall());
            assert!((59..=61).contains(&wait.as_secs()), "{wait:?}");
        }
        let refusals = [
            client.get("/repos/a/b").await.status,
            client.get("/repos/a/b").await.status,
        ];
        assert_eq!(
            refusals.map(|status| status.as_u16()),
            [403, 429],
            "both are documented"
        );
    });
}

#[test]
fn not_modified_costs_nothing() {
    run(async {
        let (origin, client) = start(StrictOrigin::builder().github("2/1m".parse().unwrap())).await;
        let first = client.get("/repos/a/b").await;
        let tag = first.header("etag").unwrap().to_owned();
        for _ in 0..5 {
            let mut request = client.request(Method::GET, "/repos/a/b", "");
            request
                .headers_mut()
                .insert("if-none-match", tag.parse().unwrap());
            let answer = client.send(request).await;
            assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
            assert_eq!(answer.header("etag"), Some(tag.as_str()));
            assert_eq!(answer.number("x-ratelimit-remaining"), 1);
            assert!(answer.body.is_empty());
        }
        let mut other = client.request(Method::GET, "/repos/a/b", "");
        other
            .headers_mut()
            .insert("if-none-match", "\"other\"".parse().unwrap());
        assert_eq!(client.send(other).await.status, StatusCode::OK);
        let score = origin.score().api(Api::Github);
        assert_eq!(
            (score.not_modified, score.over_limit, score.peak_window),
            (5, 0, 7)
        );
    });
}

#[test]
fn early_returns_are_scored() {
    run(async {
        let script = Script::new()
            .on("/repos/a/b", [FaultKind::RetryAfterSeconds])
            .on("/anything/x", [FaultKind::UnavailableRetryAfter]);
        let builder = StrictOrigin::builder()
            .script(script)
            .faults(FaultPlan::none().with_wait(Duration::from_secs(5)))
            .crossing(Duration::from_millis(300));
        let (origin, client) = start(builder).await;
        client.get("/anything/x").await;
        assert_eq!(
            client.get("/repos/a/b").await.header("retry-after"),
            Some("5")
        );
        client.get("/repos/a/b").await;
        let score = origin.score().api(Api::Github);
        assert_eq!((score.early_retries, score.pause_violations), (1, 0));

        // The request that was told has an answer now; everyone else still waits.
        client.get("/repos/c/d").await;
        let score = origin.score().api(Api::Github);
        assert_eq!(score.pause_violations, 0, "it may have been under way");
        pause(301).await;
        client.get("/repos/c/d").await;
        assert_eq!(origin.score().api(Api::Github).pause_violations, 1);
        client.get("/search/repositories?q=a").await;
        let search = origin.score().api(Api::GithubSearch);
        assert_eq!(search.pause_violations, 0, "search has a limit of its own");

        client.get("/anything/y").await;
        client.get("/anything/x").await;
        let score = origin.score().api(Api::External);
        assert_eq!(score.pause_violations, 0, "a 503 means its own request");
        assert_eq!(score.early_retries, 1);
    });
}

#[test]
fn a_scripted_wait_is_scored() {
    run(async {
        let reply = Reply::new(StatusCode::TOO_MANY_REQUESTS)
            .header("retry-after", "0.05")
            .wait(Duration::from_millis(50));
        let script = Script::new().on("/anything", [Answer::Reply(reply), Answer::Serve]);
        let (origin, client) = start(StrictOrigin::builder().script(script)).await;
        client.get("/anything").await;
        pause(51).await;
        assert_eq!(client.get("/anything").await.status, StatusCode::OK);
        let score = origin.score().api(Api::External);
        assert_eq!(
            (score.early_retries, score.retries, score.faulted),
            (0, 1, 0)
        );
    });
}

#[test]
fn too_many_at_once_are_a_secondary_limit() {
    run(async {
        let (origin, _) =
            start(StrictOrigin::builder().github("100/1s,concurrent=2".parse().unwrap())).await;
        let client = Client::http2(&origin);
        // A slow upload keeps a request waiting for its response head.
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(support::hold_upload(&origin, "/repos/a/b"));
        }
        eventually("two wait", || origin.score().waiting_for_headers_now == 2).await;
        let refused = client.get("/repos/a/b").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert_eq!(refused.header("retry-after"), Some("1"));
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(
            message.starts_with("You have exceeded a secondary rate limit"),
            "{message}"
        );
        let score = origin.score().api(Api::Github);
        assert_eq!(
            (
                score.secondary_limited,
                score.over_limit,
                score.peak_waiting
            ),
            (1, 0, 3)
        );
    });
}

#[test]
fn scarce_header_slots_hold_or_refuse() {
    run(async {
        let six = NonZeroUsize::new(6).unwrap();
        for slots in [HeaderSlots::Hold(six), HeaderSlots::Refuse(six)] {
            let (origin, client) = start(StrictOrigin::builder().header_slots(slots)).await;
            let begin = Instant::now();
            let requests = (0..8).map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.get("/delay/200").await.status.as_u16() })
            });
            let mut statuses = Vec::new();
            for request in requests.collect::<Vec<_>>() {
                statuses.push(request.await.unwrap());
            }
            statuses.sort_unstable();
            let score = origin.score();
            match slots {
                HeaderSlots::Hold(_) => {
                    assert_eq!(statuses, [200; 8]);
                    assert_eq!((score.held_for_slot, score.refused_for_slot), (2, 0));
                    assert_eq!(
                        score.peak_waiting_for_headers, 8,
                        "those that are held wait too"
                    );
                    assert!(begin.elapsed() >= Duration::from_millis(400), "two rounds");
                }
                _ => {
                    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 503, 503]);
                    assert_eq!((score.held_for_slot, score.refused_for_slot), (0, 2));
                }
            }
        }
    });
}
