//! Batches: when they are handled, what each waiter is told, and that nothing is lost or doubled.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use egress_time::{Clock, Instant, ManualTimer};
use futures_util::{
    future::{join, join_all, select},
    join,
};
use std::{
    cell::{Cell, RefCell},
    num::NonZeroUsize,
    pin::pin,
    rc::Rc,
    time::Duration,
};
use tokio_test::task;
use tower_egress::{
    SleepUntil,
    batch::{Batch, BatchBuilder, BatchError, process_in_chunks},
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: Duration = Duration::from_secs(1);

fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

type Handled = Result<Vec<Result<u32, &'static str>>, &'static str>;
type Error = BatchError<&'static str>;

/// What a handler was given, and when.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<Vec<u32>>>>);

impl Log {
    fn batches(&self) -> Vec<Vec<u32>> {
        self.0.borrow().clone()
    }

    /// A handler that returns each number as it is, after a while.
    fn handler(
        &self,
        timer: &ManualTimer,
        takes: Duration,
    ) -> impl FnMut(Vec<u32>) -> std::pin::Pin<Box<dyn Future<Output = Handled>>> + use<> {
        let (log, timer) = (self.clone(), timer.clone());
        move |items| {
            log.0.borrow_mut().push(items.clone());
            let done = SleepUntil::new(timer.clone(), timer.now() + takes);
            Box::pin(async move {
                done.await;
                Ok(items.into_iter().map(Ok).collect())
            })
        }
    }
}

async fn sleep(timer: &ManualTimer, time: Duration) {
    SleepUntil::new(timer.clone(), timer.now() + time).await;
}

/// Runs both; the batch must come to its end.
fn run<O>(timer: &ManualTimer, work: impl Future<Output = O>, run: impl Future<Output = ()>) -> O {
    timer.run(join(work, run)).0
}

fn gone(answer: &Result<u32, Error>) -> Option<bool> {
    match answer {
        Err(BatchError::Gone { taken, .. }) => Some(*taken),
        _ => None,
    }
}

#[test]
fn what_holds_on_every_platform() {
    let timer = ManualTimer::new();
    let failed = timer.run(toolbox_suite::run_all(timer.clone()));
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_full_batch_waits_for_nothing() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let start = timer.now();
    let (batch, end) = Batch::builder()
        .max_items(count(3))
        .build(timer.clone(), log.handler(&timer, Duration::ZERO));
    let answers = run(
        &timer,
        async {
            let answers = join_all((0..6).map(|n| batch.add(n))).await;
            assert_eq!(timer.now(), start);
            drop(batch);
            answers
        },
        end,
    );
    assert_eq!(answers, (0..6).map(Ok).collect::<Vec<_>>());
    assert_eq!(log.batches(), [[0, 1, 2], [3, 4, 5]]);
}

#[test]
fn a_batch_waits_from_its_first_item_on() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let start = timer.now();
    let (batch, end) = Batch::builder().build(timer.clone(), log.handler(&timer, Duration::ZERO));
    run(
        &timer,
        async {
            let first = async {
                batch.add(1).await.unwrap();
                assert_eq!(timer.now() - start, SECOND, "the default");
            };
            let second = async {
                sleep(&timer, SECOND * 9 / 10).await;
                batch.add(2).await.unwrap();
                assert_eq!(timer.now() - start, SECOND, "not one second of its own");
            };
            let third = async {
                sleep(&timer, SECOND * 11 / 10).await;
                batch.add(3).await.unwrap();
                assert_eq!(timer.now() - start, SECOND * 21 / 10);
            };
            join!(first, second, third);
            drop(batch);
        },
        end,
    );
    assert_eq!(log.batches(), [vec![1, 2], vec![3]]);
}

/// What is left when a full batch was taken has waited since it came, and not since then.
#[test]
fn time_spent_behind_a_busy_handler_counts() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let start = timer.now();
    let (batch, end) = Batch::builder()
        .max_items(count(2))
        .build(timer.clone(), log.handler(&timer, SECOND * 3 / 10));
    run(
        &timer,
        async {
            let early = join_all((0..4).map(|n| batch.add(n)));
            let late = async {
                sleep(&timer, SECOND / 10).await;
                batch.add(4).await.unwrap();
                // Busy until 0.6 s; due at 1.1 s.
                assert_eq!(timer.now() - start, SECOND * 14 / 10);
            };
            join!(early, late);
            drop(batch);
        },
        end,
    );
    assert_eq!(log.batches(), [vec![0, 1], vec![2, 3], vec![4]]);
}

/// T9: the wait begins once more, and does not last until the time comes again.
#[test]
fn a_clock_that_is_set_back_costs_the_wait_once_more_at_most() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder().build(timer.clone(), log.handler(&timer, Duration::ZERO));
    let mut end = task::spawn(end);
    let mut one = task::spawn(batch.add(1));
    assert!(one.poll().is_pending() && end.poll().is_pending());
    timer.set(timer.now() - 600 * SECOND);
    // Something has it look at the clock.
    let mut two = task::spawn(batch.add(2));
    assert!(two.poll().is_pending() && end.is_woken() && end.poll().is_pending());
    timer.advance(SECOND);
    assert!(end.is_woken() && end.poll().is_pending());
    assert!(one.is_woken() && one.poll().is_ready() && two.poll().is_ready());
}

#[test]
fn an_item_that_comes_while_a_handler_works_goes_to_the_next_batch() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder().build(timer.clone(), log.handler(&timer, SECOND));
    run(
        &timer,
        async {
            let flushed = async {
                batch.flush().await.unwrap();
                let stats = batch.stats();
                assert_eq!(
                    (stats.succeeded, stats.waiting),
                    (1, 1),
                    "it waits for no more"
                );
            };
            let during = async {
                sleep(&timer, SECOND / 2).await;
                batch.add(2).await.unwrap();
            };
            join!(batch.add(1), flushed, during).0.unwrap();
            drop(batch);
        },
        end,
    );
    assert_eq!(log.batches(), [[1], [2]]);
}

#[test]
fn a_flush_takes_what_was_added_before_and_nothing_else() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder()
        .max_items(count(2))
        .build(timer.clone(), log.handler(&timer, Duration::ZERO));
    let mut adds: Vec<_> = (0..3).map(|n| task::spawn(batch.add(n))).collect();
    assert!(adds.iter_mut().all(|add| add.poll().is_pending()));
    let mut flush = task::spawn(batch.flush());
    assert!(flush.poll().is_pending());
    let mut later = task::spawn(batch.add(3));
    assert!(later.poll().is_pending());
    let mut end = task::spawn(end);
    assert!(end.poll().is_pending());
    assert_eq!(log.batches(), [vec![0, 1], vec![2]]);
    assert!(flush.is_woken() && flush.poll().is_ready());
    assert!(later.poll().is_pending() && !later.is_woken());
    drop(flush);
    timer.advance(SECOND);
    assert!(end.is_woken() && end.poll().is_pending());
    assert!(later.is_woken() && later.poll().is_ready());
}

#[test]
fn a_flush_waits_for_a_handler_that_has_begun_before() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder()
        .max_items(count(1))
        .concurrency(count(2))
        .build(timer.clone(), log.handler(&timer, SECOND));
    let start = timer.now();
    run(
        &timer,
        async {
            batch.push(1).await.unwrap();
            sleep(&timer, SECOND / 2).await;
            batch.flush().await.unwrap();
            assert_eq!(timer.now() - start, SECOND);
            drop(batch);
        },
        end,
    );
}

#[test]
fn the_run_ends_with_the_last_handle_and_handles_the_rest_at_once() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let start = timer.now();
    let (batch, end) = Batch::builder().build(timer.clone(), log.handler(&timer, Duration::ZERO));
    let clone = batch.clone();
    let mut end = task::spawn(end);
    let mut add = task::spawn(batch.add(1));
    // It can still be added, so the batch is open.
    let mut unpolled = task::spawn(clone.add(2));
    assert!(add.poll().is_pending() && end.poll().is_pending());
    drop((batch, clone));
    assert!(!end.is_woken(), "one may still add");
    assert!(unpolled.poll().is_pending());
    assert!(end.is_woken(), "none may");
    assert!(end.poll().is_ready());
    assert!(add.poll().is_ready() && unpolled.poll().is_ready());
    assert_eq!((log.batches(), timer.now()), (vec![vec![1, 2]], start));
}

#[test]
fn a_close_handles_the_rest_and_refuses_what_comes_later() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder().build(timer.clone(), log.handler(&timer, SECOND));
    let start = timer.now();
    run(
        &timer,
        async {
            batch.push(1).await.unwrap();
            let refused = async {
                sleep(&timer, SECOND / 2).await;
                assert_eq!(batch.add(2).await, Err(BatchError::Closed));
                assert_eq!(batch.push(3).await, Err(BatchError::Closed));
            };
            join!(batch.close(), refused).0.unwrap();
            assert_eq!(
                timer.now() - start,
                SECOND,
                "not a second for the wait, too"
            );
            batch.close().await.unwrap();
        },
        end,
    );
    assert_eq!(log.batches(), [[1]]);
}

#[test]
fn a_failure_and_a_wrong_count_are_told_to_the_whole_batch_and_no_other() {
    let timer = ManualTimer::new();
    let mut calls = 0;
    let (batch, end) =
        Batch::builder()
            .max_items(count(2))
            .build(timer.clone(), |items: Vec<u32>| {
                calls += 1;
                let answer: Handled = match calls {
                    1 => Err("down"),
                    2 => Ok(vec![Ok(1)]),
                    3 => Ok(vec![Ok(1); 3]),
                    4 => Ok(Vec::new()),
                    _ => Ok(items.into_iter().map(Ok).collect()),
                };
                async move { answer }
            });
    let answers = run(
        &timer,
        async {
            let answers = join_all((0..10).map(|n| batch.add(n))).await;
            drop(batch);
            answers
        },
        end,
    );
    let [a, b, c, d, e, f, g, h, i, j] = <[_; 10]>::try_from(answers).unwrap();
    assert!(matches!(&a, Err(BatchError::Handler(error)) if **error == "down") && a == b);
    for (wrong, count) in [(c, 1), (d, 1), (e, 3), (f, 3), (g, 0), (h, 0)] {
        let said = matches!(wrong, Err(BatchError::WrongCount { items: 2, results, .. }) if results == count);
        assert!(said, "{wrong:?}");
    }
    assert_eq!((i, j), (Ok(8), Ok(9)));
}

#[test]
fn a_push_waits_for_room_and_is_accepted_in_turn() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder()
        .max_items(count(2))
        .capacity(count(3))
        .max_wait(Duration::MAX)
        .build(timer.clone(), log.handler(&timer, SECOND));
    let mut end = task::spawn(end);
    let mut pushes: Vec<_> = (0..8).map(|n| task::spawn(batch.push(n))).collect();
    let mut ready = || -> Vec<usize> {
        let poll = |(n, push): (usize, &mut task::Spawn<_>)| {
            let push: &mut task::Spawn<tower_egress::batch::Push<u32, u32, &'static str>> = push;
            (!push.is_over() && push.poll().is_ready()).then_some(n)
        };
        pushes.iter_mut().enumerate().filter_map(poll).collect()
    };
    assert_eq!(ready(), [0, 1, 2]);
    assert_eq!(batch.stats().waiting, 8);
    assert!(end.poll().is_pending());
    assert_eq!(ready(), [3, 4], "two were taken");
    timer.advance(SECOND);
    assert!(end.poll().is_pending());
    assert_eq!(ready(), [5, 6]);
}

/// A [`Spawn`](task::Spawn) panics when it is polled after its end; this remembers nothing of its own.
trait IsOver {
    fn is_over(&self) -> bool;
}

impl<I, R, E> IsOver for task::Spawn<tower_egress::batch::Push<I, R, E>> {
    fn is_over(&self) -> bool {
        format!("{:?}", **self).contains("Over")
    }
}

#[test]
fn a_pusher_that_leaves_the_line_takes_its_item_along_and_moves_nobody_back() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder()
        .max_items(count(1))
        .capacity(count(1))
        .build(timer.clone(), log.handler(&timer, SECOND));
    let mut accepted = task::spawn(batch.push(0));
    let (mut leaves, mut stays) = (task::spawn(batch.push(1)), task::spawn(batch.push(2)));
    assert!(accepted.poll().is_ready());
    assert!(leaves.poll().is_pending() && stays.poll().is_pending());
    drop((leaves, accepted));
    assert!(stays.poll().is_pending(), "it has the same place as before");
    let mut end = task::spawn(end);
    assert!(end.poll().is_pending());
    assert!(stays.is_woken() && stays.poll().is_ready());
    drop((stays, batch));
    timer.run(end.into_inner());
    assert_eq!(log.batches(), [[0], [2]]);
}

#[test]
fn a_capacity_below_the_size_of_a_batch_does_not_keep_it_from_being_full() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let start = timer.now();
    let (batch, end) = Batch::builder()
        .max_items(count(5))
        .capacity(count(2))
        .build(timer.clone(), log.handler(&timer, Duration::ZERO));
    let work = async {
        for n in 0..10 {
            batch.push(n).await.unwrap();
        }
        drop(batch);
    };
    run(&timer, work, end);
    assert_eq!(timer.now(), start, "nobody waited for the time");
    assert_eq!(log.batches().len(), 2);
}

#[test]
fn a_dropped_add_is_withdrawn_before_it_was_taken_and_handled_afterwards() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder()
        .max_items(count(2))
        .build(timer.clone(), log.handler(&timer, SECOND));
    let mut end = task::spawn(end);
    let mut adds: Vec<_> = (0..3).map(|n| task::spawn(batch.add(n))).collect();
    assert!(adds[0].poll().is_pending() && adds[1].poll().is_pending());
    drop(adds.remove(0));
    assert!(adds[1].poll().is_pending());
    assert!(end.poll().is_pending());
    assert_eq!(log.batches(), [[1, 2]], "0 was withdrawn");
    let mut waits = task::spawn(batch.add(3));
    assert!(waits.poll().is_pending());
    drop((adds.remove(0), waits));
    timer.advance(SECOND);
    assert!(end.is_woken() && end.poll().is_pending());
    assert!(
        adds[0].is_woken() && adds[0].poll().is_ready(),
        "2 has its own"
    );
    let stats = batch.stats();
    assert_eq!((stats.succeeded, stats.withdrawn, stats.batches), (2, 2, 1));
    drop(batch);
    assert!(end.is_woken() && end.poll().is_ready());
}

/// The last thing to do is taken back: the run must hear of it.
#[test]
fn a_withdrawal_can_be_the_end() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder()
        .max_items(count(1))
        .build(timer.clone(), log.handler(&timer, SECOND));
    let mut end = task::spawn(end);
    let (mut busy, mut waits) = (task::spawn(batch.add(1)), task::spawn(batch.add(2)));
    let (mut flush, mut close) = (task::spawn(batch.flush()), task::spawn(batch.close()));
    assert!(busy.poll().is_pending() && waits.poll().is_pending());
    assert!(end.poll().is_pending() && flush.poll().is_pending() && close.poll().is_pending());
    timer.advance(SECOND / 2);
    drop(waits);
    timer.advance(SECOND / 2);
    assert!(end.poll().is_ready());
    assert!(flush.is_woken() && flush.poll().is_ready() && close.poll().is_ready());
    assert!(busy.poll().is_ready());
    assert_eq!(log.batches(), [[1]]);
}

#[test]
fn a_flush_whose_last_item_is_withdrawn_is_over() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, _end) = Batch::builder().build(timer.clone(), log.handler(&timer, SECOND));
    let mut add = task::spawn(batch.add(1));
    assert!(add.poll().is_pending());
    let mut flush = task::spawn(batch.flush());
    assert!(flush.poll().is_pending());
    drop(add);
    assert!(flush.is_woken() && flush.poll().is_ready());
}

#[test]
fn everybody_is_answered_when_the_run_is_dropped() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    let (batch, end) = Batch::builder()
        .max_items(count(1))
        .capacity(count(1))
        .build(timer.clone(), log.handler(&timer, SECOND));
    let mut end = task::spawn(end);
    let mut taken = task::spawn(batch.add(1));
    assert!(taken.poll().is_pending() && end.poll().is_pending());
    let mut waiting = task::spawn(batch.add(2));
    let mut in_line = task::spawn(batch.push(3));
    let mut flush = task::spawn(batch.flush());
    let mut close = task::spawn(batch.close());
    assert!(waiting.poll().is_pending() && in_line.poll().is_pending());
    assert!(flush.poll().is_pending() && close.poll().is_pending());
    drop(end);
    assert!(taken.is_woken() && waiting.is_woken() && in_line.is_woken());
    assert!(flush.is_woken() && close.is_woken());
    let answer = timer.run(taken.into_inner());
    assert_eq!(gone(&answer), Some(true), "its handler had begun");
    let answer = timer.run(waiting.into_inner());
    assert_eq!(gone(&answer), Some(false));
    let said = timer.run(in_line.into_inner()).unwrap_err().to_string();
    assert_eq!(
        said,
        "nobody handles the batch any more, and the item was not handled"
    );
    assert!(timer.run(flush.into_inner()).is_err());
    assert!(timer.run(close.into_inner()).is_err());
    let later = timer.run(batch.add(4));
    assert_eq!(gone(&later), Some(false));
    assert!(timer.run(batch.flush()).is_err());
    assert_eq!((batch.stats().lost, batch.stats().added), (3, 3));
    assert_eq!(timer.sleepers(), 0, "the handler was dropped");
}

#[test]
fn as_many_handlers_as_allowed_work_side_by_side() {
    for concurrency in [1_u32, 3] {
        let timer = ManualTimer::new();
        let (busy, most) = (Cell::new(0), Cell::new(0));
        let start = timer.now();
        let limit = count(concurrency.try_into().unwrap());
        let (batch, end) = Batch::builder()
            .max_items(count(1))
            .concurrency(limit)
            .build(timer.clone(), |items: Vec<u32>| {
                let (timer, busy, most) = (timer.clone(), &busy, &most);
                async move {
                    busy.set(busy.get() + 1);
                    most.set(busy.get().max(most.get()));
                    sleep(&timer, SECOND).await;
                    busy.set(busy.get() - 1);
                    Handled::Ok(items.into_iter().map(Ok).collect())
                }
            });
        let work = async {
            join_all((0..6).map(|n| batch.add(n))).await;
            drop(batch);
        };
        run(&timer, work, end);
        assert_eq!(most.get(), concurrency);
        assert_eq!(timer.now() - start, SECOND * 6 / concurrency);
    }
}

/// It waited for ever: no key had enough items, and none might come.
#[test]
fn who_waits_for_room_gets_it_though_no_key_has_a_full_batch() {
    let timer = ManualTimer::new();
    let (batches, end) = BatchBuilder::new()
        .max_items(count(4))
        .capacity(count(4))
        .max_wait(Duration::MAX)
        .build_keyed(timer, |_: &u32, items: Vec<u32>| async move {
            Handled::Ok(items.into_iter().map(Ok).collect())
        });
    let mut end = task::spawn(end);
    assert!(end.poll().is_pending());
    for key in 0..20 {
        let mut push = task::spawn(batches.push(key, key));
        let pushed = push.poll();
        assert!(end.poll().is_pending());
        assert!(pushed.is_ready() || push.poll().is_ready(), "{key}");
    }
    assert!(batches.stats().waiting <= 4, "{:?}", batches.stats());
}

#[test]
fn with_too_many_keys_the_oldest_is_handled_and_no_key_is_kept() {
    let timer = ManualTimer::new();
    let log = RefCell::new(Vec::new());
    let start = timer.now();
    let (batches, end) = BatchBuilder::new().max_keys(count(2)).build_keyed(
        timer.clone(),
        |key: &Rc<str>, items: Vec<u32>| {
            log.borrow_mut().push((key.to_string(), items.clone()));
            async move { Handled::Ok(items.into_iter().map(Ok).collect()) }
        },
    );
    let keys: Vec<Rc<str>> = ["a", "b", "c"].map(Rc::from).into();
    let mut end = task::spawn(end);
    let mut adds = Vec::new();
    for (key, item) in [(1, 10), (0, 20), (1, 11), (2, 30)] {
        let mut add = task::spawn(batches.add(Rc::clone(&keys[key]), item));
        assert!(add.poll().is_pending());
        assert!(end.poll().is_pending());
        adds.push(add);
    }
    assert_eq!(
        *log.borrow(),
        [("b".to_owned(), vec![10, 11])],
        "the third key was one too many"
    );
    assert!(adds[0].poll().is_ready() && adds[2].poll().is_ready());
    assert_eq!(timer.now(), start);
    timer.advance(SECOND);
    assert!(end.is_woken() && end.poll().is_pending());
    assert_eq!(log.borrow().len(), 3);
    assert!(adds[1].poll().is_ready() && adds[3].poll().is_ready());
    drop(adds);
    for key in &keys {
        assert_eq!(Rc::strong_count(key), 1, "{key} is gone with its last item");
    }
    drop(batches);
    assert!(end.is_woken() && end.poll().is_ready());
}

/// Keys that are full do not keep one from its turn whose time has come.
#[test]
fn the_batch_that_has_waited_longest_is_next() {
    let timer = ManualTimer::new();
    let log = RefCell::new(Vec::new());
    let (batches, end) = BatchBuilder::new().max_items(count(2)).build_keyed(
        timer.clone(),
        |key: &char, items: Vec<u32>| {
            log.borrow_mut().push(*key);
            let timer = timer.clone();
            async move {
                sleep(&timer, 2 * SECOND).await;
                Handled::Ok(items.into_iter().map(Ok).collect())
            }
        },
    );
    let work = async {
        let first = join!(batches.push('z', 0), batches.push('z', 0));
        first.0.unwrap();
        batches.push('m', 1).await.unwrap();
        for _ in 0..4 {
            batches.push('a', 2).await.unwrap();
        }
        sleep(&timer, SECOND).await;
        batches.close().await.unwrap();
    };
    run(&timer, work, end);
    assert_eq!(*log.borrow(), ['z', 'm', 'a', 'a']);
}

#[test]
fn nothing_that_is_not_send_keeps_it_from_working() {
    let timer = ManualTimer::new();
    let (batch, end) = Batch::builder().max_items(count(1)).build(
        timer.clone(),
        |items: Vec<Rc<u32>>| async move {
            let answers = items.into_iter().map(Ok::<_, Rc<str>>).collect();
            Ok(answers)
        },
    );
    let work = async {
        let answer = batch.add(Rc::new(7)).await;
        drop(batch);
        answer
    };
    assert_eq!(run(&timer, work, end), Ok(Rc::new(7)));
}

#[test]
fn chunks_are_taken_one_handler_ahead_and_fail_apart() {
    let timer = ManualTimer::new();
    let (taken, busy, most) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let items = (0..95_u32).inspect(|_| taken.set(taken.get() + 1));
    let results = timer.run(process_in_chunks(
        items,
        count(10),
        |chunk: Vec<u32>| {
            busy.set(busy.get() + 1);
            most.set(busy.get().max(most.get()));
            let first = chunk[0];
            assert!(
                taken.get() <= first + 10 * 3,
                "no more than there are handlers for"
            );
            let (timer, busy) = (timer.clone(), &busy);
            async move {
                // The later ones are faster.
                sleep(&timer, SECOND * (100 - first)).await;
                busy.set(busy.get() - 1);
                match first {
                    30 => Err("down"),
                    50 => Ok(vec![Ok(0); 9]),
                    _ => Handled::Ok(chunk.into_iter().map(Ok).collect()),
                }
            }
        },
        count(3),
    ));
    assert_eq!((results.len(), most.get()), (95, 3));
    for (number, result) in (0..).zip(&results) {
        match (number / 10, result) {
            (3, Err(BatchError::Handler(_))) | (5, Err(BatchError::WrongCount { .. })) => {}
            (_, Ok(result)) => assert_eq!(*result, number),
            (_, error) => panic!("{number}: {error:?}"),
        }
    }
}

/// Random adds, pushes, flushes, cancels, failures, and an end in the middle, from one seed.
///
/// Law: whatever was added is handled once, withdrawn, or lost; whoever waits is told the truth about its item.
fn random_schedule(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let timer = ManualTimer::new();
    let handled = RefCell::new(std::collections::BTreeMap::<u32, u32>::new());
    let handler_random = RefCell::new(random.fork());
    let builder = Batch::builder()
        .max_items(count(random.usize(1..8)))
        .max_wait(Duration::from_millis(random.u64(0..50)))
        .capacity(count(random.usize(1..20)))
        .concurrency(count(random.usize(1..4)));
    let keys = random.u32(1..5);
    let builder = builder.max_keys(count(random.usize(1..4)));
    let (batches, end) = builder.build_keyed(timer.clone(), |key: &u32, items: Vec<u32>| {
        for item in &items {
            assert_eq!(item % keys, *key, "an item of another key");
            *handled.borrow_mut().entry(*item).or_default() += 1;
        }
        let mut random = handler_random.borrow_mut();
        let (mode, wait) = (random.u8(0..12), Duration::from_millis(random.u64(0..20)));
        let timer = timer.clone();
        async move {
            sleep(&timer, wait).await;
            let answer = |item| if item % 7 == 3 { Err("bad") } else { Ok(item) };
            match mode {
                0 => Err("down"),
                1 => Handled::Ok(vec![Ok(0); items.len() + 1]),
                _ => Ok(items.into_iter().map(answer).collect()),
            }
        }
    });

    let answers = RefCell::new(Vec::<(u32, Result<u32, Error>)>::new());
    let accepted = RefCell::new(Vec::new());
    let mut clients: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    for item in 0..random.u32(1..200) {
        let start = Duration::from_millis(random.u64(0..100));
        let patience = match random.u8(0..4) {
            0 => Duration::from_millis(random.u64(0..60)),
            _ => 3600 * SECOND,
        };
        let kind = random.u8(0..10);
        let (batches, timer) = (batches.clone(), timer.clone());
        let (answers, accepted) = (&answers, &accepted);
        clients.push(Box::pin(async move {
            sleep(&timer, start).await;
            let work = pin!(async {
                match kind {
                    0 => drop(batches.flush().await),
                    1..4 => {
                        if batches.push(item % keys, item).await.is_ok() {
                            accepted.borrow_mut().push(item);
                        }
                    }
                    _ => {
                        let answer = batches.add(item % keys, item).await;
                        answers.borrow_mut().push((item, answer));
                    }
                }
            });
            select(work, pin!(sleep(&timer, patience))).await;
        }));
    }
    let end_at = Duration::from_millis(random.u64(0..150));
    let how = random.u8(0..3);
    let (closer, closer_timer) = (batches.clone(), &timer);
    let observer = batches.clone();
    drop(batches);
    let shutdown = async {
        let end = async {
            if how == 0 {
                // Dropped in the middle.
                select(pin!(end), pin!(sleep(&timer, end_at))).await;
            } else {
                end.await;
            }
        };
        let close = async move {
            sleep(closer_timer, end_at).await;
            if how == 1 {
                closer.close().await.unwrap();
                let stats = closer.stats();
                assert_eq!((stats.waiting, stats.handling), (0, 0), "seed {seed}");
            }
            // Now the last handle is dropped.
        };
        let check = async {
            for _ in 0..100 {
                sleep(&timer, Duration::from_millis(2)).await;
                let s = observer.stats();
                let sum = s.waiting + s.handling + s.succeeded + s.failed + s.withdrawn + s.lost;
                assert_eq!(s.added, sum, "seed {seed}: {s:?}");
            }
            drop(observer);
        };
        join!(end, close, check);
    };
    timer.run(join(shutdown, join_all(clients)));

    let handled = handled.into_inner();
    assert!(
        handled.values().all(|times| *times == 1),
        "seed {seed}: doubled"
    );
    for (item, answer) in answers.into_inner() {
        let was_handled = handled.contains_key(&item);
        match answer {
            Ok(result) => assert!(was_handled && result == item && item % 7 != 3),
            Err(BatchError::Item(_)) => assert!(was_handled && item % 7 == 3),
            Err(BatchError::Closed) => assert!(!was_handled && how == 1, "seed {seed}"),
            Err(BatchError::Gone { taken, .. }) => {
                assert!(taken == was_handled && how == 0, "seed {seed}: {item}");
            }
            Err(_) => assert!(was_handled, "seed {seed}: {item}"),
        }
    }
    if how != 0 {
        for item in accepted.into_inner() {
            assert!(
                handled.contains_key(&item),
                "seed {seed}: {item} was accepted and lost"
            );
        }
    }
    assert_eq!(timer.sleepers(), 0, "seed {seed}");
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
    use futures_util::future::Either;
    use tower_egress::TokioTimer;

    /// Panics unwind here; in a Worker they abort.
    #[test]
    fn a_panic_is_told_to_the_whole_batch_and_the_next_one_is_handled() {
        let timer = ManualTimer::new();
        let mut calls = 0;
        let (batch, end) =
            Batch::builder()
                .max_items(count(2))
                .build(timer.clone(), |items: Vec<u32>| {
                    calls += 1;
                    let call = calls;
                    assert!(call != 1, "before there is a future");
                    let timer = timer.clone();
                    async move {
                        sleep(&timer, SECOND).await;
                        assert!(call != 2, "in the future");
                        Handled::Ok(items.into_iter().map(Ok).collect())
                    }
                });
        let work = async {
            let answers = join_all((0..6).map(|n| batch.add(n))).await;
            drop(batch);
            answers
        };
        let answers = run(&timer, work, end);
        assert!(answers[..4].iter().all(|a| *a == Err(BatchError::Panicked)));
        assert_eq!(answers[4..], [Ok(4), Ok(5)]);
    }

    #[test]
    fn a_chunk_that_panics_fails_apart() {
        let results = ManualTimer::new().run(process_in_chunks(
            0..4,
            count(2),
            |chunk: Vec<u32>| async move {
                assert!(chunk[0] != 0);
                Handled::Ok(chunk.into_iter().map(Ok).collect())
            },
            count(1),
        ));
        let panicked = Err(BatchError::Panicked);
        assert_eq!(results, [panicked.clone(), panicked, Ok(2), Ok(3)]);
    }

    /// Everything can be sent if the parts can: handles, futures, and the run.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_threads_add_and_each_has_its_own_result() {
        let builder = Batch::builder().max_wait(Duration::from_millis(1));
        let (batch, end) = builder.concurrency(count(2)).capacity(count(150)).build(
            TokioTimer::new(),
            |items: Vec<u32>| async move {
                tokio::task::yield_now().await;
                Handled::Ok(items.into_iter().map(Ok).collect())
            },
        );
        let runtime = tokio::runtime::Handle::current();
        let end = runtime.spawn(end);
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let batch = batch.clone();
                runtime.spawn(async move {
                    for item in client * 1000..(client + 1) * 1000 {
                        if item % 4 == 0 {
                            assert_eq!(batch.add(item).await, Ok(item));
                        } else {
                            batch.push(item).await.unwrap();
                        }
                    }
                })
            })
            .collect();
        let all = async {
            for client in clients {
                client.await.unwrap();
            }
            batch.flush().await.unwrap();
            assert_eq!(batch.stats().succeeded, 8000);
            drop(batch);
            end.await.unwrap();
        };
        let patience = SleepUntil::new(TokioTimer::new(), TokioTimer::new().now() + 60 * SECOND);
        let (all, patience) = (pin!(all), pin!(patience));
        let ended = select(all, patience).await;
        assert!(matches!(ended, Either::Left(_)), "somebody waits for ever");
    }

    /// Pushes so many items of 1 KiB through a batch that may hold 200, and returns the most bytes that were allocated at once.
    fn peak(items: u32) -> u64 {
        let info = allocation_counter::measure(|| {
            let timer = ManualTimer::new();
            let sum = Cell::new(0_u64);
            let (batch, end) = Batch::builder().capacity(count(200)).build(
                timer.clone(),
                |chunk: Vec<Box<[u8; 1024]>>| {
                    sum.set(sum.get() + chunk.len() as u64);
                    let timer = timer.clone();
                    // The timer remembers what it was asked for.
                    drop(timer.requested());
                    async move {
                        sleep(&timer, Duration::from_millis(1)).await;
                        Ok::<_, &str>(chunk.iter().map(|_| Ok(())).collect())
                    }
                },
            );
            let work = async {
                for _ in 0..items {
                    batch.push(Box::new([1; 1024])).await.unwrap();
                }
                batch.close().await.unwrap();
                assert_eq!(batch.stats().succeeded, u64::from(items));
            };
            run(&timer, work, end);
            assert_eq!(sum.get(), u64::from(items));
        });
        info.bytes_max
    }

    #[test]
    fn memory_stays_flat_over_100_000_items() {
        // A first time, for what is allocated once.
        peak(1000);
        let (few, many) = (peak(1000), peak(100_000));
        assert!(many <= few + few / 10, "{few} bytes became {many}");
        assert!(many < 512 * 1024, "{many} bytes for 300 items of 1 KiB");
    }

    /// 100,000 callers wait at once, a tenth of them gives up, and some batches fail.
    #[test]
    fn of_100_000_waiters_each_is_answered() {
        let timer = ManualTimer::new();
        let handled = Cell::new(0_u64);
        let (batch, end) =
            Batch::builder()
                .concurrency(count(4))
                .build(timer.clone(), |items: Vec<u32>| {
                    handled.set(handled.get() + items.len() as u64);
                    let timer = timer.clone();
                    async move {
                        sleep(&timer, Duration::from_millis(u64::from(items[0] % 10))).await;
                        match items[0] % 1000 {
                            0 => Err("down"),
                            _ => Handled::Ok(items.into_iter().map(Ok).collect()),
                        }
                    }
                });
        let mut adds: Vec<_> = (0..100_000)
            .map(|item| Some(task::spawn(batch.add(item))))
            .collect();
        for add in adds.iter_mut().flatten() {
            assert!(add.poll().is_pending());
        }
        for add in adds.iter_mut().step_by(10) {
            *add = None;
        }
        let stats = {
            let batch = batch.clone();
            move || batch.stats()
        };
        let work = async { batch.close().await.unwrap() };
        run(&timer, work, end);
        let mut failed = 0;
        for (item, add) in (0..).zip(adds) {
            let Some(mut add) = add else { continue };
            assert!(add.is_woken());
            match add.poll() {
                std::task::Poll::Ready(Ok(answer)) => assert_eq!(answer, item),
                std::task::Poll::Ready(Err(BatchError::Handler(_))) => failed += 1,
                other => panic!("{item}: {other:?}"),
            }
        }
        assert_eq!((handled.get(), stats().failed), (90_000, failed));
        assert_eq!(
            (stats().withdrawn, stats().succeeded),
            (10_000, 90_000 - failed)
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]
        #[test]
        fn any_seed_keeps_the_law(seed: u64) {
            random_schedule(seed);
        }
    }
}

#[test]
fn instants_at_the_end_of_time_do_not_overflow() {
    let (timer, log) = (ManualTimer::new(), Log::default());
    timer.set(Instant::FAR_FUTURE - SECOND / 2);
    let (batch, end) = Batch::builder().build(timer.clone(), log.handler(&timer, Duration::ZERO));
    let mut end = task::spawn(end);
    let mut add = task::spawn(batch.add(1));
    assert!(add.poll().is_pending() && end.poll().is_pending());
    drop(batch);
    assert!(end.poll().is_ready() && add.poll().is_ready());
}
