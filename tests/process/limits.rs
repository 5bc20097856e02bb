//! Through the rate limit and the connection limit.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
