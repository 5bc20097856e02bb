//! Items that are all there already.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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

#[cfg(not(target_arch = "wasm32"))]
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

/// Handlers that never wait would keep whoever polls to the end of all items.
#[test]
fn chunks_that_are_ready_at_once_let_others_have_their_turn() {
    let handler =
        |chunk: Vec<u32>| std::future::ready(Handled::Ok(chunk.into_iter().map(Ok).collect()));
    let chunks = process_in_chunks(0..10_000_u32, count(10), handler, count(2));
    let mut chunks = task::spawn(chunks);
    let mut turns = 0;
    let results = loop {
        match chunks.poll() {
            std::task::Poll::Ready(results) => break results,
            std::task::Poll::Pending => assert!(chunks.is_woken(), "it waits for nobody"),
        }
        turns += 1;
    };
    assert_eq!(results.len(), 10_000);
    assert!((20..200).contains(&turns), "{turns} turns for 1,000 chunks");
}
