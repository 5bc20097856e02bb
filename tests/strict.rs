//! The whole stack against the strict origin, over real sockets: no rule of the server is ever broken.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]
#![cfg(not(target_arch = "wasm32"))]

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{num::NonZeroUsize, time::Duration};
use strict_origin::{Api as Origin, FaultPlan, Reply, Script, StrictOrigin};
use tower_egress::{
    Api, Egress, EgressService, FetchExt, Quota, ReplayBody, TokioTimer, batch_fetch,
};

type Http = Client<hyper_util::client::legacy::connect::HttpConnector, ReplayBody<Full<Bytes>>>;
type Stack = EgressService<Http, hyper::body::Incoming, TokioTimer, tower_egress::TokioExecutor>;

/// A stack for an origin that permits `limit` in a period, with a hundredth of head-room: what departs evenly does not arrive so.
fn stack(
    origin: &StrictOrigin,
    limit: u32,
    period: Duration,
    burst: u32,
) -> (Egress<TokioTimer, tower_egress::TokioExecutor>, Stack) {
    let quota = Quota::new(limit, period + period / 100).unwrap();
    let authority = origin.addr().to_string().parse().unwrap();
    let egress = Egress::builder()
        .concurrency(6)
        .executor(tower_egress::TokioExecutor::new())
        .api(
            Api::github()
                .at(&authority)
                .with_quota(quota.with_burst(burst).unwrap()),
        )
        .build();
    let client = egress.layer(Client::builder(TokioExecutor::new()).build_http());
    (egress, client)
}

fn repositories(origin: &StrictOrigin, count: usize) -> Vec<Request<Full<Bytes>>> {
    let one = |number| Request::get(format!("{}/repos/owner/name-{number}", origin.url()));
    (0..count)
        .map(|number| one(number).body(Full::default()).unwrap())
        .collect()
}

const AT_ONCE: NonZeroUsize = NonZeroUsize::new(40).unwrap();

#[tokio::test]
async fn a_flood_of_calls_breaks_no_limit() {
    let rule = "300/1s,burst=10".parse().unwrap();
    let origin = StrictOrigin::builder().github(rule).start().await.unwrap();
    let (egress, client) = stack(&origin, 300, Duration::from_secs(1), 10);
    let results = batch_fetch(&client, repositories(&origin, 700), AT_ONCE)
        .into_vec()
        .await;
    assert_eq!(
        results
            .iter()
            .flatten()
            .filter(|r| r.status() == 200)
            .count(),
        700
    );
    assert!(egress.status().connections.peak <= 6);
    let score = origin.shutdown().await;
    assert_eq!(score.complaints(), Vec::<String>::new());
    assert!(score.peak_waiting_for_headers <= 6);
    assert_eq!(score.unique_paths_served, 700);
}

/// T7: one 429 pauses everybody, those who wait already, too.
#[tokio::test]
async fn forty_callers_meet_one_429_and_not_forty() {
    let throttled = Reply::new(http::StatusCode::TOO_MANY_REQUESTS)
        .header("retry-after", "1")
        .wait(Duration::from_secs(1));
    let origin = StrictOrigin::builder()
        .github("1000/1s".parse().unwrap())
        .script(Script::new().on("/repos/owner/name-0", [throttled]))
        .start()
        .await
        .unwrap();
    let (egress, client) = stack(&origin, 100, Duration::from_secs(1), 1);
    let results = batch_fetch(&client, repositories(&origin, 40), AT_ONCE)
        .into_vec()
        .await;
    assert!(
        results
            .iter()
            .all(|r| r.as_ref().is_ok_and(|r| r.status() == 200))
    );
    let score = origin.shutdown().await;
    assert_eq!(score.complaints(), Vec::<String>::new());
    assert_eq!(score.by_status.get(&429), Some(&1));
    assert_eq!(egress.status().retries.retries, 1);
}

#[tokio::test]
async fn with_a_tenth_of_faults_everything_is_served_or_accounted_for() {
    let origin = StrictOrigin::builder()
        .github("2000/1s".parse().unwrap())
        .faults(
            FaultPlan::mixed(7, 0.1)
                .with_wait(Duration::from_millis(50))
                .with_error_size(64 * 1024),
        )
        .start()
        .await
        .unwrap();
    let (egress, client) = stack(&origin, 2000, Duration::from_secs(1), 50);
    let results = batch_fetch(&client, repositories(&origin, 150), AT_ONCE)
        .into_vec()
        .await;
    assert_eq!(results.len(), 150);
    let served = results
        .iter()
        .flatten()
        .filter(|r| r.status() == 200)
        .count();
    let failed: Vec<_> = results
        .iter()
        .filter_map(|r| r.as_ref().err())
        .map(ToString::to_string)
        .collect();
    let refused = results
        .iter()
        .flatten()
        .filter(|r| r.status() != 200)
        .count();
    assert_eq!(served + failed.len() + refused, 150);
    assert!(
        served >= 140,
        "{served} served; {refused} refused; {failed:?}"
    );
    let status = egress.status();
    assert_eq!((status.connections.active, status.bodies.live), (0, 0));
    let score = origin.shutdown().await;
    assert!(score.faults_injected() > 5, "{score}");
    let github = score.api(Origin::Github);
    assert_eq!((github.over_limit, github.early_retries), (0, 0), "{score}");
    assert_eq!(score.repeated_writes, 0);
}

/// K2, B3: error bodies free their connections before the caller sees them.
#[tokio::test]
async fn unread_error_responses_hold_no_connection() {
    let origin = StrictOrigin::builder()
        .github("1000/1s".parse().unwrap())
        .start()
        .await
        .unwrap();
    let (egress, client) = stack(&origin, 1000, Duration::from_secs(1), 100);
    let mut kept = Vec::new();
    for _ in 0..10 {
        let missing = client.get(format!("{}/status/404", origin.url()));
        kept.push(missing.send().await.unwrap());
    }
    assert!(kept.iter().all(|response| response.status() == 404));
    assert_eq!(egress.status().connections.active, 0);
    origin.shutdown().await;
}
