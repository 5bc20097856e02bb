//! Items that fail.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
