//! Many items, and threads.

use super::{toolbox::measured, *};
use std::collections::BTreeSet;
use toolbox_suite::schedule::{self, Ending, Size};
use tower_egress::TokioTimer;

/// The future of a process can be sent if its parts can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_spawned() {
    let timer = TokioTimer::new();
    let limiter = Limiter::new(count(3), timer);
    let quota = Quota::new(1_000_000, SECOND).unwrap();
    let process = Process::iter(0..1000_u64, timer)
        .concurrency(count(8))
        .rate_limit(Bucket::new(quota))
        .connection_limit(limiter);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    let runtime = tokio::runtime::Handle::current();
    let process = runtime.spawn(async move {
        let work = |number| async move {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(number)
        };
        let send = async move |number| {
            sender.send(number).await.unwrap();
            Ok(())
        };
        process.for_each(work, send).await
    });
    for expected in 0..1000 {
        assert_eq!(receiver.recv().await, Some(expected));
    }
    assert_eq!(process.await.unwrap().done, 1000);
}

/// Processes so many items of 1 KiB in chunks of 50, and returns the most bytes that were allocated at once.
fn peak(items: u32) -> u64 {
    let info = allocation_counter::measure(|| {
        let timer = ManualTimer::new();
        let source = (0..items).map(|_| Box::new([1_u8; 1024]));
        let process = Process::iter(source, timer.clone())
            .chunks(count(50))
            .concurrency(count(2));
        let work = |chunk: Vec<Box<[u8; 1024]>>| {
            let timer = timer.clone();
            async move {
                sleep(&timer, Duration::from_millis(1)).await;
                Ok::<_, Infallible>(chunk)
            }
        };
        let mut seen = 0;
        let outcome = timer.run(process.for_each(work, async |chunk: Vec<_>| {
            seen += chunk.len();
            // Slower than the work, so that results wait.
            sleep(&timer, Duration::from_millis(2)).await;
            // The timer remembers what it was asked for.
            drop(timer.requested());
            Ok(())
        }));
        assert_eq!(outcome.done, u64::from(items));
        assert_eq!(seen as u64, u64::from(items));
    });
    info.bytes_max
}

#[test]
fn memory_is_bounded_by_the_chunks_over_100_000_items() {
    peak(1000);
    let (few, many) = (peak(1000), peak(100_000));
    assert!(many <= few + few / 10, "{few} bytes became {many}");
    // Two under way and two that wait, one with the consumer, one being collected.
    assert!(many < 6 * 50 * 1100, "{many} bytes");
}

#[test]
fn errors_do_not_pile_up_over_100_000_items() {
    let peak = |items: u32| {
        let info = allocation_counter::measure(|| {
            let timer = ManualTimer::new();
            let process = Process::iter(0..items, timer.clone()).concurrency(count(16));
            let work = |_| future::ready(Err::<(), _>(Box::new([1_u8; 1024])));
            let outcome = timer.run(process.as_they_come().run(work));
            assert_eq!(
                (outcome.failed, outcome.errors.len()),
                (u64::from(items), 100)
            );
        });
        info.bytes_max
    };
    peak(1000);
    let (few, many) = (peak(1000), peak(100_000));
    assert!(many <= few + few / 10, "{few} bytes became {many}");
}

fn law(seed: u64, items: u32) -> (Ending, u64) {
    let size = Size {
        items,
        clients: 8,
        longest: 20,
    };
    measured(|timer| schedule::process(timer, seed, size))
}

/// With failures, limits, and, in two of three, an end in the middle.
#[test]
fn nothing_is_lost_or_doubled_among_100_000_items_and_memory_is_flat() {
    let mut endings = BTreeSet::new();
    for seed in [4, 5, 9] {
        let ((_, few), (ending, many)) = (law(seed, 1000), law(seed, 100_000));
        endings.insert(ending);
        // Of each item the schedule itself notes two bytes, and the first errors are kept.
        let more = many.saturating_sub(few + 2 * 99_000);
        assert!(more <= 24_000, "{few} bytes became {many}");
    }
    assert_eq!(endings.len(), 3, "{endings:?}");
}
