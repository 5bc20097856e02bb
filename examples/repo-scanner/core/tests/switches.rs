//! What a flag switches off is off, at once, and nothing is lost by it.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use egress_time::ManualTimer;
use repo_scanner_core::{Slice, StoreError};
use std::{cell::Cell, future::pending, time::Duration};
use support::{
    Process, a_moment, get, names, scanned, site,
    switched::{Counted, Switched, with_switched},
    with_database,
};
use tower_egress::{Clock, monitor::Outcome as Ended};

#[test]
fn without_streaming_all_rows_are_one_answer_that_states_its_length() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        scanned(&process, 1_000).await;
        let switched = Switched::start(Counted::new(&database), &server).await;
        let site = switched.site();
        let mut answers = Vec::new();
        for (streaming, reads) in [(true, 6), (false, 1)] {
            switched.set(&format!(r#"{{"streaming": {streaming}}}"#));
            let before = switched.database.reads();
            let answer = get(&site, "/api/repos").await;
            // Of 200 rows each, and one that has none.
            assert_eq!(switched.database.reads() - before, reads, "{streaming}");
            let length = answer.header("content-length").map(str::to_owned);
            let whole = answer.body.len().to_string();
            assert_eq!(length, (!streaming).then_some(whole));
            answers.push(answer.body);
        }
        assert_eq!(answers[0], answers[1]);
        // A page is whole by its kind.
        let page = get(&site, "/api/repos?limit=20").await;
        assert_eq!(page.json().as_array().unwrap().len(), 20);
        assert!(page.header("link").is_some());
    });
}

#[test]
fn without_streaming_the_list_of_a_scan_is_read_whole() {
    with_switched(async |switched, server| {
        for (streaming, reads) in [(true, 1_000_u64.div_ceil(256) + 1), (false, 2)] {
            switched.set(&format!(r#"{{"streaming": {streaming}}}"#));
            switched.scans.begin("list", names(1_000)).await.unwrap();
            let before = switched.database.lists();
            switched.work(|_| {}).await;
            assert_eq!(switched.database.lists() - before, reads, "{streaming}");
        }
        assert!(server.asked().values().all(|times| *times == 2));
        assert_eq!(server.asked().len(), 1_000);
    });
}

#[test]
fn a_list_that_is_read_whole_in_the_middle_is_done_once() {
    with_switched(async |switched, server| {
        switched.scans.begin("list", names(3_000)).await.unwrap();
        let stored = Cell::new(0_u32);
        let before = switched.database.lists();
        switched
            .work(|_| {
                stored.set(stored.get() + 1);
                switched.set(match stored.get() {
                    0..500 => "{}",
                    _ => r#"{"streaming": false}"#,
                });
            })
            .await;
        let reads = switched.database.lists() - before;
        assert!((3..10).contains(&reads), "{reads} of 13");
        assert_eq!((stored.get(), server.asked().len()), (3_000, 3_000));
        assert!(server.asked().values().all(|times| *times == 1));
    });
}

#[test]
fn without_monitoring_no_operation_is_in_the_figures() {
    with_switched(async |switched, _| {
        let runs = || switched.monitor.report().overall().count();
        switched.scans.begin("list", names(300)).await.unwrap();
        let before = runs();
        switched.set(r#"{"monitoring": false}"#);
        let stored = Cell::new(0_u32);
        switched.work(|_| stored.set(stored.get() + 1)).await;
        assert_eq!((runs(), stored.get()), (before, 300));
        switched.set("{}");
        switched.scans.begin("list", names(300)).await.unwrap();
        assert!(runs() > before);
        switched.set(r#"{"monitoring": 50}"#);
        let before = runs();
        for _ in 0..400 {
            switched.store.running_scan().await.unwrap();
        }
        let counted = runs() - before;
        assert!((140..260).contains(&counted), "{counted} of 400");
        let status = switched.egress.status().flags;
        let flag = &status.flags["monitoring"];
        assert_eq!((flag.on.ever, flag.off.ever), (counted, 400 - counted));
    });
}

/// A database that does not answer holds nobody up, in the figures or not.
#[test]
fn without_monitoring_an_operation_is_timed_out_all_the_same() {
    for monitoring in [true, false] {
        let mut kept = None;
        with_switched(async |switched, _| kept = Some(switched));
        let switched = kept.unwrap();
        switched.set(&format!(r#"{{"monitoring": {monitoring}}}"#));
        switched.database.fall_silent();
        let timer: &ManualTimer = &switched.timer;
        let began = timer.now();
        let error = timer.run(switched.store.running_scan()).unwrap_err();
        let StoreError::TimedOut { operation } = error else {
            panic!("{error}")
        };
        assert_eq!(operation, "db: read scan");
        assert_eq!(timer.now() - began, Duration::from_secs(30));
        let report = switched.monitor.report();
        let figures = &report.operations["db: read scan"].lifetime;
        assert_eq!(figures.outcome(Ended::TimedOut), u64::from(monitoring));
    }
}

/// All flags at random, again and again while it works, and dropped and begun anew as well.
#[test]
fn whatever_is_switched_in_the_middle_nothing_is_lost() {
    let mut seed = 7_u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    for _ in 0..6 {
        with_switched(async |switched, server| {
            switched.scans.begin("list", names(1_500)).await.unwrap();
            for polls in [20, 60, usize::MAX] {
                let work = async {
                    let work = switched.scans.work(Slice::default(), |_| {}, pending());
                    work.await.unwrap();
                };
                let flip = async {
                    for _ in 0..polls {
                        let percent = [random(), random(), random()].map(|n| match n % 4 {
                            0 => 0,
                            1 => 100,
                            _ => n % 101,
                        });
                        let [batching, streaming, monitoring] = percent;
                        switched.set(&format!(
                            r#"{{"batching": {batching}, "streaming": {streaming}, "monitoring": {monitoring}}}"#
                        ));
                        a_moment().await;
                    }
                };
                let (work, flip) = (std::pin::pin!(work), std::pin::pin!(flip));
                futures_util::future::select(work, flip).await;
            }
            let status = switched.scans.status().await.unwrap();
            assert_eq!((status.scanned, status.remaining), (1_500, 0));
            assert_eq!((status.failed, status.unchanged), (0, 0));
            assert_eq!(server.asked().len(), 1_500);
            let site = site(
                &Process::start(switched.database.inner(), &server).await,
                None,
            );
            let all = get(&site, "/api/repos").await.json();
            assert_eq!(all.as_array().unwrap().len(), 1_500);
        });
    }
}
