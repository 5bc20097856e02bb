//! The whole stack against the strict origin, over real sockets: no rule of the server is ever broken.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]
#![cfg(not(target_arch = "wasm32"))]

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{error::Error as _, io, net::SocketAddr, time::Duration};
use strict_origin::{Api as Origin, FaultKind, FaultPlan, Reply, Script, StrictOrigin};
use tower_egress::{
    Api, Egress, Error, ErrorClass, ErrorKind, FetchExt, GaveUp, Policy, ReplayBody, TokioTimer,
    batch_fetch, classify,
};

#[path = "support/flood.rs"]
mod flood;

use flood::{AT_ONCE, repositories, stack};

/// The adapter that people copy.
#[path = "../examples/reqwest_client.rs"]
#[allow(dead_code, reason = "its `main` is run as an example")]
mod reqwest_client;

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

/// A port where nobody listens: it was free a moment ago.
fn closed_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn unlimited() -> Egress<TokioTimer> {
    Egress::builder()
        .otherwise(Api::external().without_quota())
        .build()
}

/// B2: what failed before it was sent may be repeated, whatever its method.
#[tokio::test]
async fn a_post_is_tried_again_when_its_connection_was_refused() {
    let url = format!("http://{}/", closed_port());
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let error = unlimited().layer(hyper).post(&url).body("x").send().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(
        (error.attempts(), error.gave_up()),
        (4, Some(GaveUp::Exhausted)),
        "{error:?}"
    );
    let reqwest = reqwest_client::Reqwest(reqwest::Client::builder().no_proxy().build().unwrap());
    let error = unlimited().layer(reqwest).post(&url).body("x").send().await;
    assert_eq!(error.unwrap_err().attempts(), 4);
}

/// B2: the same, where no `io::Error` says that nothing was sent, but hyper's client does.
#[tokio::test]
async fn a_post_is_tried_again_when_its_host_was_not_found() {
    let resolver = tower::service_fn(async |_| {
        Err::<std::vec::IntoIter<SocketAddr>, _>(io::Error::other("no such host"))
    });
    let connector = HttpConnector::new_with_resolver(resolver);
    let hyper = Client::builder(TokioExecutor::new()).build(connector);
    let client = unlimited().layer(hyper.clone());
    let error = client.post("http://example.com/").body("x").send().await;
    assert_eq!(error.unwrap_err().attempts(), 4);

    // A policy of one's own does the same if it is told to.
    let request = Request::post("http://example.com/")
        .body(ReplayBody::<Full<Bytes>>::buffered(Bytes::new()));
    let error = hyper.request(request.unwrap()).await.unwrap_err().into();
    assert_eq!(ErrorClass::of(&error), ErrorClass::Transient);
    assert_eq!(classify(&error), ErrorClass::BeforeSend);
    let egress = Egress::builder()
        .otherwise(Api::external().without_quota())
        .retry(Policy::new().with_max_retries(1).with_classify(classify))
        .build();
    let client = egress.layer(hyper);
    let error = client.post("http://example.com/").body("x").send().await;
    assert_eq!(error.unwrap_err().attempts(), 2);
}

/// B2: what may have been sent is not.
#[tokio::test]
async fn a_post_whose_answer_was_lost_is_not_tried_again() {
    let origin = StrictOrigin::builder()
        .script(Script::new().on("/items/1", [FaultKind::ResetBeforeHeaders]))
        .start()
        .await
        .unwrap();
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let post = unlimited()
        .layer(hyper)
        .post(format!("{}/items/1", origin.url()));
    let error = post.body("x").send().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 1));
    assert_eq!(origin.shutdown().await.requests, 1);
}

/// Everything that a program would write into its log.
fn logged(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}

#[tokio::test]
async fn no_secret_is_in_an_error_of_the_connection() {
    const SECRET: &str = "hunter2";
    let origin = StrictOrigin::builder()
        .script(
            Script::new()
                .on("/reset", [FaultKind::ResetBeforeHeaders; 40])
                .on("/bytes/100", [FaultKind::TruncatedBody; 40]),
        )
        .start()
        .await
        .unwrap();
    let hyper = unlimited().layer(Client::builder(TokioExecutor::new()).build_http());
    let reqwest = reqwest::Client::builder().no_proxy().build().unwrap();
    let reqwest = unlimited().layer(reqwest_client::Reqwest(reqwest));
    let closed = format!("http://{}", closed_port());
    let nothing = "nothing://example.com".to_owned();
    for (place, path) in [
        (origin.url(), "/reset"),
        (origin.url(), "/bytes/100"),
        (&closed, "/"),
        (&nothing, "/"),
    ] {
        let (scheme, host) = place.split_once("://").unwrap();
        let url = format!("{scheme}://me:{SECRET}@{host}{path}?token={SECRET}");
        let error = hyper.get(&url).bearer(SECRET).text().await.unwrap_err();
        assert!(!logged(&error).contains(SECRET), "{}", logged(&error));
        let error = reqwest.get(&url).bearer(SECRET).text().await.unwrap_err();
        assert!(!logged(&error).contains(SECRET), "{}", logged(&error));
    }
}
