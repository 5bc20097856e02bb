//! Many write and many read at once.
#![cfg(not(target_arch = "wasm32"))]

use bytes::Bytes;
use egress_time::{Clock, Instant, ManualTimer};
use egress_timing::{Outcome, Phase, Recorder, TimingLayer};
use http::{Request, Response};
use http_body_util::Empty;
use std::{
    convert::Infallible,
    future::{self, Future},
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    task::{Context, Waker},
    thread,
    time::Duration,
};
use tower::{Layer, Service, service_fn};

/// A clock that every reading moves on, so that windows change all the time.
#[derive(Clone, Copy, Debug)]
struct Hurrying<'a>(&'a AtomicU64);

impl Clock for Hurrying<'_> {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.fetch_add(10_000_000, Relaxed))
    }

    fn unix_time(&self) -> Duration {
        Duration::ZERO
    }
}

/// M1, M4: nothing is lost or counted twice, windows change 400 times, and snapshots taken meanwhile make sense.
#[test]
fn writers_and_readers_do_not_disturb_each_other() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 25_000;
    let recorder = Recorder::new(["one"]);
    let time = AtomicU64::new(0);
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while writing.load(Relaxed) {
                    let snapshot = recorder.snapshot(Instant::from_nanos(time.load(Relaxed)));
                    let one = snapshot.label("one").unwrap();
                    let (minute, lifetime) = (one.minute(), one.lifetime());
                    assert!(lifetime.requests() >= last, "the lifetime only grows");
                    assert!(
                        minute.requests() <= lifetime.requests(),
                        "the minute is a part of it"
                    );
                    assert!(
                        minute.phase(Phase::Total).count() <= lifetime.phase(Phase::Total).count()
                    );
                    last = lifetime.requests();
                }
            });
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let layer = TimingLayer::new(Hurrying(&time), recorder.clone())
                    .with_label(|_: &_, _: &_| Some(0));
                scope.spawn(move || {
                    let mut service = layer.layer(service_fn(|_: Request<()>| {
                        future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
                    }));
                    for _ in 0..EACH {
                        let mut response = tokio_test::task::spawn(service.call(Request::new(())));
                        assert!(response.poll().is_ready());
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        writing.store(false, Relaxed);
    });
    let snapshot = recorder.snapshot(Instant::from_nanos(time.load(Relaxed)));
    let one = snapshot.label("one").unwrap();
    assert_eq!(one.lifetime().outcome(Outcome::Ok), WRITERS * EACH);
    for phase in Phase::ALL {
        assert_eq!(
            one.lifetime().phase(*phase).count(),
            WRITERS * EACH,
            "{phase}"
        );
    }
    // Two readings of 10 ms make a request, so 60 seconds are 3000 of them; a few more where a thread slept between its
    // reading of the clock and its record.
    let minute = one.minute().requests();
    assert!(minute <= 3100, "{minute} in the last minute");
}

/// M4: a record allocates nothing but the context that the layers inside share, which is one allocation and three for
/// the first extension of a request.
#[test]
fn a_record_allocates_nothing_of_its_own() {
    let timer = ManualTimer::new();
    let recorder = Recorder::unlabelled();
    let mut service =
        TimingLayer::new(timer.clone(), recorder.clone()).layer(service_fn(|_: Request<()>| {
            future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        }));
    let mut request = || {
        let mut request = Request::new(());
        egress_context::RequestContext::join(request.extensions_mut());
        let mut response = service.call(request);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut response).poll(&mut cx).is_ready());
    };
    request();
    let context = allocation_counter::measure(|| {
        let mut request = Request::new(());
        egress_context::RequestContext::join(request.extensions_mut());
        egress_context::RequestContext::join(request.extensions_mut());
    });
    let measured = allocation_counter::measure(&mut request);
    assert_eq!(measured.count_total, context.count_total);
    assert!(context.count_total > 0, "the counter counts");
    timer.advance(Duration::from_millis(1));
    assert_eq!(
        recorder
            .snapshot(timer.now())
            .unlabelled()
            .lifetime()
            .requests(),
        2
    );
}
