//! One admission, with nobody else there.

use crate::ours::{RATE, quota};
use bench::{Effort, Entry, Meter, Report};
use egress_time::{Clock, Instant, TokioTimer};
use egress_token_bucket::{Bucket, Cost};
use governor::{
    RateLimiter,
    clock::{FakeRelativeClock, MonotonicClock},
};
use ratelimit::Ratelimiter;
use std::{
    future::Future,
    hint::black_box,
    num::NonZeroU32,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// What an admission costs, and which rows the ratios need.
pub(crate) struct Buckets {
    pub(crate) report: Report,
    pub(crate) ours: Entry,
    pub(crate) ours_time_given: Entry,
    pub(crate) governor: Entry,
    pub(crate) governor_time_given: Entry,
}

/// Our clock, for ratelimit.
struct Elapsed(TokioTimer, Instant);

impl ratelimit::Clock for Elapsed {
    fn elapsed(&self) -> Duration {
        self.0.now() - self.1
    }
}

/// Measures admissions.
pub(crate) fn measure(effort: Effort) -> Buckets {
    let mut meter = Meter::new();
    let timer = TokioTimer::new();
    meter.section("One admission, uncontended");
    meter.add("reading our clock", move || {
        black_box(timer.now());
    });

    let bucket = Bucket::new(quota());
    let ours = meter.add("Bucket::try_depart", move || {
        let departure = bucket.try_depart(Cost::ONE, timer.now());
        drop(black_box(departure.expect("it never waits")));
    });
    let (bucket, start) = (Bucket::new(quota()), timer.now());
    let ours_time_given = meter.add("Bucket::try_depart, time given", move || {
        let departure = bucket.try_depart(Cost::ONE, start);
        drop(black_box(departure.expect("it never waits")));
    });
    let bucket = Bucket::new(quota());
    meter.add("Bucket::reserve, ready, depart", move || {
        let reservation = bucket.reserve(Cost::ONE, timer.now());
        let ready = reservation.expect("it never waits").ready(timer);
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(ready).poll(&mut cx) {
            Poll::Ready(Ok(departure)) => departure.succeeded(timer.now()),
            other => panic!("it waits: {other:?}"),
        }
    });

    let quota = governor::Quota::per_second(NonZeroU32::new(RATE).expect("not zero"));
    let limiter = RateLimiter::direct(quota);
    meter.add("governor check, quanta's clock", move || {
        limiter.check().expect("it never waits");
    });
    let limiter = RateLimiter::direct_with_clock(quota, MonotonicClock);
    let governor = meter.add("governor check, the system's clock", move || {
        limiter.check().expect("it never waits");
    });
    let limiter = RateLimiter::direct_with_clock(quota, FakeRelativeClock::default());
    let governor_time_given = meter.add("governor check, time given", move || {
        limiter.check().expect("it never waits");
    });
    let limiter = ratelimit::Builder::with_clock(RATE.into(), Elapsed(timer, timer.now()))
        .initial_available(RATE.into())
        .build()
        .expect("a valid limit");
    let limiter: Ratelimiter<Elapsed> = limiter;
    meter.add("ratelimit try_wait, our clock", move || {
        limiter.try_wait().expect("it never waits");
    });
    Buckets {
        report: meter.measure(effort),
        ours,
        ours_time_given,
        governor,
        governor_time_given,
    }
}
