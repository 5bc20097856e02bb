//! One scan at a time, which goes on whatever happens to those who work on it.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

mod support;

use futures_util::future::{join, select};
use repo_scanner_core::{BeginError, Begun, Ended, ScanState, Slice, StoreError, Summary};
use std::{
    cell::Cell,
    future::{Future, pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use support::{Process, a_moment, names, with_database};

/// Polls a future so many times, and drops it.
async fn polled(future: impl Future, times: usize) {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 || future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
    .await;
}

async fn work(process: &Process) -> (Summary, Ended) {
    let work = process.scans.work(Slice::default(), |_| {}, pending());
    work.await.unwrap().unwrap()
}

#[test]
fn a_second_wish_joins_the_scan_of_the_same_list_and_no_other() {
    with_database(async |database, server| {
        let one = Process::start(&database, &server).await;
        let other = Process::start(&database, &server).await;
        let begun = one.scans.begin("list", names(3)).await.unwrap();
        let Begun::New(scan) = begun else {
            panic!("{begun:?}");
        };
        for process in [&one, &other] {
            let joined = process.scans.begin("list", names(3)).await.unwrap();
            assert_eq!(joined, Begun::Joined(scan));
            let refused = process.scans.begin("other", names(3)).await.unwrap_err();
            let is_running = matches!(refused, BeginError::Store(StoreError::ScanIsRunning));
            assert!(is_running, "{refused}");
        }
        assert_eq!(other.scans.status().await.unwrap().state, ScanState::Paused);
        let (summary, ended) = work(&other).await;
        assert_eq!((summary.scanned, ended), (3, Ended::Finished));
        assert_eq!(one.scans.status().await.unwrap().state, ScanState::Finished);
        let begun = one.scans.begin("other", names(1)).await.unwrap();
        assert!(matches!(begun, Begun::New(next) if next > scan));
    });
}

/// Whether a list fits into one transaction or not.
#[test]
fn of_two_who_begin_at_once_one_begins_and_the_other_joins() {
    for count in [10, 12_000] {
        with_database(async |database, server| {
            let one = Process::start(&database, &server).await;
            let other = Process::start(&database, &server).await;
            let begun = join(
                one.scans.begin("list", names(count)),
                other.scans.begin("list", names(count)),
            );
            let (one_begun, other_begun) = begun.await;
            let begun = [one_begun, other_begun].map(|begun| match begun {
                Ok(Begun::New(_)) => 'n',
                Ok(Begun::Joined(_)) => 'j',
                Err(BeginError::Store(StoreError::ScanIsRunning)) => 'r',
                Err(error) => panic!("{error}"),
            });
            // Who began to write a list too long for one transaction may find that another one has begun to.
            assert_eq!(
                begun.iter().filter(|&&begun| begun == 'n').count(),
                1,
                "{begun:?}"
            );
            let status = one.scans.status().await.unwrap();
            assert_eq!(status.total, u64::try_from(count).unwrap());
            let scan = status.id.unwrap();
            let mut targets = 0;
            let mut behind = i64::MIN;
            loop {
                let page = one.store.targets(scan, behind, 5_000).await.unwrap();
                let Some(last) = page.last() else { break };
                behind = last.place;
                targets += page.len();
            }
            assert_eq!(targets, count);
        });
    }
}

#[test]
fn who_ends_a_scan_ends_it_whoever_works_on_it() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        // Nobody works.
        process.scans.end().await.unwrap();
        process.scans.begin("list", names(3)).await.unwrap();
        process.scans.end().await.unwrap();
        let status = process.scans.status().await.unwrap();
        assert_eq!(
            (status.state, status.remaining),
            (ScanState::Interrupted, 3)
        );

        // Somebody does.
        process.scans.begin("list", names(20_000)).await.unwrap();
        let stored = Cell::new(0_u64);
        let progress = |_: &_| stored.set(stored.get() + 1);
        let working = process.scans.work(Slice::default(), progress, pending());
        let ending = async {
            while stored.get() < 100 {
                a_moment().await;
            }
            assert_eq!(
                process.scans.status().await.unwrap().state,
                ScanState::Running
            );
            process.scans.end().await.unwrap();
        };
        let (worked, ()) = join(working, ending).await;
        let (summary, ended) = worked.unwrap().unwrap();
        assert_eq!((summary.scanned, ended), (stored.get(), Ended::Interrupted));
        assert!(summary.scanned < 20_000);
        let status = process.scans.status().await.unwrap();
        assert_eq!(
            (status.state, status.scanned),
            (ScanState::Interrupted, stored.get())
        );
        assert!(
            process
                .scans
                .work(Slice::default(), |_| {}, pending())
                .await
                .unwrap()
                .is_none()
        );

        // Another process ended it: who works finds that there is nothing left, and does not bring it back.
        let other = Process::start(&database, &server).await;
        process.scans.begin("list", names(20_000)).await.unwrap();
        let stored = Cell::new(0_u64);
        let progress = |_: &_| stored.set(stored.get() + 1);
        let working = process.scans.work(Slice::default(), progress, pending());
        let ending = async {
            while stored.get() < 100 {
                a_moment().await;
            }
            other.scans.end().await.unwrap();
        };
        let (worked, ()) = join(working, ending).await;
        assert!(worked.unwrap().unwrap().0.scanned < 20_000);
        let status = process.scans.status().await.unwrap();
        assert_eq!(status.state, ScanState::Interrupted);
    });
}

/// A slice that is just over has taken the wish to end with it, otherwise.
#[test]
fn an_end_that_comes_when_a_slice_is_over_is_heard() {
    for polls in 0..60 {
        with_database(async |database, server| {
            let process = Process::start(&database, &server).await;
            process.scans.begin("list", names(20)).await.unwrap();
            let mut slice = Slice::default();
            slice.repositories = Some(10);
            let working = process.scans.work(slice, |_| {}, pending());
            let ending = async {
                for _ in 0..polls {
                    a_moment().await;
                }
                process.scans.end().await.unwrap();
            };
            join(working, ending).await.0.unwrap();
            let status = process.scans.status().await.unwrap();
            assert_eq!(status.state, ScanState::Interrupted, "after {polls} polls");
        });
    }
}

/// Whoever works is dropped, again and again, wherever it is; another goes on.
#[test]
fn what_is_dropped_anywhere_goes_on_and_everything_is_stored_once() {
    const COUNT: u64 = 1_500;
    let mut fetched_again = 0;
    let mut seed = 1_u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from((seed >> 8) % below).unwrap()
    };
    for _ in 0..8 {
        let polls: Vec<_> = (0..8).map(|_| random(40)).collect();
        with_database(async |database, server| {
            let first = Process::start(&database, &server).await;
            let list = names(usize::try_from(COUNT).unwrap());
            first.scans.begin("list", list).await.unwrap();
            for times in &polls {
                let process = Process::start(&database, &server).await;
                let work = process.scans.work(Slice::default(), |_| {}, pending());
                polled(work, *times).await;
            }
            let last = Process::start(&database, &server).await;
            // It may be done already.
            let _ = last.scans.work(Slice::default(), |_| {}, pending()).await;
            let status = last.scans.status().await.unwrap();
            assert_eq!(status.state, ScanState::Finished, "{polls:?}");
            assert_eq!((status.failed, status.remaining), (0, 0), "{polls:?}");
            // What was stored when its asker was dropped before it heard of that is not asked for again.
            assert_eq!((status.scanned, status.unchanged), (COUNT, 0), "{polls:?}");
            assert_eq!(last.store.business().await.unwrap().repositories, COUNT);
            // Fetched again is only what was under way, or waited for the database.
            let again: u32 = server.asked().values().map(|times| times - 1).sum();
            assert!(again <= 8 * (16 + 512), "{polls:?}: {again}");
            fetched_again += again;
        });
    }
    assert!(fetched_again > 0, "nobody was dropped at work");
}

#[test]
fn a_slice_is_so_many_and_the_next_one_goes_on() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        process.scans.begin("list", names(25)).await.unwrap();
        let mut slice = Slice::default();
        slice.repositories = Some(10);
        for (scanned, expected) in [
            (10, Ended::SliceOver),
            (10, Ended::SliceOver),
            (5, Ended::Finished),
        ] {
            let work = process.scans.work(slice, |_| {}, pending());
            let (summary, ended) = work.await.unwrap().unwrap();
            assert_eq!((summary.scanned, ended), (scanned, expected));
        }
        assert!(server.asked().values().all(|times| *times == 1));
    });
}

#[test]
fn two_in_one_process_do_not_work_on_the_same() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        // So many that the one is not done when the other's first question is answered.
        process.scans.begin("list", names(2000)).await.unwrap();
        let work = || process.scans.work(Slice::default(), |_| {}, pending());
        let (one, other) = join(work(), work()).await;
        let worked = [one.unwrap(), other.unwrap()];
        assert_eq!(worked.iter().flatten().count(), 1);
        assert!(server.asked().values().all(|times| *times == 1));
        // One that was dropped holds nobody up.
        process.scans.begin("again", names(2000)).await.unwrap();
        drop(select(pin!(work()), pin!(a_moment())).await);
        // On a busy machine SQLite's thread may have answered all at once, and there is nothing left to work on.
        let left = process.scans.status().await.unwrap().remaining;
        assert_eq!(work().await.unwrap().is_some(), left > 0);
    });
}

/// Nothing has changed, and nothing is fetched; then everything has.
#[test]
fn a_second_scan_fetches_what_has_changed() {
    with_database(async |database, server| {
        for (version, changed) in [(0, true), (0, false), (1, true)] {
            *server.version.lock().unwrap() = version;
            let process = Process::start(&database, &server).await;
            process.scans.begin("list", names(100)).await.unwrap();
            let (summary, _) = work(&process).await;
            let expected = if changed { (100, 0) } else { (0, 100) };
            assert_eq!((summary.scanned, summary.unchanged), expected);
            let status = process.scans.status().await.unwrap();
            assert_eq!((status.scanned, status.unchanged), expected);
        }
    });
}

/// Who is killed notes nothing at its end: how long was worked is noted with what is stored.
#[test]
fn how_long_was_worked_is_known_although_nobody_said_so_at_the_end() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        process.scans.begin("list", names(2_000)).await.unwrap();
        let stored = Cell::new(0_u64);
        let progress = |_: &_| {
            stored.set(stored.get() + 1);
            process.timer.advance(Duration::from_millis(10));
        };
        let working = process.scans.work(Slice::default(), progress, pending());
        let enough = async {
            while stored.get() < 1_000 {
                a_moment().await;
            }
        };
        drop(select(pin!(working), pin!(enough)).await);
        let other = Process::start(&database, &server).await;
        let status = other.scans.status().await.unwrap();
        // All but what was not yet followed by another batch.
        let worked = 10 * stored.get();
        assert!(status.elapsed_ms <= worked, "{status:?}");
        assert!(
            status.elapsed_ms + 10 * 2 * 128 >= worked,
            "{worked}: {status:?}"
        );
        let pace = status.per_second.unwrap();
        assert!((90.0..160.0).contains(&pace), "{pace}");
    });
}

/// The old one's worker was told, and the new scan went on although it was answered that it ends.
#[test]
fn an_end_is_heard_by_a_scan_that_began_while_the_worker_of_the_old_one_was_leaving() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        // Where the database answers within a step, the worker has left before anybody could begin: once more.
        for _ in 0..200 {
            process.scans.begin("old", names(3)).await.unwrap();
            let mut working = pin!(process.scans.work(Slice::default(), |_| {}, pending()));
            let mut has_left = false;
            // A step of the worker, and all that the database has to do for it.
            while process.store.running_scan().await.unwrap().is_some() {
                let step = poll_fn(|cx| Poll::Ready(working.as_mut().poll(cx).is_ready()));
                has_left = step.await;
            }
            if has_left {
                continue;
            }
            process.scans.begin("new", names(5)).await.unwrap();
            process.scans.end().await.unwrap();
            working.await.unwrap();
            let status = process.scans.status().await.unwrap();
            assert_eq!((status.total, status.state), (5, ScanState::Interrupted));
            assert_eq!(process.store.running_scan().await.unwrap(), None);
            return;
        }
        panic!("the worker was never seen leaving");
    });
}

/// It had read the end of the list, and said that the scan was done.
#[test]
fn who_works_on_a_scan_that_another_process_ends_does_not_say_that_it_is_done() {
    with_database(async |database, server| {
        let one = Process::start(&database, &server).await;
        let other = Process::start(&database, &server).await;
        one.scans.begin("list", names(5_000)).await.unwrap();
        let stored = Cell::new(0_u64);
        let progress = |_: &_| stored.set(stored.get() + 1);
        let working = one.scans.work(Slice::default(), progress, pending());
        let ending = async {
            while stored.get() < 100 {
                a_moment().await;
            }
            other.scans.end().await.unwrap();
        };
        let (worked, ()) = join(working, ending).await;
        let (summary, ended) = worked.unwrap().unwrap();
        assert!(summary.scanned < 5_000, "{summary:?}");
        assert_eq!(ended, Ended::Interrupted);
        let status = one.scans.status().await.unwrap();
        assert_eq!(status.state, ScanState::Interrupted);
    });
}

/// It was answered that it ends, the database was busy when the worker came to write that down, and the scan went on later.
#[test]
fn an_end_that_was_promised_is_written_down() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        process.scans.begin("list", names(5_000)).await.unwrap();
        let stored = Cell::new(0_u64);
        let progress = |_: &_| stored.set(stored.get() + 1);
        {
            let mut working = pin!(process.scans.work(Slice::default(), progress, pending()));
            while stored.get() < 100 {
                let step = poll_fn(|cx| Poll::Ready(working.as_mut().poll(cx).is_ready()));
                assert!(!step.await, "it is done");
                a_moment().await;
            }
            process.scans.end().await.unwrap();
            // The process is killed before its worker hears of it.
        }
        let again = Process::start(&database, &server).await;
        assert_eq!(again.store.running_scan().await.unwrap(), None);
        let status = again.scans.status().await.unwrap();
        assert_eq!(status.state, ScanState::Interrupted);
    });
}

/// Some platforms end what they run without dropping it.
#[test]
fn a_worker_that_is_forgotten_and_not_dropped_is_not_the_last_one() {
    with_database(async |database, server| {
        let process = Process::start(&database, &server).await;
        let scans = process.scans.clone();
        scans.begin("list", names(5000)).await.unwrap();
        let forgotten: &'static _ = Box::leak(Box::new(scans.clone()));
        let mut work = Box::pin(forgotten.work(Slice::default(), |_| {}, pending()));
        polled(&mut work, 20).await;
        Box::leak(Box::new(work));
        let again = || scans.work(Slice::default(), |_| {}, pending());
        assert!(again().await.unwrap().is_none(), "somebody works");
        scans.forget_worker();
        let (_, ended) = again().await.unwrap().unwrap();
        assert_eq!(ended, Ended::Finished);
        assert_eq!(scans.status().await.unwrap().remaining, 0);
    });
}
