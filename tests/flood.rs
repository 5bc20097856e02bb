//! More calls than a limit has room for, over real sockets. In a file of its own, since tests beside it would take the processor from
//! the clock that paces the requests, and the server counts to the request.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/flood.rs"]
mod flood;

use flood::{AT_ONCE, repositories, stack};
use std::time::Duration;
use strict_origin::StrictOrigin;
use tower_egress::batch_fetch;

#[tokio::test]
async fn a_flood_of_calls_breaks_no_limit() {
    let rule = "300/1s,burst=10".parse().unwrap();
    let origin = StrictOrigin::builder().github(rule).start().await.unwrap();
    let (egress, client) = stack(&origin, 300, Duration::from_secs(1), 10);
    let results = batch_fetch(&client, repositories(&origin, 700), AT_ONCE);
    let results = results.into_vec().await;
    let served = results.iter().flatten().filter(|r| r.status() == 200);
    assert_eq!(served.count(), 700);
    assert!(egress.status().connections.peak <= 6);
    let score = origin.shutdown().await;
    assert_eq!(score.complaints(), Vec::<String>::new());
    assert!(score.peak_waiting_for_headers <= 6);
    assert_eq!(score.unique_paths_served, 700);
}
