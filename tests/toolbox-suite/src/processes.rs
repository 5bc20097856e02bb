//! Processes.

use crate::{
    count, same,
    schedule::{self, Size},
    text,
};
use std::{cell::Cell, convert::Infallible, future, task::Poll};
use tower_egress::{
    Limiter, Timer,
    process::{End, Process},
};

/// Has others run so often.
async fn yields(times: u32) {
    let mut left = times;
    future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(crate) async fn results_come_in_order<T: Timer>(timer: T) -> Result<(), String> {
    let work = |number: u32| async move {
        yields((number * 7) % 5).await;
        Ok::<_, Infallible>(number)
    };
    let process = Process::iter(0..100, timer.clone()).concurrency(count(8));
    let (results, outcome) = process.collect(work).await;
    same("done", outcome.done, 100)?;
    same("in order", results, (0..100).collect())?;

    let process = Process::iter(0..100, timer).concurrency(count(8));
    let (mut results, _) = process.as_they_come().collect(work).await;
    same("as they come", results.is_sorted(), false)?;
    results.sort_unstable();
    same("all of them", results, (0..100).collect())
}

pub(crate) async fn errors_are_collected<T: Timer>(timer: T) -> Result<(), String> {
    let work = |number: u32| {
        future::ready(if number % 10 == 3 {
            Err(number)
        } else {
            Ok(())
        })
    };
    let outcome = Process::iter(0..100, timer.clone()).run(work).await;
    same("counts", (outcome.done, outcome.failed), (90, 10))?;
    let indices: Vec<_> = outcome.errors.iter().map(|failed| failed.index).collect();
    same(
        "indices",
        indices,
        (0..10).map(|ten| ten * 10 + 3).collect(),
    )?;

    let process = Process::iter(0..100, timer).stop_at_first_error();
    let outcome = process.run(work).await;
    same("it failed", matches!(outcome.end, End::Failed), true)?;
    same("begun", (outcome.begun, outcome.left), (4, Some(96)))
}

pub(crate) async fn it_stops_in_order<T: Timer>(timer: T) -> Result<(), String> {
    let process = Process::iter(0_u64..1000, timer).concurrency(count(4));
    let handle = process.handle();
    let mut consumed = 0;
    let work = async |number| {
        if number == 99 {
            handle.stop();
        }
        Ok::<_, Infallible>(number)
    };
    let outcome = process
        .for_each(work, async |_| {
            consumed += 1;
            Ok(())
        })
        .await;
    same("it stopped", matches!(outcome.end, End::Stopped), true)?;
    same("consumed", consumed, outcome.begun)?;
    same("left", outcome.left, Some(1000 - outcome.begun))?;
    same("soon", (100..=108).contains(&outcome.begun), true)
}

pub(crate) async fn pauses_let_others_run<T: Timer>(timer: T) -> Result<(), String> {
    let turns = Cell::new(0);
    let process = Process::iter(0..100, timer.clone()).pause_every(count(10));
    let busy = process.run(|_| future::ready(Ok::<_, Infallible>(())));
    let idle = async {
        loop {
            turns.set(turns.get() + 1);
            let soon = timer.now() + std::time::Duration::from_nanos(1);
            tower_egress::SleepUntil::new(timer.clone(), soon).await;
        }
    };
    futures_util::pin_mut!(busy, idle);
    let outcome = match futures_util::future::select(busy, idle).await {
        futures_util::future::Either::Left((outcome, _)) => outcome,
        futures_util::future::Either::Right((never, _)) => never,
    };
    same("done", outcome.done, 100)?;
    same("others had their turns", turns.get() >= 9, true)
}

/// What `buffer_unordered` makes a deadlock of (futures-rs#2387).
pub(crate) async fn a_consumer_may_use_the_same_limit<T: Timer>(timer: T) -> Result<(), String> {
    let limiter = Limiter::new(count(2), timer.clone());
    let fetch = || async {
        let permit = limiter.acquire().await.map_err(text)?;
        yields(3).await;
        drop(permit);
        Ok::<_, String>(())
    };
    for in_order in [true, false] {
        let mut process = Process::iter(0..50, timer.clone()).concurrency(count(5));
        if !in_order {
            process = process.as_they_come();
        }
        let outcome = process
            .for_each(|_| fetch(), async |()| fetch().await)
            .await;
        same("done", (outcome.done, outcome.failed), (50, 0))?;
    }
    let process = Process::iter(0..50, timer).concurrency(count(5));
    let outcome = process
        .connection_limit(limiter.clone())
        .for_each(
            |_| async {
                yields(2).await;
                Ok(())
            },
            async |()| fetch().await,
        )
        .await;
    same("through the gate", (outcome.done, outcome.failed), (50, 0))?;
    same("permits are back", limiter.stats().in_flight, 0)
}

pub(crate) async fn many_items_are_processed_once<T: Timer>(timer: T) -> Result<(), String> {
    let process = Process::iter(0_u64..5000, timer).chunks(count(64));
    let mut sum = 0;
    let outcome = process
        .concurrency(count(3))
        .for_each(
            |numbers: Vec<u64>| async move {
                yields(1).await;
                Ok::<_, Infallible>(numbers.iter().sum::<u64>())
            },
            async |part| {
                sum += part;
                Ok(())
            },
        )
        .await;
    same("done", outcome.done, 5000)?;
    same("sum", sum, 5000 * 4999 / 2)
}

pub(crate) async fn an_end_in_the_middle_loses_nothing<T: Timer>(timer: T) -> Result<(), String> {
    let size = Size {
        items: 1000,
        clients: 8,
        longest: 3,
    };
    for seed in [4, 5, 9] {
        schedule::process(timer.clone(), seed, size).await?;
    }
    Ok(())
}
