//! What a status costs, and what it costs those whose status it is.
//!
//! Requests run on one thread while another reads statuses: never, a thousand times a second, as often as it can. The ratios are of the
//! medians of some rounds in turn.

use bench::{Origin, exchange, request};
use std::{
    hint::black_box,
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};
use tower_egress::{
    Api, Clock, Egress, Quota, TokioExecutor, TokioTimer,
    layers::concurrency_limit::{Config, Limiter, Permit},
};

const ROUNDS: usize = 15;
const CALLS: u32 = 200_000;
const OPEN: usize = 10_000;

type Shared = Egress<TokioTimer, TokioExecutor>;

/// Four APIs, whose limits nobody ever waits for.
fn egress() -> Shared {
    let quota =
        || Quota::new(1_000_000_000, Duration::from_secs(1)).expect("that is one in a nanosecond");
    let api = |name: &'static str| Api::new(name).with_quota(quota());
    Egress::builder()
        .executor(TokioExecutor::new())
        .concurrency(64)
        .api(api("github").with_host("api.github.com"))
        .api(api("search").with_host("search.example"))
        .api(api("claude").with_host("api.anthropic.com"))
        .otherwise(api("external"))
        .build()
}

/// Returns nanoseconds.
fn timed(times: u32, mut what: impl FnMut()) -> f64 {
    let clock = TokioTimer::new();
    let start = clock.now();
    (0..times).for_each(|_| what());
    (clock.now() - start).as_secs_f64() * 1e9 / f64::from(times)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What a request takes while somebody reads statuses, one after the other, with such a pause; and how many were read.
fn beside_a_reader(egress: &Shared, pause: Option<Option<Duration>>) -> (f64, u64) {
    let (done, read) = (&AtomicBool::new(false), &AtomicU64::new(0));
    let nanos = thread::scope(|scope| {
        if let Some(pause) = pause {
            scope.spawn(move || {
                while !done.load(Relaxed) {
                    black_box(egress.status());
                    read.fetch_add(1, Relaxed);
                    if let Some(pause) = pause {
                        thread::park_timeout(pause);
                    }
                }
            });
        }
        let mut client = egress.layer(Origin::new());
        let request = request();
        let nanos = timed(CALLS, || {
            black_box(exchange(&mut client, request.clone()));
        });
        done.store(true, Relaxed);
        nanos
    });
    (nanos, read.load(Relaxed))
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a runtime needs nothing but memory");
    let _entered = runtime.enter();
    let egress = egress();
    let status = timed(20_000, || {
        black_box(egress.status());
    });
    println!("one status of four APIs, idle: {:.1} us", status / 1e3);

    let ways = [None, Some(Some(Duration::from_millis(1))), Some(None)];
    let mut rounds = vec![Vec::new(); ways.len()];
    let mut reads = [0; 3];
    for _ in 0..ROUNDS {
        for (index, pause) in ways.iter().enumerate() {
            let (nanos, read) = beside_a_reader(&egress, *pause);
            rounds[index].push(nanos);
            reads[index] += read;
        }
    }
    let [alone, often, always] = [0, 1, 2].map(|index| median(rounds[index].clone()));
    println!("a request, nobody reads:           {alone:.0} ns");
    println!(
        "a thousand statuses a second:      {often:.0} ns, {:.3} times; {} read",
        often / alone,
        reads[1]
    );
    println!(
        "statuses without a pause:          {always:.0} ns, {:.3} times; {} read",
        always / alone,
        reads[2]
    );

    let limiter = Limiter::with_config(NonZeroUsize::MAX, Config::new(), TokioTimer::new());
    let _permits: Vec<Permit<_>> = (0..OPEN).filter_map(|_| limiter.try_acquire()).collect();
    println!(
        "figures of a limiter with {OPEN} permits out: {:.2} us",
        timed(20_000, || {
            black_box(limiter.stats());
        }) / 1e3
    );
}
