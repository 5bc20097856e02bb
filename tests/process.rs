//! Processes: order, bounds, limits, how they end, and that nothing is lost or doubled.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use egress_concurrency_limit::Config;
use egress_time::{Clock, Instant, ManualTimer};
use futures_util::{StreamExt, future::join, stream};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    convert::Infallible,
    future,
    num::NonZeroUsize,
    rc::Rc,
    time::Duration,
};
use tokio_test::task;
use tower_egress::{
    Bucket, Limiter, Quota, SleepUntil,
    process::{End, Process},
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: Duration = Duration::from_secs(1);

fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

async fn sleep(timer: &ManualTimer, time: Duration) {
    SleepUntil::new(timer.clone(), timer.now() + time).await;
}

/// Work that takes a second and returns its number.
async fn slowly(timer: &ManualTimer, number: u32) -> Result<u32, String> {
    sleep(timer, SECOND).await;
    Ok(number)
}

/// Counts how many are at work at once.
#[derive(Default)]
struct Busy {
    now: Cell<usize>,
    most: Cell<usize>,
}

impl Busy {
    fn enter(&self) -> impl Drop + '_ {
        struct Leave<'a>(&'a Busy);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.now.set(self.0.now.get() - 1);
            }
        }
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        Leave(self)
    }
}

#[test]
fn as_many_items_as_allowed_are_worked_on() {
    for concurrency in [1_u32, 4] {
        let (timer, busy) = (ManualTimer::new(), Busy::default());
        let start = timer.now();
        let work = |number| {
            let (timer, busy) = (&timer, &busy);
            async move {
                let _here = busy.enter();
                slowly(timer, number).await
            }
        };
        let limit = count(concurrency.try_into().unwrap());
        let process = Process::iter(0..12, timer.clone()).concurrency(limit);
        let (results, outcome) = timer.run(process.collect(work));
        assert_eq!(results, (0..12).collect::<Vec<_>>());
        assert_eq!(
            (outcome.begun, outcome.done, outcome.left),
            (12, 12, Some(0))
        );
        assert!(matches!(outcome.end, End::Complete));
        assert_eq!(busy.most.get(), limit.get());
        assert_eq!(timer.now() - start, SECOND * 12 / concurrency);
    }
}

#[test]
fn a_slow_item_is_waited_for_in_order_and_overtaken_otherwise() {
    for in_order in [true, false] {
        let timer = ManualTimer::new();
        let work = |number: u32| {
            let timer = timer.clone();
            async move {
                sleep(&timer, if number == 0 { 10 * SECOND } else { SECOND }).await;
                Ok::<_, Infallible>(number)
            }
        };
        let mut process = Process::iter(0..6, timer.clone()).concurrency(count(2));
        if !in_order {
            process = process.as_they_come();
        }
        let (results, _) = timer.run(process.collect(work));
        let expected = if in_order {
            [0, 1, 2, 3, 4, 5]
        } else {
            [1, 2, 3, 4, 5, 0]
        };
        assert_eq!(results, expected);
    }
}

#[test]
fn no_more_is_begun_than_the_consumer_keeps_up_with() {
    for in_order in [true, false] {
        let timer = ManualTimer::new();
        let (begun, consumed) = (Cell::new(0), Cell::new(0));
        let mut process = Process::iter(0..100, timer.clone()).concurrency(count(3));
        if !in_order {
            process = process.as_they_come();
        }
        let work = |_| {
            begun.set(begun.get() + 1);
            // The one that the consumer has counts as consumed.
            assert!(begun.get() <= consumed.get() + 6, "twice the concurrency");
            future::ready(Ok::<_, Infallible>(()))
        };
        let outcome = timer.run(process.for_each(work, async |()| {
            consumed.set(consumed.get() + 1);
            sleep(&timer, SECOND).await;
            Ok(())
        }));
        assert_eq!((outcome.done, begun.get()), (100, 100));
    }
}

#[test]
fn a_slow_consumer_does_not_stop_the_work() {
    let timer = ManualTimer::new();
    let start = timer.now();
    let process = Process::iter(0..10, timer.clone()).concurrency(count(2));
    let outcome = timer.run(process.for_each(
        |n| slowly(&timer, n),
        async |_| {
            sleep(&timer, SECOND).await;
            Ok(())
        },
    ));
    assert_eq!(outcome.done, 10);
    // One second for the first one, then one for each to be consumed, with all further work meanwhile.
    assert_eq!(timer.now() - start, 11 * SECOND);
}

#[test]
fn chunks_are_full_but_for_the_last_one_and_counted_in_items() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..10, timer.clone());
    let handle = process.handle();
    let (sizes, outcome) = timer.run(process.chunks(count(4)).collect(|chunk: Vec<u32>| {
        future::ready(if chunk.contains(&5) {
            Err("bad")
        } else {
            Ok(chunk.len())
        })
    }));
    assert_eq!(sizes, [4, 2]);
    assert_eq!((outcome.begun, outcome.done, outcome.failed), (10, 6, 4));
    let failed = &outcome.errors[0];
    assert_eq!((failed.index, failed.items, failed.error), (4, 4, "bad"));
    assert_eq!(handle.progress().fraction(), Some(1.0));
}

#[test]
fn errors_are_kept_up_to_a_bound_and_all_are_counted() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..1000_u32, timer.clone()).keep_errors(3);
    let outcome = timer.run(process.run(|number| future::ready(Err::<(), _>(number))));
    assert_eq!((outcome.done, outcome.failed), (0, 1000));
    let kept: Vec<_> = outcome.errors.iter().map(|failed| failed.error).collect();
    assert_eq!(kept, [0, 1, 2]);
    assert_eq!(outcome.into_result().unwrap_err().index, 0);
}

#[test]
fn a_consumer_that_fails_fails_its_item() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..10_u32, timer.clone());
    let work = |number| future::ready(Ok(number));
    let outcome = timer.run(process.for_each(work, async |number| match number {
        3 => Err("full"),
        _ => Ok(()),
    }));
    assert_eq!(
        (outcome.done, outcome.failed, outcome.errors[0].index),
        (9, 1, 3)
    );
}

#[test]
fn at_the_first_error_nothing_more_is_begun_and_what_has_begun_is_finished() {
    for concurrency in [1, 4] {
        let timer = ManualTimer::new();
        let started = RefCell::new(Vec::new());
        let process = Process::iter(0..100, timer.clone())
            .concurrency(count(concurrency))
            .stop_at_first_error();
        let work = |number: u32| {
            started.borrow_mut().push(number);
            let timer = timer.clone();
            async move {
                // The failing one is the first of its four.
                sleep(&timer, if number == 5 { SECOND / 2 } else { SECOND }).await;
                if number == 5 { Err("bad") } else { Ok(number) }
            }
        };
        let (results, outcome) = timer.run(process.collect(work));
        let last = started.borrow().len();
        assert_eq!(last, if concurrency == 1 { 6 } else { 8 });
        assert!(matches!(outcome.end, End::Failed));
        assert_eq!(
            results,
            (0..last as u32).filter(|n| *n != 5).collect::<Vec<_>>()
        );
        assert_eq!(outcome.left, Some(100 - last as u64));
        assert_eq!(outcome.begun, outcome.done + outcome.failed);
    }
}

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
/// The stream has no more for the moment, and nothing else would call it.
#[test]
fn a_consumer_that_fails_after_a_while_stops_what_waits_for_items() {
    let timer = ManualTimer::new();
    let one = stream::once(future::ready(1)).chain(stream::pending());
    let process = Process::new(one, timer.clone()).stop_at_first_error();
    let work = |n: u32| future::ready(Ok::<_, String>(n));
    let mut run = task::spawn(process.for_each(work, async |_| {
        sleep(&timer, SECOND).await;
        Err("full".to_owned())
    }));
    assert!(run.poll().is_pending());
    timer.advance(SECOND);
    assert!(run.is_woken());
    let std::task::Poll::Ready(outcome) = run.poll() else {
        panic!("it waits for another item");
    };
    assert!(matches!(outcome.end, End::Failed), "{outcome:?}");
}

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
    assert_eq!((busy.now.get(), limiter.stats().queued), (2, 1));
    assert!(!handle.progress().is_over);
    drop(run);
    assert_eq!((busy.now.get(), timer.sleepers()), (0, 0));
    assert_eq!((limiter.stats().in_flight, limiter.stats().queued), (0, 0));
    let progress = handle.progress();
    assert!(progress.is_over);
    assert_eq!((progress.begun, progress.done), (2, 0));
}

#[test]
fn it_pauses_on_the_timer_after_each_so_many_items() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..10_u32, timer.clone()).pause_every(count(3));
    let mut run = task::spawn(process.run(|n| future::ready(Ok::<_, Infallible>(n))));
    for pauses in 1..=3 {
        assert!(run.poll().is_pending());
        while run.is_woken() {
            assert!(run.poll().is_pending());
        }
        assert_eq!(timer.requested().len(), 1, "pause {pauses}");
        assert!(timer.advance_to_next());
        assert!(run.is_woken(), "by the timer");
    }
    assert!(matches!(run.poll(), std::task::Poll::Ready(outcome) if outcome.done == 10));
}

#[test]
fn it_pauses_when_it_was_busy_for_long() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..10_u32, timer.clone()).pause_after(SECOND);
    let work = |_| {
        // Computing.
        timer.advance(SECOND * 4 / 10);
        future::ready(Ok::<_, Infallible>(()))
    };
    let outcome = timer.run(process.run(work));
    assert_eq!((outcome.done, timer.requested().len()), (10, 3));
}

/// Work that takes no time and notes when it began.
fn in_a_row<'a>(
    timer: &'a ManualTimer,
    starts: &'a RefCell<Vec<Instant>>,
) -> impl FnMut(u32) -> future::Ready<Result<u32, Infallible>> + 'a {
    |number| {
        starts.borrow_mut().push(timer.now());
        future::ready(Ok(number))
    }
}

#[test]
fn items_wait_for_slots_of_the_bucket() {
    let timer = ManualTimer::new();
    let quota = Quota::new(10, 10 * SECOND).unwrap().with_burst(2).unwrap();
    let bucket = Bucket::new(quota);
    let start = timer.now();
    let starts = RefCell::default();
    let work = in_a_row(&timer, &starts);
    let process = Process::iter(0..6, timer.clone())
        .concurrency(count(4))
        .rate_limit(bucket.clone());
    assert_eq!(timer.run(process.run(work)).done, 6);
    let seconds: Vec<_> = starts
        .borrow()
        .iter()
        .map(|at| (*at - start).as_secs())
        .collect();
    assert_eq!(seconds, [0, 0, 1, 2, 3, 4]);
    let totals = bucket.status(timer.now()).totals;
    assert_eq!(
        (totals.departed, totals.refused, totals.cancelled),
        (6, 0, 0)
    );
}

/// After a pause one goes alone, and the others when it has succeeded.
#[test]
fn the_bucket_hears_how_the_first_one_after_a_pause_went() {
    let timer = ManualTimer::new();
    let bucket = Bucket::new(Quota::new(100, SECOND).unwrap());
    bucket.pause_for(10 * SECOND, timer.now());
    let start = timer.now();
    let process = Process::iter(0..4, timer.clone())
        .concurrency(count(4))
        .rate_limit(bucket);
    assert_eq!(timer.run(process.run(|n| slowly(&timer, n))).done, 4);
    let took = timer.now() - start;
    assert!(took >= 12 * SECOND, "the first one went alone: {took:?}");
    assert!(took < 13 * SECOND, "the others went together: {took:?}");
}

#[test]
fn a_bucket_that_refuses_is_asked_again_when_it_said() {
    let timer = ManualTimer::new();
    let quota = Quota::new(1, 100 * SECOND).unwrap();
    let bucket = Bucket::builder(quota).max_wait(SECOND).build();
    let start = timer.now();
    let starts = RefCell::default();
    let work = in_a_row(&timer, &starts);
    let process = Process::iter(0..3, timer.clone()).rate_limit(bucket.clone());
    assert_eq!(timer.run(process.run(work)).done, 3);
    let seconds: Vec<_> = starts
        .borrow()
        .iter()
        .map(|at| (*at - start).as_secs())
        .collect();
    assert_eq!(seconds, [0, 100, 200]);
    assert_eq!(
        bucket.status(timer.now()).totals.refused,
        2,
        "it was not asked over and over"
    );
}

/// T2, for what needs a connection too: it is the beginning of the work that counts.
#[test]
fn a_late_permit_does_not_bring_two_departures_together() {
    let timer = ManualTimer::new();
    let quota = Quota::new(10, 10 * SECOND).unwrap().with_burst(1).unwrap();
    let limiter = Limiter::new(count(1), timer.clone());
    let starts = RefCell::default();
    let work = in_a_row(&timer, &starts);
    let process = Process::iter(0..4, timer.clone())
        .concurrency(count(4))
        .rate_limit(Bucket::new(quota))
        .connection_limit(limiter.clone());
    let others = async {
        sleep(&timer, SECOND / 2).await;
        let permit = limiter.acquire().await.unwrap();
        sleep(&timer, SECOND * 14 / 10).await;
        drop(permit);
    };
    assert_eq!(timer.run(join(process.run(work), others)).0.done, 4);
    let starts = starts.borrow();
    for two in starts.windows(2) {
        assert!(two[1] - two[0] >= SECOND, "{starts:?}");
    }
}

/// Who waits for a slot holds no connection that another could use.
#[test]
fn no_permit_is_held_while_it_waits_for_a_slot() {
    let timer = ManualTimer::new();
    let quota = Quota::new(6, 60 * SECOND).unwrap().with_burst(1).unwrap();
    let bucket = Bucket::new(quota);
    let limiter = Limiter::new(count(1), timer.clone());
    let process = Process::iter(0..3, timer.clone())
        .rate_limit(bucket.clone())
        .connection_limit(limiter.clone());
    let others = async {
        for _ in 0..10 {
            sleep(&timer, SECOND * 9 / 10).await;
            assert_eq!(limiter.stats().in_flight, 0);
        }
        // Now it waits for the second slot; a pause is to send it back.
        bucket.pause_for(5 * SECOND, timer.now());
        sleep(&timer, SECOND * 2).await;
        assert_eq!(limiter.stats().in_flight, 0, "not for the time of a pause");
    };
    let run = process.run(|_| future::ready(Ok::<_, Infallible>(())));
    assert_eq!(timer.run(join(run, others)).0.done, 3);
}

#[test]
fn a_permit_is_held_by_the_work_and_not_by_its_result() {
    let timer = ManualTimer::new();
    let limiter = Limiter::new(count(2), timer.clone());
    let process = Process::iter(0..8, timer.clone())
        .concurrency(count(4))
        .connection_limit(limiter.clone());
    let mut consumed = 0;
    let outcome = timer.run(process.for_each(
        |n| slowly(&timer, n),
        async |_| {
            consumed += 1;
            if consumed == 1 {
                // Long enough for all that may begin meanwhile to end.
                sleep(&timer, 60 * SECOND).await;
                assert_eq!(limiter.stats().in_flight, 0);
            }
            Ok(())
        },
    ));
    assert_eq!(outcome.done, 8);
    let stats = limiter.stats();
    assert_eq!(
        (stats.peak_in_flight, stats.served, stats.timed_out),
        (2, 8, 0)
    );
}

#[test]
fn without_a_permit_it_ends_unless_its_own_work_has_them() {
    let timer = ManualTimer::new();
    let config = Config::new().with_queue_timeout(SECOND / 2);
    let limiter = Limiter::with_config(count(1), config, timer.clone());
    let process = || {
        Process::iter(0..5, timer.clone())
            .concurrency(count(3))
            .connection_limit(limiter.clone())
    };
    let outcome = timer.run(process().run(|n| slowly(&timer, n)));
    assert_eq!(
        outcome.done, 5,
        "its own work takes longer than the queue timeout"
    );

    let permit = limiter.try_acquire();
    let outcome = timer.run(process().run(|n| slowly(&timer, n)));
    assert_eq!((outcome.begun, outcome.left), (0, Some(5)));
    let End::NoPermit(error) = outcome.end else {
        panic!("{:?}", outcome.end);
    };
    assert_eq!(error.waited(), SECOND / 2);
    drop(permit);
}

/// futures-rs#2387. What it is compared with shows that the test can fail.
#[test]
fn a_consumer_that_fetches_through_the_same_limit_does_not_deadlock() {
    let timer = ManualTimer::new();
    let config = Config::new()
        .with_queue_timeout(None)
        .with_unread_after(None);
    let limiter = Limiter::with_config(count(1), config, timer.clone());
    let fetch = |takes: Duration| {
        let (limiter, timer) = (&limiter, &timer);
        async move {
            let permit = limiter.acquire().await.unwrap();
            sleep(timer, takes).await;
            drop(permit);
            Ok::<_, Infallible>(())
        }
    };
    let buffered = async {
        let mut results = stream::iter(0..4)
            .map(|_| fetch(SECOND))
            .buffer_unordered(2);
        while results.next().await.is_some() {
            fetch(SECOND).await.unwrap();
        }
    };
    let hangs = timer
        .run_until(buffered, timer.now() + 3600 * SECOND)
        .is_none();
    assert!(hangs, "`buffer_unordered` is no deadlock any more");
    for in_order in [true, false] {
        let mut process = Process::iter(0..20, timer.clone()).concurrency(count(4));
        if !in_order {
            process = process.as_they_come();
        }
        let outcome =
            timer.run(process.for_each(|_| fetch(SECOND), async |()| fetch(SECOND).await));
        assert_eq!(outcome.done, 20);
    }
}

#[test]
fn progress_is_told_while_it_runs() {
    let timer = ManualTimer::new();
    let stream = stream::iter(0..10).filter(|_| future::ready(true));
    let process = Process::new(stream, timer.clone());
    let handle = process.handle();
    assert_eq!(
        handle.progress().total,
        None,
        "a filtered stream does not know"
    );
    let process = process.total(10).concurrency(count(2));
    assert_eq!(handle.progress().elapsed, Duration::ZERO);
    let work = |number| {
        let timer = timer.clone();
        async move {
            sleep(&timer, SECOND).await;
            if number == 1 { Err("bad") } else { Ok(()) }
        }
    };
    let look = async {
        sleep(&timer, SECOND * 2).await;
        // Whoever is due at the same time may come first.
        sleep(&timer, SECOND / 2).await;
        let progress = handle.progress();
        assert_eq!((progress.begun, progress.done, progress.failed), (6, 3, 1));
        assert_eq!((progress.total, progress.is_over), (Some(10), false));
        assert_eq!(progress.elapsed, SECOND * 5 / 2);
        assert!((progress.per_second - 1.6).abs() < 1e-9);
        let left = progress.time_left.unwrap().as_secs_f64();
        assert!((left - 6.0 / 1.6).abs() < 1e-6, "{left}");
    };
    let outcome = timer.run(join(process.run(work), look)).0;
    assert_eq!((outcome.done, outcome.failed), (9, 1));
    let progress = handle.progress();
    assert!(progress.is_over);
    timer.advance(60 * SECOND);
    assert_eq!(handle.progress().elapsed, 5 * SECOND, "its time is over");
}

#[test]
fn nothing_that_is_not_send_keeps_it_from_working() {
    let timer = ManualTimer::new();
    let stream = stream::iter([Rc::new(1), Rc::new(2)]);
    let (results, _) = timer
        .run(Process::new(stream, timer.clone()).collect(async |n: Rc<u32>| Ok::<_, Rc<str>>(n)));
    assert_eq!(results, [Rc::new(1), Rc::new(2)]);
}

/// Random work, order, consumer, limits, failures, and an end in the middle, from one seed.
///
/// Law: the first `begun` items were begun once each and no others; each of those was done or failed; each result
/// was consumed once.
fn random_schedule(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let timer = ManualTimer::new();
    let items = random.u32(0..300);
    let concurrency = random.usize(1..9);
    let (fails, waits) = (random.u32(2..50), random.u64(1..20));
    let mut process = Process::iter(0..items, timer.clone()).concurrency(count(concurrency));
    let in_order = random.bool();
    if !in_order {
        process = process.as_they_come();
    }
    let stops_at_error = random.u8(0..4) == 0;
    if stops_at_error {
        process = process.stop_at_first_error();
    }
    if random.u8(0..3) == 0 {
        process = process.pause_every(count(random.usize(1..10)));
    }
    let limiter = Limiter::new(count(random.usize(1..4)), timer.clone());
    if random.bool() {
        process = process.connection_limit(limiter.clone());
    }
    if random.u8(0..4) == 0 {
        let quota = Quota::new(50, SECOND)
            .unwrap()
            .with_burst(random.u32(1..10));
        process = process.rate_limit(Bucket::new(quota.unwrap()));
    }
    let handle = process.handle();
    let stop_at = Duration::from_millis(random.u64(0..2000));
    let how = random.u8(0..3);
    let (begun, consumed) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let busy = Busy::default();
    let random = RefCell::new(random);
    let work = |number: u32| {
        begun.borrow_mut().push(number);
        let wait = Duration::from_millis(random.borrow_mut().u64(0..waits));
        let (timer, busy) = (&timer, &busy);
        async move {
            let _here = busy.enter();
            sleep(timer, wait).await;
            if number % fails == 1 {
                Err(number)
            } else {
                Ok(number)
            }
        }
    };
    let consume = async |number: u32| {
        consumed.borrow_mut().push(number);
        let (wait, fetches) = {
            let mut random = random.borrow_mut();
            (random.u64(0..10), random.bool())
        };
        if fetches {
            drop(limiter.acquire().await);
        }
        sleep(&timer, Duration::from_millis(wait)).await;
        if number % fails == 2 {
            Err(number)
        } else {
            Ok(())
        }
    };
    let run = process.keep_errors(usize::MAX).for_each(work, consume);
    if how == 0 {
        let end = timer.now() + stop_at;
        drop(timer.run_until(run, end));
        assert_eq!((busy.now.get(), timer.sleepers()), (0, 0), "seed {seed}");
        assert_eq!(limiter.stats().in_flight, 0, "seed {seed}");
        return;
    }
    let stop = async {
        if how == 1 {
            sleep(&timer, stop_at).await;
            handle.stop();
        }
    };
    let outcome = timer.run(join(run, stop)).0;
    let begun = begun.into_inner();
    let mut consumed = consumed.into_inner();
    assert_eq!(
        begun,
        (0..begun.len() as u32).collect::<Vec<_>>(),
        "seed {seed}"
    );
    assert_eq!(outcome.begun, begun.len() as u64);
    assert_eq!(outcome.begun, outcome.done + outcome.failed, "seed {seed}");
    assert_eq!(outcome.left, Some(u64::from(items) - outcome.begun));
    assert_eq!(outcome.failed, outcome.errors.len() as u64);
    assert!(busy.most.get() <= concurrency);
    if in_order {
        assert!(consumed.is_sorted(), "seed {seed}");
    }
    consumed.sort_unstable();
    let worked: Vec<_> = begun.iter().copied().filter(|n| n % fails != 1).collect();
    assert_eq!(consumed, worked, "seed {seed}");
    let failed: BTreeSet<_> = outcome.errors.iter().map(|failed| failed.error).collect();
    let expected: BTreeSet<_> = begun
        .iter()
        .copied()
        .filter(|n| [1, 2].contains(&(n % fails)))
        .collect();
    assert_eq!(failed, expected, "seed {seed}");
    match outcome.end {
        End::Complete => assert_eq!(outcome.left, Some(0)),
        End::Stopped => assert_eq!(how, 1, "seed {seed}"),
        End::Failed => assert!(stops_at_error && !failed.is_empty()),
        end => panic!("seed {seed}: {end:?}"),
    }
}

#[test]
fn nothing_is_lost_or_doubled_in_random_schedules() {
    for seed in 0..500 {
        random_schedule(seed);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use super::*;
    use tower_egress::TokioTimer;

    /// The future of a process can be sent if its parts can.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_can_be_spawned() {
        let timer = TokioTimer::new();
        let limiter = Limiter::new(count(3), timer);
        let quota = Quota::new(1_000_000, SECOND).unwrap();
        let process = Process::iter(0..1000_u64, timer)
            .concurrency(count(8))
            .rate_limit(Bucket::new(quota))
            .connection_limit(limiter);
        let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
        let runtime = tokio::runtime::Handle::current();
        let process = runtime.spawn(async move {
            let work = |number| async move {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(number)
            };
            let send = async move |number| {
                sender.send(number).await.unwrap();
                Ok(())
            };
            process.for_each(work, send).await
        });
        for expected in 0..1000 {
            assert_eq!(receiver.recv().await, Some(expected));
        }
        assert_eq!(process.await.unwrap().done, 1000);
    }

    /// Processes so many items of 1 KiB in chunks of 50, and returns the most bytes that were allocated at once.
    fn peak(items: u32) -> u64 {
        let info = allocation_counter::measure(|| {
            let timer = ManualTimer::new();
            let source = (0..items).map(|_| Box::new([1_u8; 1024]));
            let process = Process::iter(source, timer.clone())
                .chunks(count(50))
                .concurrency(count(2));
            let work = |chunk: Vec<Box<[u8; 1024]>>| {
                let timer = timer.clone();
                async move {
                    sleep(&timer, Duration::from_millis(1)).await;
                    Ok::<_, Infallible>(chunk)
                }
            };
            let mut seen = 0;
            let outcome = timer.run(process.for_each(work, async |chunk: Vec<_>| {
                seen += chunk.len();
                // Slower than the work, so that results wait.
                sleep(&timer, Duration::from_millis(2)).await;
                // The timer remembers what it was asked for.
                drop(timer.requested());
                Ok(())
            }));
            assert_eq!(outcome.done, u64::from(items));
            assert_eq!(seen as u64, u64::from(items));
        });
        info.bytes_max
    }

    #[test]
    fn memory_is_bounded_by_the_chunks_over_100_000_items() {
        peak(1000);
        let (few, many) = (peak(1000), peak(100_000));
        assert!(many <= few + few / 10, "{few} bytes became {many}");
        // Two under way and two that wait, one with the consumer, one being collected.
        assert!(many < 6 * 50 * 1100, "{many} bytes");
    }

    #[test]
    fn errors_do_not_pile_up_over_100_000_items() {
        let peak = |items: u32| {
            let info = allocation_counter::measure(|| {
                let timer = ManualTimer::new();
                let process = Process::iter(0..items, timer.clone()).concurrency(count(16));
                let work = |_| future::ready(Err::<(), _>(Box::new([1_u8; 1024])));
                let outcome = timer.run(process.as_they_come().run(work));
                assert_eq!(
                    (outcome.failed, outcome.errors.len()),
                    (u64::from(items), 100)
                );
            });
            info.bytes_max
        };
        peak(1000);
        let (few, many) = (peak(1000), peak(100_000));
        assert!(many <= few + few / 10, "{few} bytes became {many}");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]
        #[test]
        fn any_seed_keeps_the_law(seed: u64) {
            random_schedule(seed);
        }
    }
}
