//! Pauses.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn it_pauses_on_the_timer_after_each_so_many_items() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..10_u32, timer.clone()).pause_every(count(3));
    let mut run = task::spawn(process.run(|n| future::ready(Ok::<_, Infallible>(n))));
    for pauses in 1..=3 {
        assert!(run.poll().is_pending());
        while run.is_woken() {
            assert!(run.poll().is_pending());
        }
        assert_eq!(timer.requested().len(), 1, "pause {pauses}");
        assert!(timer.advance_to_next());
        assert!(run.is_woken(), "by the timer");
    }
    assert!(matches!(run.poll(), std::task::Poll::Ready(outcome) if outcome.done == 10));
}

#[test]
fn it_pauses_when_it_was_busy_for_long() {
    let timer = ManualTimer::new();
    let process = Process::iter(0..10_u32, timer.clone()).pause_after(SECOND);
    let work = |_| {
        // Computing.
        timer.advance(SECOND * 4 / 10);
        future::ready(Ok::<_, Infallible>(()))
    };
    let outcome = timer.run(process.run(work));
    assert_eq!((outcome.done, timer.requested().len()), (10, 3));
}
