//! K3, K5 under contention: owners read and drop while others cancel.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use egress_body_cleanup::{BodyCleanupLayer, IdleCancelled};
use egress_time::ManualTimer;
use http::{Request, Response};
use http_body::{Body, Frame};
use std::{
    future::{Pending, pending, ready},
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};
use tower::{BoxError, Layer, Service, service_fn};

const OWNERS: usize = 4;
const BODIES: u32 = 2_000;
const FRAMES: u32 = 5;

struct Frames(u32);

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame")))))
    }
}

/// Never ready: whoever asks waits, and cancels what is idle meanwhile.
struct Full;

impl Service<Request<()>> for Full {
    type Response = Response<Frames>;
    type Error = BoxError;
    type Future = Pending<Result<Response<Frames>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        pending()
    }
}

/// K3, K5
#[test]
fn each_body_is_counted_once_and_each_owner_told_what_became_of_it() {
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone()).with_idle_timeout(Some(Duration::ZERO));
    let owners_left = AtomicU64::new(u64::try_from(OWNERS).unwrap());
    let (read, cancelled) = (AtomicU64::new(0), AtomicU64::new(0));
    let saw_one = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut waiter = layer.layer(Full);
            let mut cx = Context::from_waker(Waker::noop());
            while owners_left.load(Ordering::Acquire) > 0 {
                assert!(waiter.poll_ready(&mut cx).is_pending());
                timer.advance(Duration::from_millis(1));
            }
        });
        for owner in 0..OWNERS {
            let (layer, owners_left, timer) = (&layer, &owners_left, &timer);
            let (read, cancelled, saw_one) = (&read, &cancelled, &saw_one);
            scope.spawn(move || {
                let mut service = layer.layer(service_fn(|_: Request<()>| {
                    ready(Ok::<_, BoxError>(Response::new(Frames(FRAMES))))
                }));
                let mut cx = Context::from_waker(Waker::noop());
                for n in 0..BODIES {
                    let response = timer.run(service.call(Request::new(()))).unwrap();
                    let mut body = pin!(response.into_body());
                    if owner == 0 && !saw_one.load(Ordering::Relaxed) {
                        // Once, so that the test is about something on any machine.
                        while layer.stats().counts().idle == 0 {
                            thread::yield_now();
                        }
                        saw_one.store(true, Ordering::Relaxed);
                    }
                    // Every other one is dropped half-way.
                    for _ in 0..(if n % 2 == 0 { FRAMES + 1 } else { FRAMES / 2 }) {
                        match body.as_mut().poll_frame(&mut cx) {
                            Poll::Ready(Some(Ok(frame))) => assert!(frame.is_data()),
                            Poll::Ready(Some(Err(error))) => {
                                assert!(error.is::<IdleCancelled>());
                                cancelled.fetch_add(1, Ordering::Relaxed);
                            }
                            Poll::Ready(None) => {
                                read.fetch_add(1, Ordering::Relaxed);
                                break;
                            }
                            Poll::Pending => unreachable!("it never is"),
                        }
                    }
                }
                owners_left.fetch_sub(1, Ordering::Release);
            });
        }
    });
    let counts = layer.stats().counts();
    let total = counts.ended + counts.drained + counts.idle;
    assert_eq!(total, u64::try_from(OWNERS).unwrap() * u64::from(BODIES));
    assert_eq!((counts.live, counts.failed, counts.cancelled), (0, 0, 0));
    // Who is told of a cancel reads no end, except that of the error itself.
    assert!(cancelled.into_inner() <= counts.idle && counts.idle > 0);
    assert!(read.into_inner() >= counts.ended);
}
