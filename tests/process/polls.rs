//! When who is polled, and what a drop after any number of polls leaves.

use super::*;
use futures_util::stream::poll_fn;
use std::task::Poll;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Runs a process with everything in it, drops it after so many polls, and tells whether it was at its end before.
fn scene(polls: usize, in_order: bool) -> bool {
    let (timer, alive) = (ManualTimer::new(), Rc::new(()));
    let limiter = Limiter::new(count(2), timer.clone());
    let quota = Quota::new(20, SECOND).unwrap().with_burst(2).unwrap();
    let bucket = Bucket::new(quota);
    let source = (0..12_u32).map(|n| (n, Rc::clone(&alive)));
    let mut process = Process::iter(source, timer.clone())
        .concurrency(count(3))
        .pause_every(count(4))
        .rate_limit(bucket.clone())
        .connection_limit(limiter.clone());
    if !in_order {
        process = process.as_they_come();
    }
    let handle = process.handle();
    let work = |(n, alive): (u32, Rc<()>)| {
        let timer = timer.clone();
        async move {
            sleep(&timer, SECOND / 10 * (n % 4)).await;
            if n == 7 { Err(n) } else { Ok((n, alive)) }
        }
    };
    let consume = async |(n, _alive): (u32, Rc<()>)| {
        let _permit = limiter.acquire().await;
        sleep(&timer, SECOND / 20 * (n % 3)).await;
        Ok(())
    };
    let mut run = task::spawn(process.for_each(work, consume));
    let mut is_over = false;
    for _ in 0..polls {
        match run.poll() {
            Poll::Ready(outcome) => {
                assert_eq!((outcome.begun, outcome.done, outcome.failed), (12, 11, 1));
                is_over = true;
                break;
            }
            Poll::Pending => {
                while !run.is_woken() {
                    assert!(timer.advance_to_next(), "it waits for ever");
                }
            }
        }
    }
    drop(run);
    assert_eq!(
        (Rc::strong_count(&alive), timer.sleepers()),
        (1, 0),
        "after {polls} polls"
    );
    let stats = limiter.stats();
    assert_eq!((stats.in_flight, stats.queued), (0, 0));
    assert_eq!(bucket.status(timer.now()).queued, 0);
    let progress = handle.progress();
    assert!(progress.is_over, "after {polls} polls");
    assert!(progress.begun >= progress.done + progress.failed);
    is_over
}

#[test]
fn dropped_after_any_number_of_polls_it_leaves_nothing() {
    for in_order in [true, false] {
        let polls = (0..).find(|polls| scene(*polls, in_order)).unwrap();
        assert!(polls > 10, "{polls}");
    }
}

#[test]
fn one_that_was_never_run_is_over_when_it_is_dropped() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..3, timer.clone());
    let handle = process.handle();
    assert!(!handle.progress().is_over);
    let process = process.chunks(count(2));
    assert!(!handle.progress().is_over);
    drop(process);
    assert!(
        handle.progress().is_over,
        "or whoever waits for that waits for ever"
    );
    assert_eq!(handle.progress().elapsed, Duration::ZERO);
}

/// Each is polled when it was woken, and the source when there is room.
#[test]
fn nobody_is_polled_for_nothing() {
    let (timer, asked, worked) = (ManualTimer::new(), Cell::new(0), Cell::new(0));
    let mut next = 0..1000_u32;
    let source = poll_fn(|_| {
        asked.set(asked.get() + 1);
        Poll::Ready(next.next())
    });
    let work = |n: u32| {
        let (timer, worked) = (&timer, &worked);
        let mut sleep = Box::pin(async move {
            sleep(timer, SECOND).await;
            Ok::<_, Infallible>(n)
        });
        future::poll_fn(move |cx| {
            worked.set(worked.get() + 1);
            sleep.as_mut().poll(cx)
        })
    };
    let process = Process::new(source, timer.clone()).concurrency(count(10));
    let mut run = task::spawn(process.run(work));
    let mut polls = 0;
    let outcome = loop {
        polls += 1;
        match run.poll() {
            Poll::Ready(outcome) => break outcome,
            Poll::Pending if run.is_woken() => {}
            Poll::Pending => assert!(timer.advance_to_next()),
        }
        assert!(run.is_woken());
    };
    assert_eq!(
        (outcome.done, asked.get(), worked.get()),
        (1000, 1001, 2000)
    );
    assert!(polls <= 201, "{polls} polls for 100 waits");
}

#[test]
fn it_may_change_its_task_and_be_woken_for_nothing() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..4, timer.clone()).concurrency(count(2));
    let handle = process.handle();
    let mut run = Box::pin(process.run(|n| slowly(&timer, n)));
    for _ in 0..5 {
        assert!(task::spawn(&mut run).poll().is_pending());
    }
    assert_eq!(handle.progress().begun, 2);
    let mut there = task::spawn(&mut run);
    assert!(there.poll().is_pending());
    timer.advance(SECOND);
    assert!(there.is_woken() && there.poll().is_pending());
    handle.stop();
    assert!(there.is_woken() && there.poll().is_pending());
    timer.advance(SECOND);
    assert!(there.poll().is_ready());
}

/// Or an hour's correction would be an hour without pauses.
#[test]
fn a_clock_that_is_set_back_does_not_end_the_pauses() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..100_u32, timer.clone()).pause_after(SECOND);
    let work = |n| {
        if n == 10 {
            timer.set(timer.now() - 600 * SECOND);
        }
        timer.advance(SECOND / 2);
        future::ready(Ok::<_, Infallible>(()))
    };
    let outcome = timer.run(process.run(work));
    let pauses = timer.requested().len();
    assert!(outcome.done == 100 && pauses >= 48, "{pauses} pauses");
}

#[test]
fn figures_of_odd_times_make_sense() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..10, timer.clone()).total(u64::MAX);
    let handle = process.handle();
    let mut run = task::spawn(process.run(|n| slowly(&timer, n)));
    assert!(run.poll().is_pending());
    timer.set(timer.now() - 5 * SECOND);
    let progress = handle.progress();
    assert_eq!(
        (progress.elapsed, progress.per_second),
        (Duration::ZERO, 0.0)
    );
    assert_eq!((progress.time_left, progress.fraction()), (None, Some(0.0)));
    timer.advance(10 * SECOND);
    assert!(run.poll().is_pending());
    let progress = handle.progress();
    assert!(progress.done == 1 && progress.per_second.is_finite());
    // Not a number of seconds that a duration can hold.
    assert!(progress.time_left.is_none_or(|left| left > SECOND));
    let json = serde_json::to_value(progress).unwrap();
    assert_eq!(json["is_over"], false);
}

#[cfg(not(target_arch = "wasm32"))]
mod panics {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Whoever panics, it is over, and nothing is held any more.
    #[test]
    fn whoever_panics_it_is_over() {
        for who in ["source", "work", "future", "consumer"] {
            let (timer, alive) = (ManualTimer::new(), Rc::new(()));
            let limiter = Limiter::new(count(2), timer.clone());
            let panics = |here, n| assert!(here != who || n != 3, "{who}");
            let source = (0..10).map(|n| {
                panics("source", n);
                (n, Rc::clone(&alive))
            });
            let process = Process::iter(source, timer.clone())
                .concurrency(count(3))
                .connection_limit(limiter.clone());
            let handle = process.handle();
            let work = |(n, alive): (u32, Rc<()>)| {
                panics("work", n);
                let timer = timer.clone();
                async move {
                    sleep(&timer, SECOND).await;
                    panics("future", n);
                    Ok::<_, Infallible>((n, alive))
                }
            };
            let consume = async |(n, _): (u32, Rc<()>)| {
                panics("consumer", n);
                Ok(())
            };
            let run = process.for_each(work, consume);
            let end = catch_unwind(AssertUnwindSafe(|| drop(timer.run(run))));
            assert!(end.is_err(), "{who}");
            assert_eq!(
                (Rc::strong_count(&alive), limiter.stats().in_flight),
                (1, 0),
                "{who}"
            );
            assert!(handle.progress().is_over, "{who}");
            handle.stop();
        }
    }
}
