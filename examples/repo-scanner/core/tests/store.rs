//! What is stored, on SQLite, in virtual time.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use egress_time::ManualTimer;
use repo_scanner_core::{
    BeginError, Failed, Metrics, Order, Outcome, Query, RepoName, Repository, ScanState, Scanned,
    Sort, Store, StoreError, Target,
};
use std::{convert::Infallible, time::Duration};
use tower_egress::{
    monitor::{Monitor, Outcome as Ended},
    sql::sqlite::Sqlite,
};

type Tested = Store<Sqlite, ManualTimer>;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// SQLite has a thread of its own, which virtual time does not know: so the operations of the store have no timeout here that could be met.
fn on_sqlite<F: Future>(test: impl FnOnce(Tested, ManualTimer) -> F) -> F::Output {
    let timer = ManualTimer::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let database = Sqlite::open_in_memory().await.unwrap();
        let monitor = Monitor::new(timer.clone());
        let store = Store::open(database, timer.clone(), monitor).await.unwrap();
        test(store, timer).await
    })
}

fn name(n: usize) -> RepoName {
    RepoName::parse(&format!("owner/name-{n:06}")).unwrap()
}

fn names(count: usize) -> impl Iterator<Item = Result<RepoName, Infallible>> {
    (0..count).map(|n| Ok(name(n)))
}

fn repository(name: &RepoName, stars: i64) -> Repository {
    Repository {
        id: i64::MAX,
        full_name: name.to_string(),
        description: Some("says \"hello\"; DROP TABLE repositories".to_owned()),
        language: Some("Rust".to_owned()),
        stars,
        forks: stars / 2,
        open_issues: 1,
        topics: vec!["a".to_owned(), "b,c".to_owned()],
        pushed_at: None,
    }
}

fn scanned(target: Target, stars: i64) -> Outcome {
    let repository = repository(&target.name, stars);
    let etag = Some(format!("\"{stars}\""));
    Outcome::Scanned(Scanned {
        target,
        repository,
        etag,
    })
}

#[test]
fn what_is_stored_is_not_to_do_any_more() {
    on_sqlite(async |store: Tested, _| {
        let scan = store.begin_scan("test", names(5)).await.unwrap();
        let targets = store.targets(scan, i64::MIN, 3).await.unwrap();
        assert_eq!(targets.len(), 3);
        assert_eq!(targets[2].name, name(2));
        let [first, second, third] = targets.try_into().unwrap();
        let failed = Failed {
            target: third,
            reason: "the server answered 404 Not Found".to_owned(),
        };
        let outcomes = [
            scanned(first, 10),
            Outcome::Unchanged(second),
            Outcome::Failed(failed),
        ];
        store.save(scan, &outcomes).await.unwrap();

        let left = store.targets(scan, i64::MIN, 10).await.unwrap();
        let left: Vec<_> = left.into_iter().map(|target| target.name).collect();
        assert_eq!(left, [name(3), name(4)]);
        let status = store.scan_status().await.unwrap();
        assert_eq!((status.total, status.remaining), (5, 2));
        assert_eq!((status.scanned, status.unchanged, status.failed), (1, 1, 1));
        assert_eq!(status.reasons["the server answered 404 Not Found"], 1);
        let found = store.repository(&name(0)).await.unwrap().unwrap();
        assert_eq!((found.id, found.stars, found.forks), (i64::MAX, 10, 5));
        assert_eq!(found.topics, ["a", "b,c"]);
        assert_eq!(store.repository(&name(1)).await.unwrap(), None);
    });
}

#[test]
fn one_scan_at_a_time_and_what_a_crash_left_is_begun_anew() {
    on_sqlite(async |store: Tested, _| {
        let list = (0..7000).map(|n| match n {
            6999 => Err("the list broke off"),
            n => Ok(name(n)),
        });
        let error = store.begin_scan("broken", list).await.unwrap_err();
        assert!(matches!(error, BeginError::List("the list broke off")));
        assert_eq!(store.running_scan().await.unwrap(), None);
        assert_eq!(store.scan_status().await.unwrap().id, None);

        let scan = store.begin_scan("mine", names(2)).await.unwrap();
        let running = store.running_scan().await.unwrap().unwrap();
        assert_eq!((running.id, running.list.as_str()), (scan, "mine"));
        let error = store.begin_scan("other", names(2)).await.unwrap_err();
        assert!(matches!(
            error,
            BeginError::Store(StoreError::ScanIsRunning)
        ));
        store
            .note_scan(scan, DAY, ScanState::Finished, None)
            .await
            .unwrap();
        assert!(store.begin_scan("other", names(2)).await.unwrap() > scan);
        assert_eq!(store.scan_status().await.unwrap().remaining, 2);
    });
}

#[test]
fn history_has_each_change_for_ninety_days() {
    on_sqlite(async |store: Tested, timer: ManualTimer| {
        let scan = store.begin_scan("test", names(100)).await.unwrap();
        for day in 0..100 {
            let targets = store.targets(scan, i64::MIN, 1).await.unwrap();
            let outcome = match targets.into_iter().next() {
                Some(mut target) => {
                    target.name = name(7);
                    scanned(target, day)
                }
                None => panic!("a hundred are to do"),
            };
            store.save(scan, &[outcome]).await.unwrap();
            timer.advance(DAY);
        }
        let history = store.history(&name(7)).await.unwrap();
        assert_eq!(history.len(), 100);
        assert!(history.is_sorted_by_key(|moment| moment.at));
        assert_eq!(store.delete_old().await.unwrap(), 10);
        let history = store.history(&name(7)).await.unwrap();
        assert_eq!((history.len(), history[0].stars), (90, 10));

        let metrics = |n, stars| Metrics {
            name: name(n),
            stars,
            forks: 1,
            open_issues: 2,
        };
        store
            .update_metrics(&[metrics(7, 1000), metrics(8, 1)])
            .await
            .unwrap();
        let found = store.repository(&name(7)).await.unwrap().unwrap();
        assert_eq!((found.stars, found.open_issues), (1000, 2));
        assert_eq!(store.history(&name(7)).await.unwrap().len(), 91);
        assert!(store.history(&name(8)).await.unwrap().is_empty());
    });
}

#[test]
fn repositories_are_found_in_order_page_by_page() {
    on_sqlite(async |store: Tested, _| {
        let scan = store.begin_scan("test", names(450)).await.unwrap();
        let targets = store.targets(scan, i64::MIN, 1000).await.unwrap();
        // Many have equally many stars.
        let outcomes: Vec<_> = targets
            .into_iter()
            .zip(0..)
            .map(|(target, n)| scanned(target, n % 7))
            .collect();
        store.save(scan, &outcomes).await.unwrap();
        for sort in [Sort::Name, Sort::Stars, Sort::Forks, Sort::ScannedAt] {
            for order in [Order::Ascending, Order::Descending] {
                let mut query = Query::default();
                (query.sort, query.order) = (sort, order);
                let mut all = Vec::new();
                loop {
                    let page = store.find(&query, 37).await.unwrap();
                    let Some(last) = page.last() else { break };
                    query.after = Some(query.cursor(last).to_string().parse().unwrap());
                    all.extend(page);
                }
                assert_eq!(all.len(), 450, "{sort:?} {order:?}");
                let mut names: Vec<_> = all.iter().map(|found| found.name.clone()).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), 450, "{sort:?} {order:?}");
                let stars: Vec<_> = all.iter().map(|found| found.stars).collect();
                match (sort, order) {
                    (Sort::Stars, Order::Ascending) => assert!(stars.is_sorted()),
                    (Sort::Stars, _) => assert!(stars.iter().rev().is_sorted()),
                    _ => {}
                }
            }
        }
        let mut query = Query::default();
        query.text = Some("NAME-00044".to_owned());
        assert_eq!(store.find(&query, 100).await.unwrap().len(), 10);
        query.language = Some("rust".to_owned());
        assert_eq!(store.find(&query, 100).await.unwrap().len(), 10);
        query.text = Some("%".to_owned());
        assert!(store.find(&query, 100).await.unwrap().is_empty());
        let found = store
            .repositories(&[name(3), name(999_999), name(1)])
            .await
            .unwrap();
        let found: Vec<_> = found.into_iter().map(|found| found.name).collect();
        assert_eq!(found, [name(3).to_string(), name(1).to_string()]);
    });
}

#[test]
fn each_operation_is_watched() {
    on_sqlite(async |store: Tested, timer: ManualTimer| {
        let monitor = Monitor::new(timer.clone());
        let database = store.database().clone();
        let store = Store::open(database, timer, monitor.clone()).await.unwrap();
        let scan = store.begin_scan("test", names(1)).await.unwrap();
        let targets = store.targets(scan, i64::MIN, 1).await.unwrap();
        let outcomes: Vec<_> = targets.into_iter().map(Outcome::Unchanged).collect();
        store.save(scan, &outcomes).await.unwrap();
        let report = monitor.report();
        for operation in ["db: migrate", "db: save", "db: write scan", "db: read scan"] {
            let ok = report.operations[operation].lifetime.outcome(Ended::Ok);
            assert!(ok > 0, "{operation}");
        }
    });
}

/// A list may name it twice, and both may be stored at once.
#[test]
fn what_was_fetched_after_it_had_failed_has_failed_no_more() {
    on_sqlite(async |store: Tested, _| {
        for fails_first in [true, false] {
            let twice = [name(1), name(1)].map(Ok::<_, Infallible>);
            let scan = store.begin_scan("twice", twice).await.unwrap();
            let targets = store.targets(scan, i64::MIN, 3).await.unwrap();
            let [first, second] = targets.try_into().unwrap();
            let failed = |target| {
                Outcome::Failed(Failed {
                    target,
                    reason: "timed out".to_owned(),
                })
            };
            let outcomes = match fails_first {
                true => [failed(first), scanned(second, 10)],
                false => [scanned(first, 10), failed(second)],
            };
            store.save(scan, &outcomes).await.unwrap();
            let status = store.scan_status().await.unwrap();
            assert_eq!((status.scanned, status.failed), (1, 1));
            assert_eq!(status.reasons.is_empty(), fails_first, "{status:?}");
            let state = ScanState::Finished;
            assert!(store.note_scan(scan, DAY, state, None).await.unwrap());
        }
    });
}

/// Each that asked counted, all at once: a hundred tabs with a dashboard were a hundred counts.
#[test]
fn what_there_is_is_counted_by_one_at_a_time() {
    use futures_util::{FutureExt, future::join_all};
    on_sqlite(async |store: Tested, timer: ManualTimer| {
        let monitor = Monitor::new(timer.clone());
        let database = store.database().clone();
        let store = Store::open(database, timer.clone(), monitor.clone());
        let store = store.await.unwrap();
        let counts = || {
            let report = monitor.report();
            report.operations["db: count"].lifetime.count()
        };
        store.business().await.unwrap();
        let before = counts();
        timer.advance(DAY);
        let all = join_all((0..100).map(|_| store.business())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(counts() - before, 1);
        // Who counts may be given up, and is not waited for for ever.
        let given_up = (0..200).any(|_| {
            timer.advance(DAY);
            // Unless the database answers at once.
            store.business().now_or_never().is_none()
        });
        assert!(given_up);
        let before = counts();
        store.business().await.unwrap();
        assert_eq!(counts(), before, "it is what there was");
        timer.advance(Duration::from_secs(30));
        store.business().await.unwrap();
        assert_eq!(counts(), before + 1);
    });
}
