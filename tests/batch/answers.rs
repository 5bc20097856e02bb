//! What each waiter is told.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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

/// Panics unwind here; in a Worker they abort.
#[cfg(not(target_arch = "wasm32"))]
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
