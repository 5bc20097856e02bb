//! Outcomes that are stored together, each by itself, or some so and some so: what is stored is the same, and all of it.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use repo_scanner_core::{RepoName, Slice, Summary};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    convert::Infallible,
    future::pending,
};
use support::{
    name,
    switched::{Switched, with_switched},
};
use tower_egress::sql::{Database, DatabaseExt};

/// Of those of the owner `nobody`, one in ten, none exists.
fn list(count: usize) -> impl Iterator<Item = Result<RepoName, Infallible>> {
    (0..count).map(|n| {
        Ok(match n % 10 {
            0 => RepoName::parse(&format!("nobody/name-{n}")).unwrap(),
            _ => name(n),
        })
    })
}

/// All that a scan writes, but when.
async fn stored(switched: &Switched) -> Vec<String> {
    let mut all = Vec::new();
    for select in [
        "SELECT 'r ' || name || full_name || stars || forks || etag FROM repositories ORDER BY 1",
        "SELECT 'm ' || name || count(*) || max(stars) FROM metrics GROUP BY name ORDER BY 1",
        "SELECT 'f ' || name || scan || reason FROM failures ORDER BY 1",
        "SELECT 't ' || name FROM scan_targets ORDER BY 1",
        "SELECT 's ' || state || total || ' ' || scanned || ' ' || failed FROM scans",
    ] {
        let rows: Vec<String> = switched.database.all_as(select.into()).await.unwrap();
        all.extend(rows);
    }
    all
}

#[test]
fn what_is_stored_is_the_same_however_it_is_stored() {
    let mut seen: Option<Vec<String>> = None;
    for (batching, saves) in [("true", 2..250), ("false", 600..601), ("50", 250..600)] {
        with_switched(async |switched, _| {
            switched.set(&format!(r#"{{"batching": {batching}}}"#));
            switched.scans.begin("list", list(600)).await.unwrap();
            let summary = switched.work(|_| {}).await;
            assert_eq!((summary.scanned, summary.failed), (540, 60));
            let count = switched.database.saves();
            assert!(saves.contains(&count), "{batching}: {count}");
            let stored = stored(&switched).await;
            assert_eq!(stored.len(), 540 + 540 + 60 + 1);
            assert_eq!(seen.get_or_insert_with(|| stored.clone()), &stored);
        });
    }
}

/// Each is stored by itself from the next on, and together again.
#[test]
fn it_is_switched_in_the_middle_of_a_scan() {
    with_switched(async |switched, server| {
        switched.scans.begin("list", list(4_000)).await.unwrap();
        let done = Cell::new(0_usize);
        let saves = RefCell::new(Vec::new());
        switched
            .work(|_| {
                done.set(done.get() + 1);
                if done.get().is_multiple_of(1_000) {
                    saves.borrow_mut().push(switched.database.saves());
                    match done.get() {
                        1_000 => switched.set(r#"{"batching": false}"#),
                        3_000 => switched.set("{}"),
                        _ => {}
                    }
                }
            })
            .await;
        let [first, _, third, last] = saves.take().try_into().unwrap();
        // But for those that were on their way when it was switched: 512 and a batch.
        let alone = third - first;
        assert!((1_300..=2_010).contains(&alone), "{first} {third} {last}");
        assert!(first < 900, "{first} {third} {last}");
        assert!(last - third < 950, "{first} {third} {last}");
        assert_eq!(stored(&switched).await.len(), 3_600 + 3_600 + 400 + 1);
        assert!(server.asked().values().all(|times| *times == 1));
    });
}

/// A row that the database refuses fails with those of its transaction, and no other; and what was counted is what is there.
#[test]
fn what_a_transaction_loses_is_not_counted() {
    for batching in ["true", "false", "50"] {
        with_switched(async |switched, _| {
            let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON repositories WHEN NEW.name = 'owner/name-000305' \
                          BEGIN SELECT RAISE(ABORT, 'no'); END";
            switched.database.run(refuse.into()).await.unwrap();
            switched.set(&format!(r#"{{"batching": {batching}}}"#));
            switched.scans.begin("list", list(600)).await.unwrap();
            let told = RefCell::new(BTreeSet::new());
            let progress = |outcome: &repo_scanner_core::Outcome| {
                told.borrow_mut().insert(outcome.target().name.to_string());
            };
            let work = switched.scans.work(Slice::default(), progress, pending());
            work.await.unwrap_err();
            let there: Vec<String> = switched
                .database
                .all_as("SELECT name FROM repositories UNION SELECT name FROM failures".into())
                .await
                .unwrap();
            assert_eq!(told.take(), there.into_iter().collect(), "{batching}");
            let status = switched.scans.status().await.unwrap();
            let scan = status.id.unwrap();
            let left = switched.store.targets(scan, i64::MIN, 10_000).await;
            let left = u64::try_from(left.unwrap().len()).unwrap();
            assert_eq!(status.remaining, left, "{batching}");

            // When the reason is gone it goes on, and all is there.
            let allow = "DROP TRIGGER refuse";
            switched.database.run(allow.into()).await.unwrap();
            let summary: Summary = switched.work(|_| {}).await;
            assert_eq!(summary.scanned + summary.failed, left);
            assert_eq!(stored(&switched).await.len(), 540 + 540 + 60 + 1);
        });
    }
}
