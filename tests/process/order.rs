//! Which items are worked on, and in which order results are consumed.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
        assert_eq!(busy.most(), limit.get());
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
fn nothing_that_is_not_send_keeps_it_from_working() {
    let timer = ManualTimer::new();
    let stream = stream::iter([Rc::new(1), Rc::new(2)]);
    let (results, _) = timer
        .run(Process::new(stream, timer.clone()).collect(async |n: Rc<u32>| Ok::<_, Rc<str>>(n)));
    assert_eq!(results, [Rc::new(1), Rc::new(2)]);
}
