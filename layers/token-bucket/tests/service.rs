//! The service: when it asks what, and what replies do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{MILLI, MINUTE, SECOND, one_a_second, quota, status};
use egress_body_end::CapturedBody;
use egress_context::{Failure, RequestContext};
use egress_hints::Dialect;
use egress_time::{Clock, ManualTimer};
use egress_token_bucket::{
    BoxError, Bucket, BucketSet, Cost, Quota, RateLimited, Reason, RequestHead, TokenBucket,
    TokenBucketLayer,
};
use http::{Request, Response, StatusCode};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready, task::spawn};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock::{self, Handle, Mock, SendResponse};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Mocked = TokenBucket<Mock<Request<u32>, Response<()>>, Bucket, ManualTimer>;

/// The inner side: it never answers.
struct Server {
    handle: Handle<Request<u32>, Response<()>>,
    unanswered: Vec<SendResponse<Response<()>>>,
}

impl Server {
    fn new(handle: Handle<Request<u32>, Response<()>>) -> Self {
        Self {
            handle,
            unanswered: Vec::new(),
        }
    }

    /// Lets so many more become ready.
    fn allow(&mut self, count: u64) {
        self.handle.allow(count);
    }

    /// Returns the requests that have arrived since the last time.
    fn arrived(&mut self) -> Vec<u32> {
        let mut arrived = Vec::new();
        while let Poll::Ready(Some((request, reply))) = self.handle.poll_request() {
            arrived.push(*request.body());
            self.unanswered.push(reply);
        }
        arrived
    }
}

fn mocked(quota: Quota) -> (Mocked, Bucket, ManualTimer, Server) {
    let timer = ManualTimer::new();
    let bucket = Bucket::new(quota);
    let (inner, handle) = mock::pair();
    let service = TokenBucketLayer::new(bucket.clone(), timer.clone()).layer(inner);
    (service, bucket, timer, Server::new(handle))
}

/// T2
#[test]
fn the_inner_service_is_asked_only_when_the_slot_is_due() {
    let (mut service, bucket, timer, mut server) = mocked(one_a_second());
    drop(bucket.try_depart(Cost::ONE, timer.now()).unwrap());
    // Nothing may be ready: if it were asked, it would not be woken by the timer below.
    server.allow(0);
    let mut call = spawn(service.call(Request::new(1)));
    assert_pending!(call.poll());
    server.allow(1);
    assert!(!call.is_woken(), "it has not asked");
    timer.advance(SECOND);
    assert!(call.is_woken());
    assert_pending!(call.poll());
    assert_eq!(server.arrived(), [1]);
}

/// T2: two whose slots have passed while the inner service was not ready.
#[test]
fn the_departure_is_checked_again_when_the_inner_service_is_ready() {
    let (mut service, bucket, timer, mut server) = mocked(quota(60, MINUTE, 60, 50 * MILLI));
    server.allow(0);
    let mut calls: Vec<_> = (0..3)
        .map(|number| spawn(service.call(Request::new(number))))
        .collect();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    timer.advance(SECOND);
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    assert_eq!(status(&bucket, &timer).totals.overdue, 3);
    server.allow(3);
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    assert_eq!(server.arrived(), [0], "the others would be too close");
    for number in 1..3 {
        timer.advance(49 * MILLI);
        calls
            .iter_mut()
            .for_each(|call| assert_pending!(call.poll()));
        assert!(server.arrived().is_empty());
        timer.advance(MILLI);
        calls
            .iter_mut()
            .for_each(|call| assert_pending!(call.poll()));
        assert_eq!(server.arrived(), [number]);
    }
}

/// A service with one connection: who is ready has it, until called or dropped.
struct OneConnection {
    is_taken: Arc<AtomicBool>,
    has_it: bool,
}

impl Clone for OneConnection {
    fn clone(&self) -> Self {
        Self {
            is_taken: Arc::clone(&self.is_taken),
            has_it: false,
        }
    }
}

impl Drop for OneConnection {
    fn drop(&mut self) {
        if self.has_it {
            self.is_taken.store(false, Ordering::Relaxed);
        }
    }
}

impl Service<Request<()>> for OneConnection {
    type Response = Response<()>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response<()>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !self.has_it && self.is_taken.swap(true, Ordering::Relaxed) {
            // Nobody else is here to wake it.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.has_it = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.has_it, "called without being ready");
        std::future::ready(Ok(Response::new(())))
    }
}

/// T2: a connection is kept from others for 100 ms, and not for a minute.
#[test]
fn a_ready_inner_service_is_given_back_if_the_departure_has_to_wait_long() {
    for (spacing, is_kept) in [(100 * MILLI, true), (101 * MILLI, false)] {
        let timer = ManualTimer::new();
        let bucket = Bucket::new(quota(60, MINUTE, 60, spacing));
        let inner = OneConnection {
            is_taken: Arc::new(AtomicBool::new(true)),
            has_it: true,
        };
        let is_taken = Arc::clone(&inner.is_taken);
        let layer = TokenBucketLayer::new(bucket.clone(), timer.clone());
        let mut call = spawn(layer.layer(inner.clone()).call(Request::new(())));
        assert_pending!(call.poll(), "its slot is due, but there is no connection");
        timer.advance(MINUTE);
        drop(bucket.try_depart(Cost::ONE, timer.now()).unwrap());
        drop(inner);
        assert_pending!(call.poll(), "there is one, but another has just departed");
        assert_eq!(is_taken.load(Ordering::Relaxed), is_kept, "{spacing:?}");
        timer.advance(spacing);
        assert_ready!(call.poll()).unwrap();
    }
}

/// T2, T7
#[test]
fn a_ready_inner_service_is_given_back_if_a_pause_comes_between() {
    let timer = ManualTimer::new();
    let bucket = Bucket::new(one_a_second());
    let inner = OneConnection {
        is_taken: Arc::new(AtomicBool::new(true)),
        has_it: true,
    };
    let is_taken = Arc::clone(&inner.is_taken);
    let layer = TokenBucketLayer::new(bucket.clone(), timer.clone());
    let mut call = spawn(layer.layer(inner.clone()).call(Request::new(())));
    assert_pending!(call.poll());
    bucket.pause_for(30 * SECOND, timer.now());
    drop(inner);
    assert_pending!(call.poll());
    assert!(
        !is_taken.load(Ordering::Relaxed),
        "somebody else may use it"
    );
    timer.advance(30 * SECOND);
    assert_ready!(call.poll()).unwrap();
}

/// T4: at whatever point a request is given up, the ledger is as if it had not come. After its slot has passed, the
/// slot is spent; nothing else is.
#[test]
fn cancellation_at_every_poll_leaves_the_ledger_as_before() {
    for wakeups in [false, true] {
        let (mut before_slot, mut after_slot) = (0, 0);
        for polls in 1.. {
            let timer = ManualTimer::new();
            let bucket = || Bucket::builder(one_a_second()).wakeups(wakeups).build();
            let (bucket, without) = (bucket(), bucket());
            let start = timer.now();
            drop(bucket.try_depart(Cost::ONE, start).unwrap());
            drop(without.try_depart(Cost::ONE, start).unwrap());
            let (inner, handle) = mock::pair();
            let mut server = Server::new(handle);
            server.allow(0);
            let layer = TokenBucketLayer::new(bucket.clone(), timer.clone());
            let mut call = spawn(layer.layer(inner).call(Request::new(1)));
            assert_pending!(call.poll());
            let _behind = bucket.reserve(Cost::ONE, start).unwrap();
            let _alone = without.reserve(Cost::ONE, start).unwrap();

            for _ in 1..polls {
                if !timer.advance_to_next() {
                    // It waits for the inner service alone.
                    timer.advance(SECOND / 2);
                    server.allow(1);
                }
                assert!(call.is_woken());
                assert_pending!(call.poll());
            }
            drop(call);
            if !server.arrived().is_empty() {
                assert_eq!(status(&bucket, &timer).totals.departed, 2);
                break;
            }
            let (mut with, mut without) = (status(&bucket, &timer), status(&without, &timer));
            assert_eq!(with.totals.departed, without.totals.departed);
            assert_eq!(with.totals.cancelled, 1);
            if timer.now() < start + SECOND {
                with.totals = without.totals;
                before_slot += 1;
            } else {
                // The one behind has its own slot still, a second later than if it were alone.
                assert_eq!((with.queued, without.queued), (1, 0));
                assert_eq!(with.next_slot - without.next_slot, SECOND);
                (with, without) = (without.clone(), without);
                after_slot += 1;
            }
            assert_eq!(with, without);
        }
        assert!(
            before_slot >= 1 && after_slot >= 1,
            "{before_slot} {after_slot}"
        );
        assert!(wakeups || before_slot >= 5, "{before_slot}");
    }
}

/// T6
#[test]
fn a_request_that_cannot_meet_its_deadline_is_refused_at_once() {
    let (mut service, bucket, timer, mut server) = mocked(one_a_second());
    drop(bucket.try_depart(Cost::ONE, timer.now()).unwrap());
    let mut request = Request::new(1);
    let context = RequestContext::join(request.extensions_mut());
    context.limit_deadline(timer.now() + SECOND / 2);
    let mut call = spawn(service.call(request));
    let error = assert_ready!(call.poll()).unwrap_err();
    let refused: &RateLimited = error.downcast_ref().unwrap();
    assert_eq!(refused.reason, Reason::DeadlineTooSoon);
    assert_eq!(refused.retry_after, SECOND);
    assert_eq!(context.failure(), Some(Failure::DeadlineTooSoon));
    assert!(server.arrived().is_empty());
    assert_eq!(status(&bucket, &timer).totals.refused, 1);
}

/// T6
#[test]
fn a_refusal_says_that_nothing_was_sent() {
    let timer = ManualTimer::new();
    let bucket = Bucket::builder(one_a_second()).max_wait(SECOND / 2).build();
    let inner = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(())) });
    let service = TokenBucketLayer::new(bucket.clone(), timer.clone()).layer(inner);
    timer
        .run(service.clone().oneshot(Request::new(())))
        .unwrap();
    let mut request = Request::new(());
    let context = RequestContext::join(request.extensions_mut());
    let error = timer.run(service.oneshot(request)).unwrap_err();
    assert!(error.is::<RateLimited>());
    assert_eq!(context.failure(), Some(Failure::Refused));
    assert_eq!(context.dispatched(), None);
}

#[test]
fn the_context_is_told_what_was_waited_for() {
    let (mut service, bucket, timer, mut server) = mocked(one_a_second());
    let start = timer.now();
    drop(bucket.try_depart(Cost::ONE, start).unwrap());
    server.allow(0);
    let mut request = Request::new(1);
    let context = RequestContext::join(request.extensions_mut());
    let mut call = spawn(service.call(request));
    assert_pending!(call.poll());
    timer.advance(SECOND);
    assert_pending!(call.poll());
    timer.advance(3 * SECOND);
    server.allow(1);
    assert_pending!(call.poll());
    assert_eq!(context.rate_wait(), SECOND);
    assert_eq!(context.queue_wait(), 3 * SECOND);
    assert_eq!(context.dispatched(), Some(start + 4 * SECOND));
}

#[test]
fn the_context_is_told_also_of_a_wait_that_was_given_up() {
    let (mut service, bucket, timer, _server) = mocked(one_a_second());
    drop(bucket.try_depart(Cost::ONE, timer.now()).unwrap());
    let mut request = Request::new(1);
    let context = RequestContext::join(request.extensions_mut());
    let mut call = spawn(service.call(request));
    assert_pending!(call.poll());
    timer.advance(SECOND / 4);
    drop(call);
    assert_eq!(context.rate_wait(), SECOND / 4);
}

#[test]
fn a_request_without_a_route_passes() {
    let timer = ManualTimer::new();
    let bucket = Bucket::new(one_a_second());
    let set = BucketSet::from(bucket.clone());
    let route =
        move |request: &RequestHead<'_>| (request.uri.path() != "/free").then(|| set.clone());
    let inner = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(())) });
    let service = TokenBucketLayer::new(route, timer.clone()).layer(inner);
    let start = timer.now();
    for _ in 0..5 {
        let mut request = Request::get("/free").body(()).unwrap();
        let context = RequestContext::join(request.extensions_mut());
        timer.run(service.clone().oneshot(request)).unwrap();
        assert_eq!(context.dispatched(), Some(start));
    }
    for _ in 0..3 {
        timer
            .run(service.clone().oneshot(Request::new(())))
            .unwrap();
    }
    assert_eq!(timer.now() - start, 2 * SECOND);
    assert_eq!(status(&bucket, &timer).totals.departed, 3);
}

/// T11
#[test]
fn a_cost_in_the_extensions_is_paid() {
    let quota = quota(60, MINUTE, 5, Duration::ZERO);
    let (service, bucket, timer) = scripted(Bucket::new(quota), vec![answer(200, &[])]);
    let mut request = Request::new(());
    request.extensions_mut().insert(quota.cost(4).unwrap());
    timer.run(service.oneshot(request)).unwrap();
    assert_eq!(status(&bucket, &timer).available, 1);
}

type Replies = Arc<Mutex<VecDeque<Response<()>>>>;

fn answer(status: u16, headers: &[(&'static str, &str)]) -> Response<()> {
    let mut answer = Response::new(());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}

/// A service that gives these answers.
fn scripted(
    bucket: Bucket,
    answers: Vec<Response<()>>,
) -> (
    impl Service<Request<()>, Response = Response<()>, Error = BoxError> + Clone,
    Bucket,
    ManualTimer,
) {
    let timer = ManualTimer::new();
    let answers: Replies = Arc::new(Mutex::new(answers.into()));
    let inner = service_fn(move |_: Request<()>| {
        let answer = answers.lock().unwrap().pop_front();
        async { answer.ok_or_else(|| BoxError::from("no connection")) }
    });
    let layer = TokenBucketLayer::new(bucket.clone(), timer.clone());
    (layer.layer(inner), bucket, timer)
}

fn generic() -> Bucket {
    Bucket::new(quota(60, MINUTE, 60, Duration::ZERO))
}

fn github() -> Bucket {
    Bucket::builder(Quota::GITHUB)
        .dialect(Dialect::GitHub)
        .build()
}

/// Returns for how long the answers to some requests pause the bucket, one after the other, each without its probe's
/// answer.
fn pauses(bucket: Bucket, answers: Vec<Response<()>>) -> Vec<Duration> {
    let count = answers.len();
    let (service, bucket, timer) = scripted(bucket, answers);
    (0..count)
        .map(|_| {
            timer
                .run(service.clone().oneshot(Request::new(())))
                .unwrap();
            let now = timer.now();
            let paused = status(&bucket, &timer)
                .paused_until
                .map_or(Duration::ZERO, |until| until - now);
            timer.advance(paused);
            paused
        })
        .collect()
}

/// T7
#[test]
fn what_a_server_asks_for_is_a_pause_for_everybody() {
    let seconds = |seconds| vec![Duration::from_secs(seconds)];
    assert_eq!(
        pauses(generic(), vec![answer(429, &[("retry-after", "7")])]),
        seconds(7)
    );
    assert_eq!(
        pauses(generic(), vec![answer(503, &[("retry-after", "7")])]),
        seconds(7)
    );
    assert_eq!(pauses(generic(), vec![answer(503, &[])]), seconds(0));
    assert_eq!(pauses(generic(), vec![answer(200, &[])]), seconds(0));
    assert_eq!(pauses(generic(), vec![answer(404, &[])]), seconds(0));
    assert_eq!(pauses(generic(), vec![answer(403, &[])]), seconds(0));
    assert_eq!(
        pauses(github(), vec![answer(403, &[("retry-after", "7")])]),
        seconds(7)
    );
}

/// T7
#[test]
fn a_cached_reply_says_nothing() {
    let cached = answer(429, &[("retry-after", "7"), ("age", "3")]);
    assert_eq!(pauses(generic(), vec![cached]), [Duration::ZERO]);
}

/// T7
#[test]
fn a_server_is_believed_up_to_the_longest_pause() {
    let hostile = || answer(429, &[("retry-after", "1000000")]);
    assert_eq!(pauses(generic(), vec![hostile()]), [60 * MINUTE]);
    let bucket = Bucket::builder(Quota::GITHUB).max_pause(MINUTE).build();
    assert_eq!(pauses(bucket, vec![hostile()]), [MINUTE]);
}

/// T7
#[test]
fn refusals_that_name_no_time_double_until_a_success() {
    let secondary = || {
        let mut answer = answer(403, &[]);
        let body = br#"{"message":"You have exceeded a secondary rate limit."}"#;
        let captured = CapturedBody::new(body.as_slice().to_vec().into(), true);
        answer.extensions_mut().insert(captured);
        answer
    };
    let script = vec![
        secondary(),
        secondary(),
        secondary(),
        answer(200, &[]),
        secondary(),
    ];
    let minutes: Vec<_> = pauses(github(), script)
        .iter()
        .map(|pause| pause.as_secs() / 60)
        .collect();
    assert_eq!(minutes, [1, 2, 4, 0, 1]);

    let script = (0..15).map(|_| answer(429, &[])).collect();
    let seconds: Vec<_> = pauses(generic(), script)
        .iter()
        .map(Duration::as_secs)
        .collect();
    assert_eq!(seconds[..4], [1, 2, 4, 8]);
    assert_eq!(seconds[14], 3600, "up to the longest pause");
}

/// T7
#[test]
fn money_that_is_spent_is_no_pause() {
    let mut broke = answer(429, &[("retry-after", "7")]);
    let body = br#"{"error":{"type":"rate_limit_error","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    let captured = CapturedBody::new(body.as_slice().to_vec().into(), true);
    broke.extensions_mut().insert(captured);
    let bucket = Bucket::builder(Quota::ANTHROPIC)
        .dialect(Dialect::Anthropic)
        .build();
    assert_eq!(pauses(bucket, vec![broke]), [Duration::ZERO]);
}

/// T8
#[test]
fn nothing_remaining_on_a_success_waits_for_the_reset() {
    let headers = |remaining, reset| {
        answer(
            200,
            &[
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-reset", reset),
            ],
        )
    };
    let (service, bucket, timer) = scripted(
        generic(),
        vec![headers("9", "60"), headers("11", "60"), headers("0", "30")],
    );
    let call = || {
        timer
            .run(service.clone().oneshot(Request::new(())))
            .unwrap()
    };
    call();
    assert_eq!(status(&bucket, &timer).server.unwrap().remaining, Some(9));
    call();
    let view = status(&bucket, &timer).server.unwrap();
    assert_eq!(
        (view.limit, view.remaining),
        (Some(5000), Some(8)),
        "the smaller one, and one departed since"
    );
    assert_eq!(status(&bucket, &timer).paused_until, None);
    assert_eq!(
        status(&bucket, &timer).available,
        58,
        "never faster than our own quota"
    );
    timer.advance(2 * MINUTE);
    call();
    let status = status(&bucket, &timer);
    assert_eq!(status.server.unwrap().remaining, Some(0));
    let paused = status.paused_until.unwrap() - timer.now();
    assert!(paused >= 30 * SECOND && paused <= 32 * SECOND, "{paused:?}");
}

/// T7: after the pause, the probe's fate decides.
#[test]
fn replies_to_the_probe_open_the_gate_or_do_not() {
    for (reply, opens) in [
        (Some(answer(200, &[])), true),
        (Some(answer(404, &[])), true),
        (Some(answer(500, &[])), false),
        (Some(answer(429, &[("retry-after", "0")])), false),
        (Some(answer(200, &[("age", "5")])), false),
        (None, false),
    ] {
        let text = format!("{reply:?}");
        let mut script = vec![answer(429, &[("retry-after", "1")])];
        script.extend(reply);
        let (service, bucket, timer) = scripted(generic(), script);
        timer
            .run(service.clone().oneshot(Request::new(())))
            .unwrap();
        timer.advance(SECOND);
        let _ = timer.run(service.clone().oneshot(Request::new(())));
        let next = bucket.try_depart(Cost::ONE, timer.now()).unwrap();
        assert_eq!(!next.is_probe(), opens, "{text}");
    }
}

/// T7
#[test]
fn a_probe_that_is_dropped_in_flight_lets_the_next_one_go() {
    let (mut service, bucket, timer, mut server) = mocked(one_a_second());
    bucket.pause_for(SECOND, timer.now());
    timer.advance(SECOND);
    let mut probe = spawn(service.call(Request::new(1)));
    assert_pending!(probe.poll());
    assert_eq!(server.arrived(), [1]);
    assert!(status(&bucket, &timer).probing);
    drop(probe);
    assert!(!status(&bucket, &timer).probing);
    timer.advance(SECOND);
    assert!(
        bucket
            .try_depart(Cost::ONE, timer.now())
            .unwrap()
            .is_probe()
    );
}

/// T7, T10
#[test]
fn a_named_limit_pauses_the_bucket_that_answers_to_it() {
    let paused = |reply: Response<()>| {
        let core = Bucket::builder(Quota::GITHUB)
            .resource("core")
            .dialect(Dialect::GitHub)
            .build();
        let search = Bucket::builder(Quota::GITHUB_SEARCH)
            .resource("search")
            .build();
        let timer = ManualTimer::new();
        let replies = Arc::new(Mutex::new(Some(reply)));
        let inner = service_fn(move |_: Request<()>| {
            let reply = replies.lock().unwrap().take();
            async { reply.ok_or_else(|| BoxError::from("no connection")) }
        });
        let set = BucketSet::new([core.clone(), search.clone()]);
        let service = TokenBucketLayer::new(set, timer.clone()).layer(inner);
        timer.run(service.oneshot(Request::new(()))).unwrap();
        [core, search].map(|bucket| {
            let status = status(&bucket, &timer);
            let paused = status.paused_until.is_some();
            assert_eq!(status.totals.throttled, u64::from(paused));
            paused
        })
    };
    let exhausted = |resource| {
        answer(
            403,
            &[
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "60"),
                ("x-ratelimit-resource", resource),
            ],
        )
    };
    assert_eq!(paused(exhausted("search")), [false, true]);
    assert_eq!(paused(exhausted("core")), [true, false]);
    assert_eq!(
        paused(exhausted("graphql")),
        [true, true],
        "nobody's, so everybody's"
    );
    let secondary = answer(
        403,
        &[
            ("retry-after", "60"),
            ("x-ratelimit-remaining", "9"),
            ("x-ratelimit-reset", "60"),
            ("x-ratelimit-resource", "search"),
        ],
    );
    assert_eq!(
        paused(secondary),
        [true, true],
        "a secondary limit is about everything"
    );
}
