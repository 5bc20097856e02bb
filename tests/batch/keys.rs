//! Batches by key.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn with_too_many_keys_the_oldest_is_handled_and_no_key_is_kept() {
    let timer = ManualTimer::new();
    let log = RefCell::new(Vec::new());
    let start = timer.now();
    let (batches, end) = BatchBuilder::new().max_keys(count(2)).build_keyed(
        timer.clone(),
        |key: &Rc<str>, items: Vec<u32>| {
            log.borrow_mut().push((key.to_string(), items.clone()));
            async move { Handled::Ok(items.into_iter().map(Ok).collect()) }
        },
    );
    let keys: Vec<Rc<str>> = ["a", "b", "c"].map(Rc::from).into();
    let mut end = task::spawn(end);
    let mut adds = Vec::new();
    for (key, item) in [(1, 10), (0, 20), (1, 11), (2, 30)] {
        let mut add = task::spawn(batches.add(Rc::clone(&keys[key]), item));
        assert!(add.poll().is_pending());
        assert!(end.poll().is_pending());
        adds.push(add);
    }
    assert_eq!(
        *log.borrow(),
        [("b".to_owned(), vec![10, 11])],
        "the third key was one too many"
    );
    assert!(adds[0].poll().is_ready() && adds[2].poll().is_ready());
    assert_eq!(timer.now(), start);
    timer.advance(SECOND);
    assert!(end.is_woken() && end.poll().is_pending());
    assert_eq!(log.borrow().len(), 3);
    assert!(adds[1].poll().is_ready() && adds[3].poll().is_ready());
    drop(adds);
    for key in &keys {
        assert_eq!(Rc::strong_count(key), 1, "{key} is gone with its last item");
    }
    drop(batches);
    assert!(end.is_woken() && end.poll().is_ready());
}

/// Keys that are full do not keep one from its turn whose time has come.
#[test]
fn the_batch_that_has_waited_longest_is_next() {
    let timer = ManualTimer::new();
    let log = RefCell::new(Vec::new());
    let (batches, end) = BatchBuilder::new().max_items(count(2)).build_keyed(
        timer.clone(),
        |key: &char, items: Vec<u32>| {
            log.borrow_mut().push(*key);
            let timer = timer.clone();
            async move {
                sleep(&timer, 2 * SECOND).await;
                Handled::Ok(items.into_iter().map(Ok).collect())
            }
        },
    );
    let work = async {
        let first = join!(batches.push('z', 0), batches.push('z', 0));
        first.0.unwrap();
        batches.push('m', 1).await.unwrap();
        for _ in 0..4 {
            batches.push('a', 2).await.unwrap();
        }
        sleep(&timer, SECOND).await;
        batches.close().await.unwrap();
    };
    run(&timer, work, end);
    assert_eq!(*log.borrow(), ['z', 'm', 'a', 'a']);
}

/// What a batch costs must not depend on how many others wait: this took minutes.
#[test]
fn many_keys_are_handled_one_by_one() {
    let timer = ManualTimer::new();
    let (batches, end) =
        BatchBuilder::new().build_keyed(timer.clone(), |key: &u32, items: Vec<u32>| {
            assert_eq!(items, [*key]);
            async move { Handled::Ok(items.into_iter().map(Ok).collect()) }
        });
    let work = async {
        let adds = join_all((0..20_000).map(|key| batches.add(key, key))).await;
        assert!(adds.into_iter().eq((0..20_000).map(Ok)));
        drop(batches);
    };
    run(&timer, work, end);
}

/// A key that panics when it is cloned or compared takes its own item along and nobody else's.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_key_that_panics_leaves_no_half_of_an_item() {
    use std::{
        cmp::Ordering,
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicU32, Ordering::Relaxed},
    };
    static LEFT: AtomicU32 = AtomicU32::new(u32::MAX);

    fn touch() {
        let left = LEFT.fetch_sub(1, Relaxed);
        assert!(left != 0, "that was one too many");
    }

    #[derive(PartialEq, Eq)]
    struct Key(u32);

    impl Clone for Key {
        fn clone(&self) -> Self {
            touch();
            Self(self.0)
        }
    }

    impl PartialOrd for Key {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Key {
        fn cmp(&self, other: &Self) -> Ordering {
            touch();
            self.0.cmp(&other.0)
        }
    }

    let mut most = 0;
    for left in 0.. {
        let timer = ManualTimer::new();
        let builder = BatchBuilder::new().max_items(count(2));
        let (batches, end) = builder.build_keyed(timer.clone(), |_: &Key, items: Vec<u32>| async {
            Handled::Ok(items.into_iter().map(Ok).collect())
        });
        let mut before = task::spawn(batches.add(Key(2), 0));
        assert!(before.poll().is_pending());
        LEFT.store(left, Relaxed);
        let mut bad = task::spawn(batches.add(Key(1), 1));
        let panicked = catch_unwind(AssertUnwindSafe(|| drop(bad.poll()))).is_err();
        LEFT.store(u32::MAX, Relaxed);
        drop(bad);
        let work = async {
            assert_eq!(
                join!(before, batches.add(Key(0), 3)),
                (Ok(0), Ok(3)),
                "after {left} clones and comparisons"
            );
            assert_eq!(batches.add(Key(1), 2).await, Ok(2));
            let stats = batches.stats();
            assert_eq!((stats.waiting, stats.handling), (0, 0));
            drop(batches);
        };
        run(&timer, work, end);
        most = left;
        if !panicked {
            break;
        }
    }
    assert!(most >= 3, "two clones and a comparison: {most}");
}
