//! When who is polled, and what a drop after any number of polls leaves.

use super::*;
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::pin::Pin;
use std::{collections::BTreeMap, future::poll_fn, task::Poll};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Task<'a> = task::Spawn<Pin<Box<dyn Future<Output = ()> + 'a>>>;

/// Polls whoever was woken, and moves the clock when nobody was, until all are at their end. One of them is dropped after so
/// many polls. Returns how often that one was polled.
fn drive(timer: &ManualTimer, tasks: Vec<Task<'_>>, victim: usize, polls: usize) -> usize {
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| Some((task, 0))).collect();
    let mut is_first = true;
    let mut polled = 0;
    for _ in 0..10_000 {
        let mut is_idle = true;
        for (n, slot) in tasks.iter_mut().enumerate() {
            if n == victim && slot.as_ref().is_some_and(|(_, polled)| *polled == polls) {
                *slot = None;
            }
            let Some((task, times)) = slot else { continue };
            if !is_first && !task.is_woken() {
                continue;
            }
            is_idle = false;
            *times += 1;
            if n == victim {
                polled = *times;
            }
            if task.poll().is_ready() {
                *slot = None;
            }
        }
        is_first = false;
        if tasks.iter().all(Option::is_none) {
            return polled;
        }
        if is_idle && !timer.advance_to_next() {
            panic!("somebody waits for ever: {victim} was dropped after {polls} polls");
        }
    }
    panic!("it never ends: {victim} was dropped after {polls} polls");
}

/// Adds, pushes, flushes and a close, each in a task of its own, of which one is dropped.
fn scene(victim: usize, polls: usize, keys: u32) -> usize {
    let timer = ManualTimer::new();
    let handled = RefCell::new(BTreeMap::<u32, u32>::new());
    let answered = RefCell::new(Vec::new());
    let (batches, run) = BatchBuilder::new()
        .max_items(count(3))
        .capacity(count(3))
        .concurrency(count(2))
        .max_keys(count(2))
        .max_wait(SECOND)
        .build_keyed(timer.clone(), |_: &u32, items: Vec<u32>| {
            for item in &items {
                *handled.borrow_mut().entry(*item).or_default() += 1;
            }
            let timer = timer.clone();
            async move {
                sleep(&timer, SECOND / 4).await;
                Handled::Ok(items.into_iter().map(Ok).collect())
            }
        });
    let mut tasks: Vec<Task<'_>> = vec![task::spawn(Box::pin(run))];
    for item in 0..12 {
        let (batches, answered, timer) = (batches.clone(), &answered, &timer);
        tasks.push(task::spawn(Box::pin(async move {
            sleep(timer, SECOND / 10 * (item % 5)).await;
            let answer = match item % 4 {
                0 => batches.push(item % keys, item).await.map(|()| item),
                _ => batches.add(item % keys, item).await,
            };
            answered.borrow_mut().push((item, answer));
        })));
    }
    for _ in 0..2 {
        let (batches, timer) = (batches.clone(), &timer);
        tasks.push(task::spawn(Box::pin(async move {
            sleep(timer, SECOND / 4).await;
            let _ = batches.flush().await;
        })));
    }
    let closer = batches.clone();
    tasks.push(task::spawn(Box::pin(async {
        let batches = closer;
        sleep(&timer, SECOND * 3).await;
        let _ = batches.close().await;
    })));
    // Has the last handle if nobody closed.
    tasks.push(task::spawn(Box::pin(async {
        let batches = batches;
        sleep(&timer, SECOND * 6).await;
        let s = batches.stats();
        let sum = s.succeeded + s.failed + s.withdrawn + s.lost;
        assert_eq!((s.added, s.waiting, s.handling), (sum, 0, 0));
    })));
    let polled = drive(&timer, tasks, victim, polls);
    assert!(handled.borrow().values().all(|times| *times == 1));
    for (item, answer) in answered.into_inner() {
        match answer {
            Ok(n) => {
                assert_eq!(n, item);
                assert!(handled.borrow().contains_key(&item) || victim == 0);
            }
            Err(BatchError::Gone { taken, .. }) => {
                assert_eq!(taken, handled.borrow().contains_key(&item));
            }
            Err(error) => panic!("{item}: {error}"),
        }
    }
    assert_eq!(timer.sleepers(), 0);
    polled
}

#[test]
fn whoever_is_dropped_after_any_number_of_polls_nobody_else_hangs() {
    let mut scenes = 0;
    for keys in [1, 4] {
        for victim in 0..17 {
            for polls in 0.. {
                let polled = scene(victim, polls, keys);
                scenes += 1;
                if polled < polls {
                    break;
                }
            }
        }
    }
    assert!(scenes > 80, "{scenes}");
}

#[test]
fn a_run_and_its_waiters_may_change_their_tasks() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let builder = Batch::builder().max_items(count(2)).capacity(count(2));
    let (batch, run) = builder.build(timer.clone(), log.handler(&timer, SECOND));
    let mut run = Box::pin(run);
    let (mut add, mut flush) = (batch.add(1), batch.flush());
    for round in 0..3 {
        let mut here = (
            task::spawn(&mut run),
            task::spawn(&mut add),
            task::spawn(&mut flush),
        );
        assert!(here.1.poll().is_pending() && here.2.poll().is_pending());
        assert!(here.0.poll().is_pending());
        if round == 0 {
            assert_eq!(log.batches(), [[1]], "it was flushed");
        }
    }
    let mut old = task::spawn(poll_fn(|cx| run.as_mut().poll(cx)));
    assert!(old.poll().is_pending());
    drop(old);
    let mut there = (
        task::spawn(&mut run),
        task::spawn(&mut add),
        task::spawn(&mut flush),
    );
    assert!(
        there.0.poll().is_pending() && there.1.poll().is_pending() && there.2.poll().is_pending()
    );
    timer.advance(SECOND);
    assert!(there.0.is_woken() && !there.1.is_woken() && !there.2.is_woken());
    assert!(there.0.poll().is_pending());
    assert!(there.1.is_woken() && there.2.is_woken());
    assert_eq!(there.1.poll(), Poll::Ready(Ok(1)));
    assert_eq!(there.2.poll(), Poll::Ready(Ok(())));
}

#[test]
fn a_flush_that_was_lost_says_so_whenever_it_is_asked() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, run) = Batch::builder().build(timer.clone(), log.handler(&timer, SECOND));
    let mut add = task::spawn(batch.add(1));
    assert!(add.poll().is_pending());
    let mut flush = batch.flush();
    assert!(task::spawn(&mut flush).poll().is_pending());
    drop(run);
    for _ in 0..2 {
        let again = task::spawn(&mut flush).poll();
        assert!(
            matches!(
                again,
                Poll::Ready(Err(BatchError::Gone { taken: false, .. }))
            ),
            "{again:?}"
        );
    }
}

/// Polls are counted of everybody, each of whom is polled only when woken.
#[test]
fn nobody_is_polled_for_nothing() {
    let (timer, polls) = (ManualTimer::new(), Cell::new(0));
    let sleepy = timer.clone();
    let (batch, run) =
        Batch::builder()
            .max_items(count(100))
            .build(timer.clone(), move |items: Vec<u32>| {
                let timer = sleepy.clone();
                async move {
                    sleep(&timer, SECOND).await;
                    Handled::Ok(items.into_iter().map(Ok).collect())
                }
            });
    let mut run = Box::pin(run);
    let run = poll_fn(|cx| {
        polls.set(polls.get() + 1);
        run.as_mut().poll(cx)
    });
    let adds = Cell::new(0);
    let mut all: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + '_>>> = FuturesUnordered::new();
    for item in 0..10_000 {
        let mut add = batch.add(item);
        let adds = &adds;
        all.push(Box::pin(async move {
            let answer = poll_fn(|cx| {
                adds.set(adds.get() + 1);
                Pin::new(&mut add).poll(cx)
            });
            assert_eq!(answer.await, Ok(item));
        }));
    }
    drop(batch);
    all.push(Box::pin(run));
    timer.run(async { while all.next().await.is_some() {} });
    assert_eq!(adds.get(), 20_000, "once to add, once for the answer");
    assert!(
        polls.get() <= 3 * 100 + 2,
        "{} polls for 100 batches",
        polls.get()
    );
}

/// The timer fires early, again and again, and the clock stands still.
#[test]
fn a_timer_that_fires_early_brings_no_batch_forward() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, run) = Batch::builder().build(timer.clone(), log.handler(&timer, Duration::ZERO));
    let mut run = task::spawn(run);
    let mut add = task::spawn(batch.add(1));
    assert!(add.poll().is_pending() && run.poll().is_pending());
    for _ in 0..100 {
        timer.fire_early();
        assert!(run.is_woken());
        assert!(run.poll().is_pending());
        for _ in 0..2 {
            if run.is_woken() {
                assert!(run.poll().is_pending());
            }
        }
        assert!(!run.is_woken(), "it does not spin");
        assert_eq!(log.batches(), [[0; 0]; 0]);
    }
    timer.advance(SECOND * 1_000_000);
    assert!(run.is_woken() && run.poll().is_pending());
    assert!(add.is_woken());
}
