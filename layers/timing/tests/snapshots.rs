//! Snapshots merge, and survive a journey.
#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not know these for tests on wasm"
    )
)]

mod probe;

use self::probe::{millis, pass};
use bytes::Bytes;
use egress_time::{Clock, ManualTimer};
use egress_timing::{Outcome, Phase, Recorder, Snapshot, TimingLayer};
use http::{Method, Request, Response, Uri};
use http_body_util::Empty;
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Records requests that took so many milliseconds each.
fn record(
    recorder: &Recorder,
    label: Option<usize>,
    took: impl IntoIterator<Item = u64>,
) -> Snapshot {
    let timer = ManualTimer::new();
    for took in took {
        let server = service_fn(|_: Request<()>| async {
            pass(&timer, millis(took)).await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let layer = TimingLayer::new(timer.clone(), recorder.clone())
            .with_label(move |_: &Method, _: &Uri| label);
        assert!(
            timer
                .run(layer.layer(server).oneshot(Request::new(())))
                .is_ok()
        );
    }
    recorder.snapshot(timer.now())
}

/// M2: two programs, whose percentiles cannot be averaged.
#[test]
fn merged_percentiles_are_those_of_all_requests() {
    let fast = record(&Recorder::new(["github"]), Some(0), [10; 990]);
    let slow = record(
        &Recorder::new(["anthropic", "github"]),
        Some(1),
        [2000; 110],
    );
    let mut both = fast.clone();
    both.merge(&slow);
    let github = both.label("github").unwrap().lifetime();
    assert_eq!((github.requests(), github.attempts()), (1100, 1100));
    assert_eq!(github.outcome(Outcome::Ok), 1100);
    let total = github.phase(Phase::Total);
    assert!(total.p50().unwrap() < millis(11));
    assert!(
        total.per_mille(900).unwrap() < millis(11),
        "990 of 1100 were fast"
    );
    assert!(total.p95().unwrap() > millis(1980));
    assert_eq!(
        both.label("anthropic").unwrap().lifetime().requests(),
        0,
        "labels of either are kept"
    );
    let mut other_way = slow;
    other_way.merge(&fast);
    assert_eq!(other_way.label("github"), both.label("github"));
    assert_eq!(other_way.overall(), both.overall());
}

/// M2: what is merged with nothing stays, minute and lifetime apart.
#[test]
fn nothing_changes_nothing() {
    let some = record(&Recorder::new(["github"]), Some(0), [10, 20, 30]);
    let mut merged = some.clone();
    merged.merge(&Snapshot::default());
    assert_eq!(merged, some);
    let mut merged = Snapshot::default();
    merged.merge(&some);
    assert_eq!(merged, some);
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_survives_a_journey() {
    let there = record(&Recorder::new(["github"]), Some(0), 1..50);
    let json = serde_json::to_string(&there).unwrap();
    let back: Snapshot = serde_json::from_str(&json).unwrap();
    assert_eq!(back, there);
}

/// What is read may come from anywhere: no order, no size and no sum in it may break anything.
#[cfg(feature = "serde")]
#[test]
fn a_hostile_distribution_is_put_in_order() {
    use egress_timing::Distribution;
    let json = "[[65535,2],[3,0],[9,18446744073709551615],[1,1],[9,5],[2047,1]]";
    let mut hostile: Distribution = serde_json::from_str(json).unwrap();
    assert_eq!(
        serde_json::to_string(&hostile).unwrap(),
        "[[1,1],[9,18446744073709551615],[2047,3]]"
    );
    let copy = hostile.clone();
    hostile.merge(&copy);
    assert_eq!(hostile.count(), u64::MAX);
    assert!(hostile.mean().is_some() && hostile.p99() <= hostile.max());
}
