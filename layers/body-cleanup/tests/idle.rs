//! K3: a body that nobody reads is cancelled by whoever has a task to do it in.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use egress_body_cleanup::{
    BodyCleanup, BodyCleanupLayer, Drain, Executor, IdleCancelled, NoExecutor, Task,
};
use egress_time::{Clock, ManualTimer};
use http::{Request, Response, StatusCode};
use http_body::Body;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, poll_fn, ready},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use support::{
    LocalExecutor, Probe, SECOND, Script, ScriptBody, Step, Step::*, poll, respond, total,
};
use tower::{Layer, Service};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const IDLE: Duration = Duration::from_secs(20);

/// A limit on connections: a permit is reserved in `poll_ready` and lives as long as the body.
#[derive(Clone)]
struct Limited {
    limit: Rc<Limit>,
    permit: Option<Permit>,
}

struct Limit {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Waker>>,
    bodies: RefCell<VecDeque<Script>>,
}

struct Permit(Rc<Limit>);

/// A permit is not inherited.
impl Clone for Permit {
    fn clone(&self) -> Self {
        unreachable!("Limited is cloned before it is ready");
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        if let Some(waiting) = self.0.waiting.borrow_mut().pop_front() {
            waiting.wake();
        }
    }
}

impl Limited {
    fn new(free: usize, bodies: impl IntoIterator<Item = Script>) -> Self {
        Self {
            limit: Rc::new(Limit {
                free: Cell::new(free),
                waiting: RefCell::default(),
                bodies: RefCell::new(bodies.into_iter().collect()),
            }),
            permit: None,
        }
    }
}

impl Service<Request<()>> for Limited {
    type Response = Response<Script>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Script>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.permit.is_none() {
            let Some(left) = self.limit.free.get().checked_sub(1) else {
                self.limit
                    .waiting
                    .borrow_mut()
                    .push_back(cx.waker().clone());
                return Poll::Pending;
            };
            self.limit.free.set(left);
            self.permit = Some(Permit(Rc::clone(&self.limit)));
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let permit = self.permit.take().expect("ready");
        let body = self
            .limit
            .bodies
            .borrow_mut()
            .pop_front()
            .expect("a body is left");
        ready(Ok(Response::new(body.holding(permit))))
    }
}

struct Stack<X = NoExecutor> {
    timer: ManualTimer,
    layer: BodyCleanupLayer<Script, ManualTimer, X>,
    service: BodyCleanup<Limited, Script, ManualTimer, X>,
    probes: Vec<Probe>,
}

/// A stack with one connection for bodies with these steps.
fn stack<const N: usize>(bodies: [&[Step]; N]) -> Stack {
    stack_with(|layer| layer, bodies)
}

fn stack_with<const N: usize, X: Executor<Task<Script, ManualTimer>> + Clone>(
    settings: impl FnOnce(
        BodyCleanupLayer<Script, ManualTimer>,
    ) -> BodyCleanupLayer<Script, ManualTimer, X>,
    bodies: [&[Step]; N],
) -> Stack<X> {
    let timer = ManualTimer::new();
    let layer = settings(BodyCleanupLayer::new(timer.clone()).with_drain(Drain::NEVER));
    let bodies = bodies.map(|steps| Script::new(&timer, steps.iter().copied()));
    let probes = bodies.iter().map(Script::probe).collect();
    Stack {
        service: layer.layer(Limited::new(1, bodies)),
        timer,
        layer,
        probes,
    }
}

impl<X: Executor<Task<Script, ManualTimer>>> Stack<X> {
    /// Waits for a connection and sends a request; returns how long it took, too.
    fn send(&mut self) -> (Pin<Box<ScriptBody<X>>>, Duration) {
        let start = self.timer.now();
        let mut service = self.service.clone();
        self.timer
            .run(poll_fn(|cx| service.poll_ready(cx)))
            .unwrap();
        let response = self.timer.run(service.call(Request::new(()))).unwrap();
        (Box::pin(response.into_body()), self.timer.now() - start)
    }

    /// Whether somebody who waits until then gets a connection.
    fn is_ready_within(&mut self, time: Duration) -> bool {
        let mut service = self.service.clone();
        let deadline = self.timer.now() + time;
        let is_ready = self
            .timer
            .run_until(poll_fn(|cx| service.poll_ready(cx)), deadline);
        self.timer.set(deadline.max(self.timer.now()));
        is_ready.is_some()
    }
}

fn idle_for(
    body: &mut (impl Body<Error = Box<dyn std::error::Error + Send + Sync>> + Unpin),
) -> Option<Duration> {
    let Poll::Ready(Some(Err(error))) = poll(body) else {
        return None;
    };
    Some(error.downcast_ref::<IdleCancelled>()?.idle_for)
}

/// Polls once, as a task that will be woken; tells whether there was nothing.
fn wait_for<B: Body + Unpin>(owner: &mut tokio_test::task::Spawn<()>, body: &mut B) -> bool {
    owner.enter(|cx, _| Pin::new(body).poll_frame(cx).is_pending())
}

/// K3
#[test]
fn who_waits_for_a_connection_cancels_a_body_that_nobody_reads() {
    let mut stack = stack([&[Data("unread")], &[]]);
    let (mut forgotten, _) = stack.send();
    let (_second, waited) = stack.send();
    assert_eq!(
        waited, IDLE,
        "less than the 30 s that a request waits for a connection"
    );
    assert!(stack.probes[0].is_freed());
    assert_eq!(idle_for(&mut forgotten), Some(IDLE), "its owner is told");
    assert!(matches!(poll(&mut forgotten), Poll::Ready(None)), "once");
    let counts = stack.layer.stats().counts();
    assert_eq!((counts.idle, counts.ended, total(counts)), (1, 1, 2));
    assert_eq!(stack.timer.sleepers(), 0);
}

/// K3, K5
#[test]
fn a_cancelled_body_is_counted_once_even_if_its_owner_only_drops_it() {
    let mut stack = stack([&[Data("unread")], &[]]);
    let (forgotten, _) = stack.send();
    let _second = stack.send();
    drop(forgotten);
    let counts = stack.layer.stats().counts();
    assert_eq!((counts.idle, counts.cancelled, total(counts)), (1, 0, 2));
}

/// K3
#[test]
fn a_body_that_was_begun_and_then_forgotten_is_idle_since_its_last_frame() {
    let mut stack = stack([&[Data("one"), Data("two"), Data("three")], &[]]);
    let (mut body, _) = stack.send();
    stack.timer.advance(7 * SECOND);
    assert!(poll(&mut body).is_ready());
    assert!(!stack.is_ready_within(IDLE - SECOND));
    assert!(poll(&mut body).is_ready(), "just in time");
    let (_second, waited) = stack.send();
    assert_eq!(waited, IDLE);
    assert_eq!(idle_for(&mut body), Some(IDLE));
}

/// K3
#[test]
fn while_nobody_waits_nothing_is_cancelled() {
    let mut stack = stack([&[Data("unread"), Data("to the end")]]);
    let (mut body, _) = stack.send();
    stack.timer.advance(1000 * IDLE);
    assert_eq!(stack.timer.sleepers(), 0, "no timer runs for a body");
    assert!(poll(&mut body).is_ready() && poll(&mut body).is_ready());
    assert_eq!(stack.layer.stats().counts().ended, 1);
}

/// K3
#[test]
fn one_that_is_idle_already_is_cancelled_as_soon_as_somebody_waits() {
    let mut stack = stack([&[Data("unread")], &[]]);
    let (mut body, _) = stack.send();
    stack.timer.advance(3 * IDLE);
    let (_second, waited) = stack.send();
    assert_eq!(waited, Duration::ZERO);
    assert_eq!(idle_for(&mut body), Some(3 * IDLE));
}

/// K3
#[test]
fn a_slow_body_whose_owner_waits_for_it_is_never_cancelled() {
    let mut stack = stack([&[
        Sleep(100 * IDLE),
        Data("at last"),
        Sleep(100 * IDLE),
        Trailers,
    ]]);
    let (mut body, _) = stack.send();
    for _ in 0..2 {
        // The owner waits: it has polled, and the body has its waker.
        let mut reader = tokio_test::task::spawn(());
        let pending = reader.enter(|cx, _| body.as_mut().poll_frame(cx).is_pending());
        assert!(pending);
        assert!(!stack.is_ready_within(100 * IDLE));
        assert!(reader.is_woken());
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
    }
    assert_eq!(stack.layer.stats().counts().ended, 1);
    assert_eq!(stack.layer.stats().counts().idle, 0);
}

/// K3: a poll that found nothing made a body look read for ever.
#[test]
fn a_body_that_was_polled_once_and_then_forgotten_is_cancelled_once_it_has_something() {
    let mut stack = stack([&[Sleep(3 * SECOND), Data("unread")], &[]]);
    let (mut body, _) = stack.send();
    let mut owner = tokio_test::task::spawn(());
    assert!(wait_for(&mut owner, &mut body));
    // A lost branch of a select, say: the owner is woken, and does other things.
    let found = IDLE + IDLE / 4;
    assert!(!stack.is_ready_within(found - SECOND));
    assert!(owner.is_woken());
    assert!(
        stack.is_ready_within(SECOND),
        "those who were called are looked for four times in an idle timeout, so a waiter gets it in time"
    );
    assert!(stack.probes[0].is_freed());
    assert_eq!(idle_for(&mut body), Some(IDLE));
    assert_eq!(stack.layer.stats().counts().idle, 1);
}

/// K3
#[test]
fn an_executor_cancels_a_body_that_was_polled_once_and_then_forgotten() {
    let executor = LocalExecutor::default();
    let mut stack = stack_with(
        |layer| layer.with_executor(executor.clone()),
        [&[Sleep(100 * SECOND), Data("unread")]],
    );
    let (mut body, _) = stack.send();
    let mut owner = tokio_test::task::spawn(());
    assert!(wait_for(&mut owner, &mut body));
    let start = stack.timer.now();
    let watch = executor.take().expect("somebody watches");
    assert!(
        stack
            .timer
            .run_until(watch, start + 1000 * SECOND)
            .is_some()
    );
    assert_eq!(stack.timer.now() - start, 100 * SECOND + IDLE);
    assert_eq!(idle_for(&mut body), Some(IDLE));
}

/// K3
#[test]
fn a_body_whose_owner_comes_whenever_it_is_woken_is_never_cancelled() {
    let steps = [Sleep(19 * SECOND), Data("slow")].repeat(20);
    let mut stack = stack([&steps]);
    let (mut body, _) = stack.send();
    let mut owner = tokio_test::task::spawn(());
    for _ in 0..20 {
        assert!(wait_for(&mut owner, &mut body));
        assert!(!stack.is_ready_within(19 * SECOND));
        assert!(owner.is_woken());
        assert!(!stack.is_ready_within(IDLE - SECOND), "busy, not idle");
        let frame = owner.enter(|cx, _| body.as_mut().poll_frame(cx));
        assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    }
    let counts = stack.layer.stats().counts();
    assert_eq!((counts.idle, counts.ended), (0, 1));
}

/// K3
#[test]
fn a_body_is_polled_again_only_when_it_is_first_waited_for() {
    let mut stack = stack([&[Stuck]]);
    let (mut body, _) = stack.send();
    let mut owner = tokio_test::task::spawn(());
    for polls in [2, 3, 4] {
        assert!(wait_for(&mut owner, &mut body));
        assert_eq!(stack.probes[0].polls(), polls);
    }
}

/// K3: such an owner has to come back by itself.
#[test]
fn an_owner_that_only_looks_does_not_wait() {
    let mut stack = stack([&[Stuck], &[]]);
    let (mut body, _) = stack.send();
    stack.timer.advance(7 * SECOND);
    let mut cx = Context::from_waker(egress_body_end::looking());
    assert!(body.as_mut().poll_frame(&mut cx).is_pending());
    assert!(
        !stack.is_ready_within(IDLE - SECOND),
        "since it last looked"
    );
    assert!(stack.is_ready_within(SECOND));
    assert_eq!(idle_for(&mut body), Some(IDLE));
}

/// K3: nobody looked again before the clock was where it had been.
#[test]
fn a_clock_that_was_set_back_saves_no_body_from_who_comes_then() {
    let mut stack = stack([&[Data("unread")], &[]]);
    let (mut body, _) = stack.send();
    assert!(!stack.is_ready_within(IDLE / 2));
    stack.timer.set(stack.timer.now() - 3000 * SECOND);
    assert!(
        !stack.is_ready_within(IDLE - SECOND),
        "as if it had been handed over now"
    );
    assert!(stack.is_ready_within(SECOND));
    assert_eq!(idle_for(&mut body), Some(IDLE));
}

/// K3
#[test]
fn a_body_whose_owner_comes_back_in_time_again_and_again_is_never_cancelled() {
    let mut stack = stack([&[Data("1"), Data("2"), Data("3"), Data("4")]]);
    let (mut body, _) = stack.send();
    for _ in 0..4 {
        assert!(!stack.is_ready_within(IDLE - Duration::from_nanos(1)));
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
    }
    assert_eq!(stack.layer.stats().counts().ended, 1);
}

/// K3
#[test]
fn a_waiter_that_comes_late_does_not_wait_for_the_one_before() {
    let mut stack = stack([&[Data("unread")], &[]]);
    let _forgotten = stack.send();
    let mut first = stack.service.clone();
    let mut first = tokio_test::task::spawn(poll_fn(move |cx| first.poll_ready(cx)));
    assert!(first.poll().is_pending());
    stack.timer.advance(15 * SECOND);
    let mut second = stack.service.clone();
    let mut second = tokio_test::task::spawn(poll_fn(move |cx| second.poll_ready(cx)));
    assert!(second.poll().is_pending());
    drop(first);
    assert_eq!(
        stack.timer.next_deadline(),
        Some(stack.timer.now() + 5 * SECOND)
    );
    stack.timer.advance(5 * SECOND);
    assert!(second.is_woken());
    assert!(second.poll().is_ready());
}

/// K3
#[test]
fn a_body_that_comes_while_somebody_waits_is_found_by_it() {
    let stack = stack([&[Data("unread")], &[]]);
    let mut ready = stack.service.clone();
    stack.timer.run(poll_fn(|cx| ready.poll_ready(cx))).unwrap();
    let mut waiter = stack.service.clone();
    let mut waiter = tokio_test::task::spawn(poll_fn(move |cx| waiter.poll_ready(cx)));
    assert!(waiter.poll().is_pending(), "there is no body yet");
    stack.timer.advance(11 * SECOND);
    let response = stack.timer.run(ready.call(Request::new(()))).unwrap();
    stack.timer.advance(9 * SECOND);
    assert!(waiter.poll().is_pending());
    stack.timer.advance(11 * SECOND);
    assert!(waiter.is_woken());
    assert!(
        waiter.poll().is_ready(),
        "20 s after the response was handed over"
    );
    assert_eq!(idle_for(&mut Box::pin(response.into_body())), Some(IDLE));
}

/// K3
#[test]
fn without_an_idle_timeout_a_waiter_just_waits() {
    let mut stack = stack_with(
        |layer| layer.with_idle_timeout(None),
        [&[Data("unread")], &[]],
    );
    let (body, _) = stack.send();
    let mut waiter = stack.service.clone();
    let mut waiter = tokio_test::task::spawn(poll_fn(move |cx| waiter.poll_ready(cx)));
    assert!(waiter.poll().is_pending());
    assert_eq!(stack.timer.sleepers(), 0);
    drop(body);
    assert!(waiter.is_woken() && waiter.poll().is_ready());
}

/// K3: services of one layer rescue each other.
#[test]
fn services_and_clones_of_one_layer_watch_together() {
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone());
    let limited = Limited::new(1, [Script::new(&timer, [Stuck])]);
    let mut one = layer.layer(limited.clone());
    let mut other = layer.clone().layer(limited);
    timer.run(poll_fn(|cx| one.poll_ready(cx))).unwrap();
    let _body = timer.run(one.call(Request::new(()))).unwrap();
    timer.run(poll_fn(|cx| other.poll_ready(cx))).unwrap();
    assert_eq!(layer.stats().counts().idle, 1);
}

/// K3
#[test]
fn an_executor_cancels_although_nobody_waits() {
    let executor = LocalExecutor::default();
    let mut stack = stack_with(
        |layer| layer.with_executor(executor.clone()),
        [&[Data("unread")]],
    );
    let (mut body, _) = stack.send();
    assert_eq!(executor.tasks(), 1);
    let start = stack.timer.now();
    executor.run(&stack.timer);
    assert_eq!(
        stack.timer.now() - start,
        IDLE,
        "it ends when nothing is left"
    );
    assert!(stack.probes[0].is_freed());
    assert_eq!(idle_for(&mut body), Some(IDLE));
    assert_eq!(stack.layer.stats().counts().idle, 1);
}

/// K3
#[test]
fn one_watch_is_enough_and_a_new_one_begins_after_it_has_ended() {
    let executor = LocalExecutor::default();
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone()).with_executor(executor.clone());
    let new = || respond(&timer, &layer, StatusCode::OK, Script::new(&timer, [Stuck])).into_body();
    let (mut first, second) = (Box::pin(new()), new());
    assert_eq!(executor.tasks(), 1);
    assert!(poll(&mut first).is_pending(), "its owner waits for it");
    executor.poll_once();
    timer.advance(IDLE);
    executor.poll_once();
    assert_eq!(executor.tasks(), 1, "one body is left");
    assert_eq!(layer.stats().counts().idle, 1);
    drop((first, second));
    executor.run(&timer);
    let _third = new();
    assert_eq!(executor.tasks(), 1);
    executor.shut_down();
    let _fourth = new();
    assert_eq!(executor.tasks(), 1, "a watch that was dropped is replaced");
}

/// K3
#[test]
fn a_watch_ends_soon_after_the_last_body() {
    let executor = LocalExecutor::default();
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone()).with_executor(executor.clone());
    let body = Script::new(&timer, [Stuck]);
    let body = respond(&timer, &layer, StatusCode::OK, body).into_body();
    executor.poll_once();
    drop((layer, body));
    let start = timer.now();
    executor.run(&timer);
    assert!(timer.now() - start <= IDLE);
    assert_eq!(timer.sleepers(), 0);
}

/// K3: foreign code that runs in a cancel, a poll or a drop may come back to the same layer.
#[test]
fn bodies_may_hold_each_other() {
    let timer = ManualTimer::new();
    let layer = BodyCleanupLayer::new(timer.clone());
    let nested = |depth: u32| {
        let mut body = Script::new(&timer, [Data("x"), Stuck]);
        for _ in 0..depth {
            let held = respond(&timer, &layer, StatusCode::OK, body);
            body = Script::new(&timer, [Data("x"), Stuck]).holding(held);
        }
        respond(&timer, &layer, StatusCode::OK, body)
    };
    // Dropped by its owner.
    drop(nested(3));
    assert_eq!(layer.stats().counts().live, 0);
    // Cancelled by a waiter, all at the same time.
    let held = nested(3);
    timer.advance(IDLE);
    let mut waiter = layer.layer(Limited::new(0, []));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiter.poll_ready(&mut cx).is_pending());
    let counts = layer.stats().counts();
    assert_eq!((counts.idle, counts.live), (4, 0));
    drop(held);
    assert_eq!(total(layer.stats().counts()), 8);
}

/// K3: an inner service that is woken by the cancel is ready at once, in the same poll.
#[test]
fn the_poll_that_cancels_is_the_poll_that_is_ready() {
    let mut stack = stack([&[Data("unread")], &[]]);
    let _forgotten = stack.send();
    stack.timer.advance(IDLE);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(stack.service.poll_ready(&mut cx).is_ready());
}

/// K3
#[test]
fn a_timeout_of_zero_does_not_spin() {
    let mut stack = stack_with(
        |layer| layer.with_idle_timeout(Some(Duration::ZERO)),
        [&[Stuck], &[]],
    );
    let (mut body, _) = stack.send();
    assert!(poll(&mut body).is_pending());
    assert!(!stack.is_ready_within(SECOND));
    drop(body);
    assert!(stack.is_ready_within(SECOND));
}

/// K4: what was cut must not look complete.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_body_that_panicked_does_not_end_well() {
    let timer = ManualTimer::new();
    let script = Script::new(&timer, [Data("a"), Panic, Data("b")]);
    let layer: BodyCleanupLayer<Script, _> = BodyCleanupLayer::new(timer.clone());
    let mut body = Box::pin(respond(&timer, &layer, StatusCode::OK, script).into_body());
    assert!(poll(&mut body).is_ready());
    let panics = std::panic::AssertUnwindSafe(|| poll(&mut body));
    std::panic::catch_unwind(panics).unwrap_err();
    let next = poll(&mut body);
    assert!(matches!(next, Poll::Ready(Some(Err(_)))), "{next:?}");
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
}
