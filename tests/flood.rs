//! More calls than a limit has room for, over real sockets. In a file of its own, since tests beside it would take the processor from
//! the clock that paces the requests, and the server counts to the request.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what is looked at is the machine's own clock"
)]
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/flood.rs"]
mod flood;

use flood::{AT_ONCE, repositories, stack};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use strict_origin::StrictOrigin;
use tower_egress::batch_fetch;

/// How often the machine may hold us up for longer than the head-room; what the server sees then says nothing.
const TRIES: usize = 4;

/// The head-room that the stack leaves for the way, of a window of a second.
const HEAD_ROOM: Duration = Duration::from_millis(10);

#[tokio::test]
async fn a_flood_of_calls_breaks_no_limit() {
    for left in (0..TRIES).rev() {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = thread::spawn({
            let stop = Arc::clone(&stop);
            move || longest_hold_up(&stop)
        });
        let complaints = flood().await;
        stop.store(true, Relaxed);
        let held_up = watch.join().unwrap();
        if left > 0 && !complaints.is_empty() && held_up > HEAD_ROOM {
            eprintln!("the machine stood still for {held_up:?}, once more: {complaints:?}");
            continue;
        }
        assert_eq!(complaints, Vec::<String>::new(), "held up {held_up:?}");
        return;
    }
}

/// Returns for how long a thread that only sleeps was not run at most.
fn longest_hold_up(stop: &AtomicBool) -> Duration {
    const SLEEP: Duration = Duration::from_millis(1);
    let mut longest = Duration::ZERO;
    while !stop.load(Relaxed) {
        let before = Instant::now();
        thread::sleep(SLEEP);
        longest = longest.max(before.elapsed().saturating_sub(SLEEP));
    }
    longest
}

/// Sends 700 requests where 300 are permitted in a second; returns what the server has to complain of.
async fn flood() -> Vec<String> {
    let rule = "300/1s,burst=10".parse().unwrap();
    let origin = StrictOrigin::builder().github(rule).start().await.unwrap();
    let (egress, client) = stack(&origin, 300, Duration::from_secs(1), 10);
    let results = batch_fetch(&client, repositories(&origin, 700), AT_ONCE);
    let results = results.into_vec().await;
    let served = results.iter().flatten().filter(|r| r.status() == 200);
    assert_eq!(served.count(), 700);
    assert!(egress.status().connections.peak <= 6);
    let score = origin.shutdown().await;
    assert!(score.peak_waiting_for_headers <= 6);
    assert_eq!(score.unique_paths_served, 700);
    score.complaints()
}
