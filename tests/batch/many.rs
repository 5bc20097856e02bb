//! Many threads, many items, many waiters.

use super::{toolbox::measured, *};
use futures_util::future::{Either, select};
use std::{collections::BTreeSet, pin::pin};
use toolbox_suite::schedule::{self, Ending, Size};
use tower_egress::TokioTimer;

/// Everything can be sent if the parts can: handles, futures, and the run.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_add_and_each_has_its_own_result() {
    let builder = Batch::builder().max_wait(Duration::from_millis(1));
    let (batch, end) = builder.concurrency(count(2)).capacity(count(150)).build(
        TokioTimer::new(),
        |items: Vec<u32>| async move {
            tokio::task::yield_now().await;
            Handled::Ok(items.into_iter().map(Ok).collect())
        },
    );
    let runtime = tokio::runtime::Handle::current();
    let end = runtime.spawn(end);
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let batch = batch.clone();
            runtime.spawn(async move {
                for item in client * 1000..(client + 1) * 1000 {
                    if item % 4 == 0 {
                        assert_eq!(batch.add(item).await, Ok(item));
                    } else {
                        batch.push(item).await.unwrap();
                    }
                }
            })
        })
        .collect();
    let all = async {
        for client in clients {
            client.await.unwrap();
        }
        batch.flush().await.unwrap();
        assert_eq!(batch.stats().succeeded, 8000);
        drop(batch);
        end.await.unwrap();
    };
    let patience = SleepUntil::new(TokioTimer::new(), TokioTimer::new().now() + 60 * SECOND);
    let (all, patience) = (pin!(all), pin!(patience));
    let ended = select(all, patience).await;
    assert!(matches!(ended, Either::Left(_)), "somebody waits for ever");
}

/// Pushes so many items of 1 KiB through a batch that may hold 200, and returns the most bytes that were allocated at once.
fn peak(items: u32) -> u64 {
    let info = allocation_counter::measure(|| {
        let timer = ManualTimer::new();
        let sum = Cell::new(0_u64);
        let (batch, end) = Batch::builder().capacity(count(200)).build(
            timer.clone(),
            |chunk: Vec<Box<[u8; 1024]>>| {
                sum.set(sum.get() + chunk.len() as u64);
                let timer = timer.clone();
                // The timer remembers what it was asked for.
                drop(timer.requested());
                async move {
                    sleep(&timer, Duration::from_millis(1)).await;
                    Ok::<_, &str>(chunk.iter().map(|_| Ok(())).collect())
                }
            },
        );
        let work = async {
            for _ in 0..items {
                batch.push(Box::new([1; 1024])).await.unwrap();
            }
            batch.close().await.unwrap();
            assert_eq!(batch.stats().succeeded, u64::from(items));
        };
        run(&timer, work, end);
        assert_eq!(sum.get(), u64::from(items));
    });
    info.bytes_max
}

#[test]
fn memory_stays_flat_over_100_000_items() {
    // A first time, for what is allocated once.
    peak(1000);
    let (few, many) = (peak(1000), peak(100_000));
    assert!(many <= few + few / 10, "{few} bytes became {many}");
    assert!(many < 512 * 1024, "{many} bytes for 300 items of 1 KiB");
}

/// 100,000 callers wait at once, a tenth of them gives up, and some batches fail.
#[test]
fn of_100_000_waiters_each_is_answered() {
    let timer = ManualTimer::new();
    let handled = Cell::new(0_u64);
    let (batch, end) =
        Batch::builder()
            .concurrency(count(4))
            .build(timer.clone(), |items: Vec<u32>| {
                handled.set(handled.get() + items.len() as u64);
                let timer = timer.clone();
                async move {
                    sleep(&timer, Duration::from_millis(u64::from(items[0] % 10))).await;
                    match items[0] % 1000 {
                        0 => Err("down"),
                        _ => Handled::Ok(items.into_iter().map(Ok).collect()),
                    }
                }
            });
    let mut adds: Vec<_> = (0..100_000)
        .map(|item| Some(task::spawn(batch.add(item))))
        .collect();
    for add in adds.iter_mut().flatten() {
        assert!(add.poll().is_pending());
    }
    for add in adds.iter_mut().step_by(10) {
        *add = None;
    }
    let stats = {
        let batch = batch.clone();
        move || batch.stats()
    };
    let work = async { batch.close().await.unwrap() };
    run(&timer, work, end);
    let mut failed = 0;
    for (item, add) in (0..).zip(adds) {
        let Some(mut add) = add else { continue };
        assert!(add.is_woken());
        match add.poll() {
            std::task::Poll::Ready(Ok(answer)) => assert_eq!(answer, item),
            std::task::Poll::Ready(Err(BatchError::Handler(_))) => failed += 1,
            other => panic!("{item}: {other:?}"),
        }
    }
    assert_eq!((handled.get(), stats().failed), (90_000, failed));
    assert_eq!(
        (stats().withdrawn, stats().succeeded),
        (10_000, 90_000 - failed)
    );
}

#[test]
fn keys_that_come_and_go_leave_nothing() {
    let peak = |keys: u32| {
        let info = allocation_counter::measure(|| {
            let timer = ManualTimer::new();
            let builder = BatchBuilder::new().capacity(count(200)).max_keys(count(20));
            let (batches, end) = builder.build_keyed(timer.clone(), |_: &u32, items: Vec<u32>| {
                drop(timer.requested());
                let timer = timer.clone();
                async move {
                    sleep(&timer, Duration::from_millis(1)).await;
                    Handled::Ok(items.into_iter().map(Ok).collect())
                }
            });
            let work = async {
                for key in 0..keys {
                    batches.push(key, key).await.unwrap();
                    // One that is withdrawn, of another key.
                    let mut add = task::spawn(batches.add(key + keys, key));
                    assert!(key % 10 != 0 || add.poll().is_pending());
                }
                batches.close().await.unwrap();
            };
            run(&timer, work, end);
        });
        info.bytes_max
    };
    peak(1000);
    let (few, many) = (peak(1000), peak(30_000));
    assert!(many <= few + few / 10, "{few} bytes became {many}");
}

fn law(seed: u64, items: u32) -> (Ending, u64) {
    let size = Size {
        items,
        clients: 100,
        longest: 20,
    };
    measured(|timer| schedule::batch(timer, seed, size))
}

/// With cancels, failures, flushes, and, in two of three, an end in the middle.
#[test]
fn nothing_is_lost_or_doubled_among_100_000_items_and_memory_is_flat() {
    let mut endings = BTreeSet::new();
    for seed in [3, 4, 5] {
        let ((_, few), (ending, many)) = (law(seed, 1000), law(seed, 100_000));
        endings.insert(ending);
        // Of each item the schedule itself notes two bytes.
        let more = many.saturating_sub(few + 2 * 99_000);
        assert!(more <= few / 10, "{few} bytes became {many}");
    }
    assert_eq!(endings.len(), 3, "{endings:?}");
}
