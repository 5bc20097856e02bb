//! How far it has come.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn progress_is_told_while_it_runs() {
    let timer = ManualTimer::new();
    let stream = stream::iter(0..10).filter(|_| future::ready(true));
    let process = Process::new(stream, timer.clone());
    let handle = process.handle();
    assert_eq!(
        handle.progress().total,
        None,
        "a filtered stream does not know"
    );
    let process = process.total(10).concurrency(count(2));
    assert_eq!(handle.progress().elapsed, Duration::ZERO);
    let work = |number| {
        let timer = timer.clone();
        async move {
            sleep(&timer, SECOND).await;
            if number == 1 { Err("bad") } else { Ok(()) }
        }
    };
    let look = async {
        sleep(&timer, SECOND * 2).await;
        // Whoever is due at the same time may come first.
        sleep(&timer, SECOND / 2).await;
        let progress = handle.progress();
        assert_eq!((progress.begun, progress.done, progress.failed), (6, 3, 1));
        assert_eq!((progress.total, progress.is_over), (Some(10), false));
        assert_eq!(progress.elapsed, SECOND * 5 / 2);
        assert!((progress.per_second - 1.6).abs() < 1e-9);
        let left = progress.time_left.unwrap().as_secs_f64();
        assert!((left - 6.0 / 1.6).abs() < 1e-6, "{left}");
    };
    let outcome = timer.run(join(process.run(work), look)).0;
    assert_eq!((outcome.done, outcome.failed), (9, 1));
    let progress = handle.progress();
    assert!(progress.is_over);
    timer.advance(60 * SECOND);
    assert_eq!(handle.progress().elapsed, 5 * SECOND, "its time is over");
}
