//! Flushes, and the ends of a batch.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
