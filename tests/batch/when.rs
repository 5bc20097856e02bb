//! When a batch is handled.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
