//! Who waits for room.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
