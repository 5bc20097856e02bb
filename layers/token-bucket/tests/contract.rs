//! What tower expects of every service.

mod common;

use common::{one_a_second, status};
use egress_context::{Failure, RequestContext};
use egress_time::{Clock, ManualTimer};
use egress_token_bucket::{BoxError, Bucket, Quota, TokenBucket, TokenBucketLayer};
use http::{Request, Response};
use std::{
    cell::Cell,
    convert::Infallible,
    future::{Ready, ready},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tokio_test::task::spawn;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Counts how often it was made ready, and panics when it is called without.
#[derive(Debug, Default)]
struct Strict {
    readied: Arc<AtomicUsize>,
    is_ready: bool,
    fails: bool,
}

/// A clone is not ready.
impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            readied: Arc::clone(&self.readied),
            is_ready: false,
            fails: self.fails,
        }
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<()>;
    type Error = BoxError;
    type Future = Ready<Result<Response<()>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.fails {
            return Poll::Ready(Err("broken".into()));
        }
        self.readied.fetch_add(1, Ordering::Relaxed);
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.is_ready, "called, but not ready");
        self.is_ready = false;
        ready(Ok(Response::new(())))
    }
}

fn strict(
    fails: bool,
) -> (
    TokenBucket<Strict, Bucket, ManualTimer>,
    Bucket,
    ManualTimer,
) {
    let timer = ManualTimer::new();
    let bucket = Bucket::new(one_a_second());
    let inner = Strict {
        fails,
        ..Strict::default()
    };
    let service = TokenBucketLayer::new(bucket.clone(), timer.clone()).layer(inner);
    (service, bucket, timer)
}

fn is_ready(service: &mut TokenBucket<Strict, Bucket, ManualTimer>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(())))
}

#[test]
fn it_is_always_ready_and_takes_nothing_for_it() {
    let (mut service, bucket, timer) = strict(false);
    for _ in 0..3 {
        assert!(is_ready(&mut service));
    }
    assert_eq!(service.get_ref().readied.load(Ordering::Relaxed), 0);
    drop(service);
    assert_eq!(status(&bucket, &timer).totals.accepted, 0);
}

#[test]
fn a_clone_shares_the_bucket_and_inherits_no_readiness() {
    let (mut service, bucket, timer) = strict(false);
    assert!(is_ready(&mut service));
    // `Strict` would panic if a readied service, or one that is not, were called.
    let mut clone = service.clone();
    timer.run(service.call(Request::new(()))).unwrap();
    let start = timer.now();
    timer.run(clone.call(Request::new(()))).unwrap();
    assert_eq!(timer.now() - start, common::SECOND);
    assert_eq!(status(&bucket, &timer).totals.departed, 2);
}

#[test]
fn a_call_that_is_never_polled_takes_nothing() {
    let (mut service, bucket, timer) = strict(false);
    drop(service.call(Request::new(())));
    assert_eq!(status(&bucket, &timer).totals.accepted, 0);
}

#[test]
fn an_inner_error_is_passed_on_and_leaves_nothing_behind() {
    let (mut service, bucket, timer) = strict(true);
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    let error = timer.run(service.call(request)).unwrap_err();
    assert_eq!(error.to_string(), "broken");
    assert_eq!(
        context.failure(),
        Some(Failure::Refused),
        "nothing was sent"
    );
    let status = status(&bucket, &timer);
    assert_eq!((status.queued, status.totals.departed), (0, 0));
    assert_eq!(status.totals.cancelled, 1);
}

#[test]
fn a_failure_that_was_told_before_is_left_as_it_is() {
    let (mut service, _, timer) = strict(true);
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    context.fail(Failure::TimedOut);
    assert!(timer.run(service.call(request)).is_err());
    assert_eq!(context.failure(), Some(Failure::TimedOut));
}

#[test]
fn it_works_alone_in_a_plain_service_builder() {
    let timer = ManualTimer::new();
    let client = ServiceBuilder::new()
        .layer(TokenBucketLayer::new(
            Bucket::new(Quota::GITHUB),
            timer.clone(),
        ))
        .service_fn(|_: Request<&'static str>| async { Ok::<_, Infallible>(Response::new(7)) });
    let response = timer.run(client.oneshot(Request::new("body"))).unwrap();
    assert_eq!(*response.body(), 7, "the response is as it was");
}

#[test]
fn a_service_that_is_not_send_runs() {
    let timer = ManualTimer::new();
    let called = Rc::new(Cell::new(false));
    let flag = Rc::clone(&called);
    let inner = service_fn(move |_: Request<Rc<()>>| {
        flag.set(true);
        ready(Ok::<_, Infallible>(Response::new(Rc::new(()))))
    });
    let route = Bucket::new(Quota::GITHUB);
    let service = TokenBucketLayer::new(route, timer.clone()).layer(inner);
    timer
        .run(service.oneshot(Request::new(Rc::new(()))))
        .unwrap();
    assert!(called.get());
}

#[test]
fn send_stays_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let (mut service, bucket, timer) = strict(false);
    is_send(service.clone());
    drop(is_send(service.call(Request::new(()))));
    let reservation = bucket.reserve(Default::default(), timer.now()).unwrap();
    drop(is_send(reservation.ready(timer.clone())));
    fn is_sync<T: Sync>(_: &T) {}
    is_sync(&bucket);
}

#[test]
#[should_panic = "polled after it was ready"]
fn a_finished_future_may_not_be_polled() {
    let (mut service, _, _) = strict(false);
    let mut future = spawn(service.call(Request::new(())));
    assert!(future.poll().is_ready());
    let _ = future.poll();
}

#[test]
fn everything_public_is_debug() {
    let (mut service, bucket, timer) = strict(false);
    let future = service.call(Request::new(()));
    let reservation = bucket.reserve(Default::default(), timer.now()).unwrap();
    let text = format!("{service:?} {future:?} {reservation:?}");
    assert!(text.contains("bucket"), "{text}");
    let ready = reservation.ready(timer);
    assert!(format!("{ready:?}").contains("Reservation"));
}
