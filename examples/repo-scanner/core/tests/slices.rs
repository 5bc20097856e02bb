//! Scans that are cut into slices, each with a budget.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use egress_time::{Clock, ManualTimer};
use http::Request;
use http_body_util::Full;
use repo_scanner_core::{
    Budget, Budgeted, BudgetedDatabase, Ended, GitHub, Job, Operations, ScanOptions, Scanner,
    Slice, Store,
};
use std::{future::pending, num::NonZeroUsize, time::Duration};
use support::{Server, names, with_database};
use tower_egress::{Api, Egress, monitor::Monitor, sql::sqlite::Sqlite};
use tower_service::Service;

/// Far longer than a test takes: virtual time stands still.
const LONG: Duration = Duration::from_secs(3600);

/// Works on a scan of so many in slices with this budget. Returns what each slice has used of it, and how each ended.
async fn worked(
    database: &Sqlite,
    server: &Server,
    count: usize,
    operations: Operations,
) -> Vec<(Operations, Ended)> {
    let timer = ManualTimer::new();
    let monitor = Monitor::new(timer.clone());
    let budget = Budget::unlimited();
    let budgeted = BudgetedDatabase::new(database.clone(), Some(budget.clone()));
    let store = Store::open(budgeted, timer.clone(), monitor).await.unwrap();
    let egress = Egress::builder_on(timer.clone())
        .otherwise(Api::external().without_quota())
        .queue_timeout(None)
        .build();
    let client = egress.layer(Budgeted::new(server.clone(), budget.clone()));
    let github = GitHub::new(client, &"http://example.com".parse().unwrap());
    let mut options = ScanOptions::default();
    options.at_once = NonZeroUsize::new(4).unwrap();
    let scanner = Scanner::new(github, timer.clone(), options);
    let job = Job::new(scanner, store.clone(), timer.clone())
        .with_batch_wait(LONG)
        .with_budget(budget.clone());
    let scan = store.begin_scan("list", names(count)).await.unwrap();
    let mut slices = Vec::new();
    loop {
        budget.refill(operations);
        let (_, ended) = job.work(scan, Slice::default(), |_| {}, pending()).await;
        let ended = ended.unwrap();
        let left = budget.left();
        let used = Operations {
            fetches: operations.fetches - left.fetches,
            statements: operations.statements - left.statements,
        };
        slices.push((used, ended.clone()));
        assert!(slices.len() < 1000, "it goes on for ever");
        if ended != Ended::SliceOver {
            assert_eq!(timer.now(), ManualTimer::new().now(), "nobody waited");
            return slices;
        }
    }
}

const PLENTY: u32 = 100_000;

#[test]
fn a_slice_ends_before_its_fetches_are_spent_and_nothing_is_fetched_twice() {
    with_database(async |database, server| {
        let operations = Operations {
            fetches: 50,
            statements: PLENTY,
        };
        let slices = worked(&database, &server, 200, operations).await;
        assert_eq!(slices.last().unwrap().1, Ended::Finished);
        // All but as many as are under way at a time.
        assert!(slices.len() >= 4 && slices.len() <= 6, "{slices:?}");
        assert!(server.asked().values().all(|&count| count == 1));
        assert_eq!(server.asked().len(), 200);
    });
}

#[test]
fn a_slice_ends_before_its_statements_are_spent() {
    with_database(async |database, server| {
        let operations = Operations {
            fetches: PLENTY,
            statements: 40,
        };
        let slices = worked(&database, &server, 2000, operations).await;
        assert_eq!(slices.last().unwrap().1, Ended::Finished);
        for (used, _) in &slices {
            assert!(used.statements < 40, "{slices:?}");
        }
        assert_eq!(server.asked().len(), 2000);
        assert!(server.asked().values().all(|&count| count == 1));
    });
}

#[test]
fn what_comes_last_is_stored_without_waiting_for_others() {
    // `worked` asserts that the clock stands where it stood, and a batch would wait for an hour.
    with_database(async |database, server| {
        let unlimited = Operations::UNLIMITED;
        for count in [1, 3, 127, 128, 129, 300] {
            let slices = worked(&database, &server, count, unlimited).await;
            assert_eq!(slices.len(), 1);
        }
    });
}

#[test]
fn a_fetch_that_nothing_is_left_for_is_not_sent_and_ends_the_slice() {
    let budget = Budget::unlimited();
    budget.refill(Operations {
        fetches: 1,
        statements: 0,
    });
    let mut client = Budgeted::new(Server::default(), budget.clone());
    let request = || Request::get("/repos/a/b").body(Full::<bytes::Bytes>::default());
    let mut call = || polled(client.call(request().unwrap()));
    assert!(call().is_some(), "there was one left");
    assert!(polled(budget.spent()).is_none(), "none was wanted");
    assert!(call().is_none(), "there is none left");
    assert!(polled(budget.spent()).is_some());
    budget.refill(Operations::UNLIMITED);
    assert!(polled(budget.spent()).is_none());
}

/// Polls a future some times.
fn polled<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    (0..10).find_map(|_| match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    })
}
