//! The order in which those depart who pay the same buckets.

mod common;

use common::{MILLI, SECOND, quota};
use egress_time::{Clock, ManualTimer};
use egress_token_bucket::{Bucket, BucketSet, Cost, Quota, Ready};
use std::{array, task::Poll, time::Duration};
use tokio_test::task::{Spawn, spawn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Numbers that look random and are the same each time.
struct Dice(fastrand::Rng);

impl Dice {
    fn quota(&mut self) -> Quota {
        let limit = self.0.u32(1..=12);
        let burst = self.0.u32(1..=limit);
        let spacing = MILLI * 70 * u32::from(self.0.bool());
        let period = MILLI * (80 * limit + self.0.u32(0..3_000));
        quota(limit, period, burst, spacing)
    }

    fn millis(&mut self, below: u32) -> Duration {
        MILLI * self.0.u32(0..below)
    }
}

/// Somebody who waits, and for which of the sets.
struct Caller {
    set: usize,
    task: Option<Spawn<Ready<ManualTimer>>>,
}

impl Caller {
    /// Tells whether it waits and was not called.
    fn sleeps(&mut self) -> bool {
        self.task.as_mut().is_some_and(|task| !task.is_woken())
    }
}

/// What happens besides arrivals.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    wakeups: bool,
    /// Those who are called at the same time come in any order.
    disorder: bool,
    cancels: bool,
}

/// Sixty callers of one bucket, another one, and both, at random times; returns how many departed, and how many of them
/// while an earlier one of the same set slept, by set.
fn run(seed: u64, trouble: Trouble) -> (usize, [usize; 3]) {
    let mut dice = Dice(fastrand::Rng::with_seed(seed));
    let timer = ManualTimer::new();
    let [one, other] = array::from_fn(|_| {
        Bucket::builder(dice.quota())
            .max_wait(SECOND * 360_000)
            .wakeups(trouble.wakeups)
            .build()
    });
    let sets = [
        BucketSet::new([one.clone(), other.clone()]),
        one.into(),
        other.into(),
    ];
    let shares = [1, 0, 0].map(|least| least + dice.0.usize(..4));
    let kinds: Vec<_> = (0..3).flat_map(|set| vec![set; shares[set]]).collect();
    let mean = dice.0.u32(1..400);
    let mut callers: Vec<Caller> = Vec::new();
    let mut next = timer.now();
    let (mut departed, mut overtook) = (0, [0; 3]);
    loop {
        loop {
            let mut called: Vec<_> = (0..callers.len()).collect();
            called.retain(|&caller| {
                let task = callers[caller].task.as_mut();
                task.is_some_and(|task| task.is_woken())
            });
            if called.is_empty() {
                break;
            }
            if trouble.disorder {
                dice.0.shuffle(&mut called);
            }
            for caller in called {
                let Caller { set, task } = &mut callers[caller];
                let polled = task.as_mut().map_or(Poll::Pending, |task| task.poll());
                if let Poll::Ready(departure) = polled {
                    let set = *set;
                    *task = None;
                    departure.expect("there is time").succeeded(timer.now());
                    departed += 1;
                    let mut earlier = callers[..caller].iter_mut();
                    overtook[set] +=
                        usize::from(earlier.any(|other| other.set == set && other.sleeps()));
                }
            }
        }
        let is_full = callers.len() >= 60;
        match timer.next_deadline() {
            Some(at) if is_full || at < next => timer.set(at.max(timer.now())),
            None if is_full => return (departed, overtook),
            _ => {
                timer.set(next.max(timer.now()));
                for _ in 0..dice.0.usize(1..5) {
                    let set = kinds[dice.0.usize(..kinds.len())];
                    let reserved = sets[set].reserve(Cost::ONE, timer.now());
                    let mut task = spawn(reserved.expect("there is room").ready(timer.clone()));
                    task.enter(|cx, _| cx.waker().wake_by_ref());
                    let task = Some(task);
                    callers.push(Caller { set, task });
                }
                if trouble.cancels && dice.0.bool() {
                    let caller = dice.0.usize(..callers.len());
                    callers[caller].task = None;
                }
                next = timer.now() + dice.millis(2 * mean);
            }
        }
    }
}

/// T3, T10: whichever of the two it had to wait for, and however often, between any others. Who is called and does not
/// come is not waited for.
#[test]
fn those_who_pay_the_same_two_buckets_depart_in_the_order_of_their_arrival() {
    let troubles = (0..8_u8).map(|bits| Trouble {
        wakeups: bits & 1 > 0,
        disorder: bits & 2 > 0,
        cancels: bits & 4 > 0,
    });
    for trouble in troubles {
        let mut all = 0;
        for seed in 0..100 {
            let (departed, [of_both, ..]) = run(seed, trouble);
            assert_eq!(of_both, 0, "overtook others: seed {seed}, {trouble:?}");
            all += departed;
        }
        assert!(all >= 4_000, "{all} departed");
    }
}
