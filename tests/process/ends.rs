//! Stops and drops.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_stop_finishes_what_has_begun_and_says_what_is_left() {
    let timer = ManualTimer::new();
    let start = timer.now();
    let process = Process::iter(0..100, timer.clone()).concurrency(count(4));
    let handle = process.handle();
    let stop = async {
        sleep(&timer, SECOND * 5 / 2).await;
        handle.stop();
    };
    let (results, outcome) = timer
        .run(join(process.collect(|n| slowly(&timer, n)), stop))
        .0;
    assert!(matches!(outcome.end, End::Stopped));
    assert_eq!(results, (0..12).collect::<Vec<_>>());
    assert_eq!(
        (outcome.begun, outcome.done, outcome.left),
        (12, 12, Some(88))
    );
    assert_eq!(timer.now() - start, 3 * SECOND);
    assert_eq!(handle.progress().time_left, None);
}

/// A stop wakes a process that waits for its stream, or for a limit.
#[test]
fn a_stop_is_heard_at_once() {
    let timer = ManualTimer::new();
    let process = Process::new(stream::pending::<u32>(), timer.clone());
    let handle = process.handle();
    let mut run = task::spawn(process.run(|n| future::ready(Ok::<_, Infallible>(n))));
    assert!(run.poll().is_pending());
    handle.stop();
    assert!(run.is_woken() && run.poll().is_ready());

    let limiter = Limiter::new(count(1), timer.clone());
    let permit = limiter.try_acquire();
    let process = Process::iter(0..3, timer.clone()).connection_limit(limiter.clone());
    let handle = process.handle();
    let mut run = task::spawn(process.run(|n| future::ready(Ok::<_, Infallible>(n))));
    assert!(run.poll().is_pending());
    assert_eq!(limiter.stats().queued, 1);
    handle.stop();
    assert!(run.is_woken() && run.poll().is_ready());
    assert_eq!(limiter.stats().queued, 0, "it left the queue");
    drop(permit);

    let process = Process::iter(0..3, timer.clone())
        .concurrency(count(2))
        .connection_limit(limiter.clone());
    let handle = process.handle();
    let mut run = task::spawn(process.run(|n| slowly(&timer, n)));
    assert!(run.poll().is_pending());
    assert_eq!((limiter.stats().in_flight, limiter.stats().queued), (1, 1));
    handle.stop();
    assert!(
        run.is_woken() && run.poll().is_pending(),
        "one is under way"
    );
    assert_eq!(limiter.stats().queued, 0, "the next one left at once");
}

#[test]
fn a_drop_drops_the_work_and_gives_everything_back() {
    let (timer, busy) = (ManualTimer::new(), Busy::default());
    let limiter = Limiter::new(count(2), timer.clone());
    let process = Process::iter(0..10, timer.clone())
        .concurrency(count(4))
        .connection_limit(limiter.clone());
    let handle = process.handle();
    let work = |number| {
        let (timer, busy) = (&timer, &busy);
        async move {
            let _here = busy.enter();
            slowly(timer, number).await
        }
    };
    let mut run = task::spawn(process.run(work));
    assert!(run.poll().is_pending());
    assert_eq!((busy.now(), limiter.stats().queued), (2, 1));
    assert!(!handle.progress().is_over);
    drop(run);
    assert_eq!((busy.now(), timer.sleepers()), (0, 0));
    assert_eq!((limiter.stats().in_flight, limiter.stats().queued), (0, 0));
    let progress = handle.progress();
    assert!(progress.is_over);
    assert_eq!((progress.begun, progress.done), (2, 0));
}
