//! What happens while a list is written that is longer than a transaction.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use futures_util::FutureExt;
use repo_scanner_core::{Begun, ScanState};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};
use support::{Process, ask, get, names, site, with_database};
use tower_egress::sql::{DatabaseExt, Statement, sqlite::Sqlite};

const LONG: usize = 30_000;

async fn count(database: &Sqlite, of: &str) -> u64 {
    let count = Statement::new(format!("SELECT count(*) FROM {of}"));
    database.first_as(count).await.unwrap().unwrap()
}

/// Lets a list be written, a statement at a time, until there is one of these rows.
async fn written<F: Future + Unpin>(database: &Sqlite, begin: &mut F, rows: &str) {
    while count(database, rows).await == 0 {
        let polled = poll_fn(|cx| Poll::Ready(begin.poll_unpin(cx)));
        assert!(polled.await.is_pending(), "the whole list is written");
    }
}

/// It was answered that the scan ends, and then it began.
#[test]
fn a_scan_that_is_ended_while_its_list_is_written_does_not_begin() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let mut begin = pin!(process.scans.begin("list", names(LONG)));
        written(&database, &mut begin, "scans WHERE id = 1").await;
        let site = site(&process, None);
        let ended = ask(&site, "DELETE", "/api/scan", &[], "").await;
        assert_eq!(ended.json()["state"], "interrupted");
        // Whoever began it is not told of another list.
        assert!(matches!(begin.await, Ok(Begun::New(1))));
        assert_eq!(process.store.running_scan().await.unwrap(), None);
        let status = process.scans.status().await.unwrap();
        assert_eq!(status.state, ScanState::Interrupted);
        assert_eq!(count(&database, "scan_targets").await, 0);
        assert_eq!(get(&site, "/api/scan").await.json()["state"], "interrupted");
    });
}

/// Rows of a scan that is gone stayed for ever: nobody looked for them.
#[test]
fn what_two_crashes_left_of_two_lists_does_not_stay() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        {
            let mut one = pin!(process.scans.begin("one", names(LONG)));
            written(&database, &mut one, "scans WHERE id = 1").await;
            let mut other = pin!(process.scans.begin("other", names(LONG)));
            written(&database, &mut other, "scans WHERE id = 2").await;
            // The first one is still at it, and writes for nobody; then both crash.
            for _ in 0..2 {
                if poll_fn(|cx| Poll::Ready(one.poll_unpin(cx)))
                    .await
                    .is_ready()
                {
                    break;
                }
                count(&database, "scans").await;
            }
        }
        process.scans.begin("last", names(3)).await.unwrap();
        assert_eq!(count(&database, "scan_targets").await, 3);
        let orphans = "scan_targets WHERE scan NOT IN (SELECT id FROM scans)";
        assert_eq!(count(&database, orphans).await, 0);
    });
}

/// The slower one was told that a scan of another list had begun.
#[test]
fn who_began_the_same_list_a_moment_earlier_joins_whoever_took_over() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let mut one = pin!(process.scans.begin("list", names(LONG)));
        written(&database, &mut one, "scans WHERE id = 1").await;
        let mut other = pin!(process.scans.begin("list", names(LONG)));
        written(&database, &mut other, "scans WHERE id = 2").await;
        assert!(matches!(one.await, Ok(Begun::Joined(2))));
        assert!(matches!(other.await, Ok(Begun::New(2))));
        let status = process.scans.status().await.unwrap();
        assert_eq!(status.total, 30_000);
        assert_eq!(count(&database, "scan_targets").await, 30_000);
    });
}

/// A client that sends a list may go away at any moment.
#[test]
fn a_list_that_is_given_up_anywhere_leaves_nothing_in_the_way() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        for steps in 0.. {
            let list = format!("list {steps}");
            let mut begin = Box::pin(process.scans.begin(&list, names(12_000)));
            let mut done = false;
            for _ in 0..steps {
                done = poll_fn(|cx| Poll::Ready(begin.poll_unpin(cx)))
                    .await
                    .is_ready();
                if done {
                    break;
                }
                count(&database, "scans").await;
            }
            // What it had asked the database for is done, and no more.
            drop(begin);
            let running = process.store.running_scan().await.unwrap();
            let targets = count(&database, "scan_targets").await;
            if running.is_some() {
                assert_eq!(targets, 12_000, "after {steps} steps");
            }
            process.scans.end().await.unwrap();
            assert_eq!(count(&database, "scan_targets").await, 0);
            if done {
                // How many there are depends on how often the database answers within a step.
                assert!(steps > 1, "{steps}");
                break;
            }
        }
        process.scans.begin("last", names(3)).await.unwrap();
        assert_eq!(process.scans.status().await.unwrap().total, 3);
    });
}
