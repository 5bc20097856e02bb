//! A bucket with many who wait.

use bench::{Cost as Price, Effort, cost_of};
use egress_time::{Clock, Instant, TokioTimer};
use egress_token_bucket::{Bucket, Cost, Quota, Reservation};
use fastrand::Rng;
use std::{hint::black_box, time::Duration};

const SIZES: [u32; 3] = [10, 1_000, 100_000];
/// How often one operation is repeated for a sample.
const FEW: u32 = 10;

/// A bucket and those who wait in it, in order. The clock of this bucket stands still.
struct Queue {
    bucket: Bucket,
    places: Vec<Reservation>,
    now: Instant,
}

impl Queue {
    fn of(waiting: u32) -> Self {
        let quota = Quota::new(1_000, Duration::from_secs(1));
        let quota = quota.and_then(|quota| quota.with_burst(1));
        let bucket = Bucket::builder(quota.expect("a valid quota"))
            .max_wait(Duration::from_secs(3600))
            .build();
        let now = Instant::ORIGIN + Duration::from_secs(3600);
        let first = bucket.try_depart(Cost::ONE, now).expect("a slot");
        first.succeeded(now);
        let mut queue = Self {
            bucket,
            places: Vec::with_capacity(usize::try_from(waiting + FEW).unwrap_or_default()),
            now,
        };
        queue.join(waiting);
        queue
    }

    fn join(&mut self, more: u32) {
        for _ in 0..more {
            let place = self.bucket.reserve(Cost::ONE, self.now);
            self.places.push(place.expect("an hour is enough"));
        }
    }

    fn take_from_the_middle(&mut self, count: u32) -> Vec<Reservation> {
        let count = usize::try_from(count).unwrap_or_default();
        let first = (self.places.len() - count) / 2;
        self.places.drain(first..first + count).collect()
    }
}

/// What one operation took, in nanoseconds.
struct Sample {
    nanos: f64,
    operations: u32,
    counted: allocation_counter::AllocationInfo,
}

fn sample(operations: u32, act: impl FnOnce()) -> Sample {
    let (clock, mut nanos) = (TokioTimer::new(), 0.0);
    let counted = allocation_counter::measure(|| {
        let start = clock.now();
        act();
        nanos = (clock.now() - start).as_secs_f64() * 1e9;
    });
    Sample {
        nanos: nanos / f64::from(operations),
        operations,
        counted,
    }
}

/// What is done with a queue of some size.
type Act = fn(u32) -> Sample;

const ACTS: [(&str, Act); 8] = [
    ("all join", |size| {
        let mut queue = Queue::of(0);
        sample(size, || queue.join(size))
    }),
    ("one more joins", |size| {
        let mut queue = Queue::of(size);
        sample(FEW, || queue.join(FEW))
    }),
    ("one leaves from the middle, of ten", |size| {
        leave_from_the_middle(size, FEW)
    }),
    ("one leaves from the middle, of a tenth", |size| {
        leave_from_the_middle(size, FEW.max(size / 10))
    }),
    ("all leave, in random order", |size| {
        let mut queue = Queue::of(size);
        Rng::with_seed(7).shuffle(&mut queue.places);
        let places = std::mem::take(&mut queue.places);
        sample(size, || drop(places))
    }),
    ("all leave, the first one first", |size| {
        let mut queue = Queue::of(size);
        let places = std::mem::take(&mut queue.places);
        sample(size, || drop(places))
    }),
    ("a pause", |size| {
        let queue = Queue::of(size);
        sample(FEW, || {
            for more in 1..=FEW {
                let pause = Duration::from_millis(1) * more;
                queue.bucket.pause_for(pause, queue.now);
            }
        })
    }),
    ("its status", |size| {
        let queue = Queue::of(size);
        sample(FEW, || {
            for _ in 0..FEW {
                black_box(queue.bucket.status(queue.now));
            }
        })
    }),
];

fn leave_from_the_middle(size: u32, count: u32) -> Sample {
    let mut queue = Queue::of(size);
    let leaving = queue.take_from_the_middle(count);
    sample(count, || drop(leaving))
}

/// Measures and prints.
pub(crate) fn measure(effort: Effort) {
    print!("{:<52}", "With so many waiting in a bucket (fastest)");
    let title = |size: &u32| format!("{size}");
    let titles: String = SIZES
        .iter()
        .map(|size| format!("{:>9}", title(size)))
        .collect();
    println!("{titles}{:>8}{:>8}", "factor", "allocs");
    for (name, act) in ACTS {
        let prices = SIZES.map(|size| price(effort, size, act));
        let factor = prices[2].fastest / prices[0].fastest;
        print!("  {name:<50}");
        for price in prices {
            print!("{:>9.1}", price.fastest);
        }
        println!("{factor:>8.1}{:>8.2}", prices[2].allocations);
    }
}

fn price(effort: Effort, size: u32, act: Act) -> Price {
    // A queue is made anew for each sample, and the long ones take a while.
    let rounds = if size > 1_000 {
        effort.rounds().div_ceil(8)
    } else {
        effort.rounds()
    };
    let mut samples: Vec<Sample> = (0..rounds).map(|_| act(size)).collect();
    let last = samples.pop().expect("there is a round");
    let nanos = samples.iter().chain([&last]).map(|sample| sample.nanos);
    cost_of(nanos.collect(), last.operations, last.counted)
}
