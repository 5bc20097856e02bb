//! Who gets the next permit, and what happens to those who give up.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod common;

use common::{SECOND, World, assert_ready, failure, get, granted, permits, queue, reason, wait};
use egress_concurrency_limit::{Acquire, ConcurrencyLimitError, Config, Limiter, Permit};
use egress_time::{Clock, Instant, ManualSleep, ManualTimer, Timer};
use http::Request;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio_test::task;
use tower::Service;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Takes the permits that are free.
fn exhaust(limiter: &Limiter<ManualTimer>) -> Vec<Permit<ManualTimer>> {
    let stats = limiter.stats();
    (stats.in_flight..stats.limit)
        .map(|_| limiter.try_acquire().unwrap())
        .collect()
}

/// C1
#[test]
fn there_are_never_more_permits_than_the_limit() {
    for limit in 1..5 {
        let world = World::new(limit);
        let held: Vec<_> = std::iter::from_fn(|| world.limiter.try_acquire()).collect();
        assert_eq!(held.len(), limit);
        assert_eq!(world.stats().in_flight, limit);
    }
}

/// C1
#[test]
fn permits_go_to_those_who_wait_in_the_order_of_their_arrival() {
    let world = World::new(1);
    let mut held = exhaust(&world.limiter).pop();
    let mut waiting: VecDeque<_> = (0..5).map(|_| queue(&world.limiter)).collect();
    // Polled backwards, which must not matter.
    for waiter in waiting.iter_mut().rev() {
        assert!(waiter.poll().is_pending());
    }
    while let Some(mut first) = waiting.pop_front() {
        drop(held.take());
        assert!(first.is_woken(), "the first in the queue is woken");
        assert!(
            waiting.iter().all(|other| !other.is_woken()),
            "and nobody else is"
        );
        held = Some(granted(&mut first));
    }
}

/// C1
#[test]
fn a_newcomer_does_not_overtake_the_one_who_was_woken() {
    let world = World::new(1);
    let held = exhaust(&world.limiter);
    let mut first = queue(&world.limiter);
    drop(held);
    assert!(world.limiter.try_acquire().is_none(), "it is spoken for");
    let mut newcomer = queue(&world.limiter);
    assert_eq!(world.stats().in_flight, 1);
    let permit = granted(&mut first);
    drop(permit);
    let _permit = granted(&mut newcomer);
}

/// C4
#[test]
fn one_who_leaves_is_passed_over_wherever_it_stood() {
    // All orders in which four who wait can leave, and all numbers of them.
    for order in orders(4) {
        for leaving in 0..=4 {
            let world = World::new(1);
            let mut held = exhaust(&world.limiter).pop();
            let mut waiting: Vec<_> = (0..4).map(|_| Some(queue(&world.limiter))).collect();
            for gone in &order[..leaving] {
                waiting[*gone] = None;
            }
            assert_eq!(world.stats().queued, 4 - leaving);
            for mut waiter in waiting.into_iter().flatten() {
                drop(held.take());
                held = Some(granted(&mut waiter));
            }
            drop(held);
            let stats = world.stats();
            assert_eq!((stats.in_flight, stats.queued), (0, 0));
            assert_eq!(stats.cancelled, u64::try_from(leaving).unwrap());
            assert_eq!(world.timer.sleepers(), 0);
        }
    }
}

fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(n - 1);
    shorter
        .iter()
        .flat_map(|order| {
            (0..n).map(move |at| {
                let mut order = order.clone();
                order.insert(at, n - 1);
                order
            })
        })
        .collect()
}

/// C4
#[test]
fn a_permit_given_to_one_who_left_without_knowing_goes_to_the_next() {
    let world = World::new(1);
    let held = exhaust(&world.limiter);
    let first = queue(&world.limiter);
    let mut second = queue(&world.limiter);
    drop(held);
    assert!(first.is_woken() && !second.is_woken());
    drop(first);
    assert!(second.is_woken());
    drop(granted(&mut second));
    let stats = world.stats();
    assert_eq!((stats.in_flight, stats.cancelled), (0, 1));
}

/// C4
#[test]
fn a_waiting_service_that_is_dropped_leaves_the_queue() {
    let world = World::new(1);
    let held = exhaust(&world.limiter);
    let mut service = world.client();
    assert!(service.poll_ready().is_pending());
    let mut next = queue(&world.limiter);
    drop(service);
    assert_eq!(world.timer.sleepers(), 1, "only the other one's timer");
    drop(held);
    let _permit = granted(&mut next);
}

/// C6
#[test]
fn a_raised_limit_wakes_exactly_as_many_as_fit() {
    let world = World::new(1);
    let _held = exhaust(&world.limiter);
    let mut waiting: Vec<_> = (0..5).map(|_| queue(&world.limiter)).collect();
    world.limiter.set_limit(permits(3));
    let woken: Vec<_> = waiting.iter().map(|waiter| waiter.is_woken()).collect();
    assert_eq!(woken, [true, true, false, false, false]);
    let stats = world.stats();
    assert_eq!((stats.limit, stats.in_flight, stats.queued), (3, 3, 3));
    assert!(world.limiter.try_acquire().is_none());
    let _first = granted(&mut waiting[0]);
    let _second = granted(&mut waiting[1]);
    assert!(waiting[2].poll().is_pending());
}

/// C6
#[test]
fn a_limit_raised_beyond_the_queue_leaves_the_rest_free() {
    let world = World::new(1);
    let _held = exhaust(&world.limiter);
    let waiting = queue(&world.limiter);
    world.limiter.set_limit(permits(4));
    assert!(waiting.is_woken());
    assert_eq!(exhaust(&world.limiter).len(), 2);
}

/// C6
#[test]
fn a_lowered_limit_takes_no_permit_away_and_swallows_what_comes_back() {
    let world = World::new(4);
    let mut held = exhaust(&world.limiter);
    let mut waiter = queue(&world.limiter);
    world.limiter.set_limit(permits(2));
    assert_eq!(world.limiter.limit(), permits(2));
    assert_eq!(world.stats().in_flight, 4, "nobody loses a permit");
    for left in [3, 2] {
        held.pop();
        assert_eq!(world.stats().in_flight, left);
        assert!(!waiter.is_woken(), "it does not fit yet");
        assert!(waiter.poll().is_pending());
    }
    held.pop();
    assert!(waiter.is_woken());
    let _permit = granted(&mut waiter);
    assert_eq!(world.stats().in_flight, 2);
    assert!(world.limiter.try_acquire().is_none());
}

/// C6
#[test]
fn a_lowered_limit_does_not_revoke_what_was_handed_over() {
    let world = World::new(1);
    let held = exhaust(&world.limiter);
    world.limiter.set_limit(permits(2));
    let mut waiter = wait(&world.limiter);
    let _second = granted(&mut waiter);
    let mut late = queue(&world.limiter);
    drop(held);
    assert!(late.is_woken());
    world.limiter.set_limit(permits(1));
    let _third = granted(&mut late);
    assert_eq!(world.stats().in_flight, 2);
}

/// C6
#[test]
fn lowered_and_raised_again_in_between_is_as_if_nothing_happened() {
    let world = World::new(3);
    let mut held = exhaust(&world.limiter);
    let mut waiter = queue(&world.limiter);
    world.limiter.set_limit(permits(1));
    held.pop();
    world.limiter.set_limit(permits(3));
    assert!(waiter.is_woken());
    let _permit = granted(&mut waiter);
    assert_eq!(world.stats().in_flight, 3);
}

/// A permit that is leaked costs one place, stalls nobody else, and can be made up for.
#[test]
fn a_forgotten_permit_costs_one_place_and_no_more() {
    let world = World::new(2);
    let mut held = exhaust(&world.limiter);
    #[allow(clippy::mem_forget, reason = "this is what the test is about")]
    std::mem::forget(held.pop());
    for _ in 0..10 {
        let mut waiter = queue(&world.limiter);
        held.pop();
        held.push(granted(&mut waiter));
    }
    held.clear();
    assert_eq!(exhaust(&world.limiter).len(), 1);
    world.limiter.set_limit(permits(3));
    assert_eq!(exhaust(&world.limiter).len(), 2);
}

/// C3
#[test]
fn a_wait_ends_after_the_queue_timeout_and_says_what_was_in_the_way() {
    let mut world = World::new(2);
    let (_first, _) = world.open("https://api.github.com/repos?token=secret");
    let _second = world.limiter.try_acquire();
    let mut other = queue(&world.limiter);
    let mut client = world.client();
    assert!(client.poll_ready().is_pending());

    world.timer.advance(30 * SECOND - Duration::from_nanos(1));
    assert!(client.poll_ready().is_pending(), "not a moment too early");
    world.timer.advance(Duration::from_nanos(1));
    assert!(client.is_woken());
    let error = failure(&mut client);
    assert!(matches!(error, ConcurrencyLimitError::QueueTimeout { .. }));
    assert_eq!(error.waited(), 30 * SECOND);
    let congestion = error.congestion();
    assert_eq!((congestion.limit, congestion.in_flight), (2, 2));
    assert_eq!(congestion.queued, 2, "itself and the other one");
    assert_eq!((congestion.open_bodies, congestion.unread_bodies), (1, 1));
    assert_eq!(
        error.to_string(),
        "no permit within 30.0s: limit 2, in flight 2, queued 2, open bodies 1, unread bodies 1: \
         GET api.github.com/repos (30.0s)"
    );
    assert!(!format!("{error:?}").contains("secret"));

    let stats = world.stats();
    assert_eq!((stats.timed_out, stats.queued), (1, 1));
    assert!(other.poll().is_ready());
    assert_eq!(world.timer.sleepers(), 0);
}

/// C3. tower calls a service whose `poll_ready` failed broken; this one is not.
#[test]
fn after_a_queue_timeout_the_service_queues_anew() {
    let world = World::new(1);
    let held = exhaust(&world.limiter);
    let mut client = world.client();
    assert!(client.poll_ready().is_pending());
    world.timer.advance(30 * SECOND);
    failure(&mut client);
    assert!(client.poll_ready().is_pending());
    world.timer.advance(29 * SECOND);
    assert!(
        client.poll_ready().is_pending(),
        "a new wait, a new timeout"
    );
    drop(held);
    assert!(client.is_woken());
    assert_ready(&mut client);
    assert_eq!(world.stats().submitted, 3);
}

/// C3
#[test]
fn a_permit_that_comes_at_the_last_moment_is_taken() {
    let world = World::new(1);
    let held = exhaust(&world.limiter);
    let mut waiter = queue(&world.limiter);
    world.timer.advance(30 * SECOND);
    drop(held);
    let _permit = granted(&mut waiter);
    assert_eq!(world.stats().timed_out, 0);
}

/// A clock that does something, once, when it is read: what another thread might do at that moment.
#[derive(Clone)]
struct Interrupted {
    timer: ManualTimer,
    interruption: Arc<Mutex<Option<Permit<Interrupted>>>>,
}

impl Clock for Interrupted {
    fn now(&self) -> Instant {
        let permit = self.interruption.lock().unwrap().take();
        drop(permit);
        self.timer.now()
    }
    fn unix_time(&self) -> Duration {
        self.timer.unix_time()
    }
}

impl Timer for Interrupted {
    type Sleep = ManualSleep;
    fn sleep_until(&self, deadline: Instant) -> ManualSleep {
        self.timer.sleep_until(deadline)
    }
}

/// C3: the queue timeout and a permit, at the same moment.
#[test]
fn a_permit_that_comes_while_the_timer_fires_is_taken() {
    let timer = Interrupted {
        timer: ManualTimer::new(),
        interruption: Arc::default(),
    };
    let limiter = Limiter::new(permits(1), timer.clone());
    let held = limiter.try_acquire();
    let mut waiter = task::spawn(limiter.acquire());
    assert!(waiter.poll().is_pending());
    timer.timer.advance(30 * SECOND);
    *timer.interruption.lock().unwrap() = held;
    assert!(matches!(waiter.poll(), Poll::Ready(Ok(_))));
    assert_eq!(limiter.stats().timed_out, 0);
}

/// C3
#[test]
fn one_who_may_wait_for_ever_does_so_without_a_timer() {
    let config = Config::new()
        .with_queue_timeout(None)
        .with_unread_after(None);
    let world = World::with_config(1, config);
    let held = exhaust(&world.limiter);
    let mut waiter = queue(&world.limiter);
    assert_eq!(world.timer.sleepers(), 0);
    world.timer.advance(1000 * 3600 * SECOND);
    assert!(waiter.poll().is_pending());
    drop(held);
    assert!(waiter.is_woken());
    let _permit = granted(&mut waiter);
}

/// C3
#[test]
fn a_queue_timeout_of_zero_fails_at_once() {
    let world = World::with_config(1, Config::new().with_queue_timeout(Duration::ZERO));
    let _held = exhaust(&world.limiter);
    let Poll::Ready(Err(error)) = wait(&world.limiter).poll() else {
        panic!("it must not wait");
    };
    assert_eq!(error.waited(), Duration::ZERO);
    assert_eq!(world.stats().timed_out, 1);
}

/// C3
#[test]
fn a_full_queue_refuses_at_once() {
    let world = World::with_config(1, Config::new().with_max_queued(2));
    let held = exhaust(&world.limiter);
    let (mut first, _second) = (queue(&world.limiter), queue(&world.limiter));
    let mut client = world.client();
    let error = failure(&mut client);
    assert!(matches!(error, ConcurrencyLimitError::QueueFull { .. }));
    assert_eq!(
        (error.waited(), error.congestion().queued),
        (Duration::ZERO, 2)
    );
    assert_eq!(
        error.to_string(),
        "no permit and no room to wait for one: limit 1, in flight 1, queued 2, open bodies 0, \
         unread bodies 0"
    );
    let stats = world.stats();
    assert_eq!((stats.refused, stats.queued, stats.peak_queued), (1, 2, 2));

    drop(held);
    let _permit = granted(&mut first);
    assert!(client.poll_ready().is_pending(), "there is room again");
}

/// C3
#[test]
fn without_a_queue_one_is_served_or_refused() {
    let world = World::with_config(1, Config::new().with_max_queued(0));
    let mut client = world.client();
    assert_ready(&mut client);
    let mut other = world.client();
    failure(&mut other);
    drop(client);
    assert_ready(&mut other);
}

/// The reason survives the way through a boxed error.
#[test]
fn the_reason_can_be_downcast_to() {
    let world = World::with_config(1, Config::new().with_max_queued(0));
    let _held = exhaust(&world.limiter);
    let Poll::Ready(Err(error)) = world.client().poll_ready() else {
        panic!("it must fail");
    };
    assert_eq!(reason(&error).congestion().limit, 1);
}

/// `poll_ready` may be called from another task each time.
#[test]
fn the_latest_waker_is_the_one_that_is_woken() {
    let world = World::new(1);
    let held = exhaust(&world.limiter);
    let mut client = world.client();
    assert!(client.poll_ready().is_pending());
    let mut service = client.into_inner();
    let mut poll_from = |task: &mut task::Spawn<()>| {
        let ready = task.enter(|cx, _| Service::<Request<()>>::poll_ready(&mut service, cx));
        ready.is_ready()
    };
    let (mut second, mut third) = (task::spawn(()), task::spawn(()));
    assert!(!poll_from(&mut second));
    world.timer.advance(5 * SECOND);
    assert!(second.is_woken(), "its timer wakes the new task");
    assert!(!poll_from(&mut second));
    assert!(!poll_from(&mut third));
    drop(held);
    assert!(third.is_woken() && !second.is_woken());
    assert!(poll_from(&mut third));
}

/// A waker that uses the limiter when it is woken, and when it is dropped.
struct Meddler {
    limiter: Limiter<ManualTimer>,
    permit: Mutex<Option<Permit<ManualTimer>>>,
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        let _ = self.limiter.stats();
        drop(self.permit.lock().unwrap().take());
    }
}

/// Went wrong in other queues: code that is not theirs ran under their lock.
#[test]
fn a_waker_may_use_the_limiter_when_it_is_woken_replaced_or_dropped() {
    // Without timers: the one of the tests drops wakers under a lock of its own.
    let config = Config::new()
        .with_queue_timeout(None)
        .with_unread_after(None);
    let world = World::with_config(2, config);
    let mut held = exhaust(&world.limiter);
    let meddler = |permit| {
        Waker::from(Arc::new(Meddler {
            limiter: world.limiter.clone(),
            permit: Mutex::new(permit),
        }))
    };
    let poll = |future: &mut Pin<Box<Acquire<ManualTimer>>>, waker: Waker| {
        let mut cx = Context::from_waker(&waker);
        future.as_mut().poll(&mut cx).is_ready()
    };

    // Replaced: dropping the old waker gives a permit back, to the very future that is polled.
    let mut first = Box::pin(world.limiter.acquire());
    assert!(!poll(&mut first, meddler(held.pop())));
    assert!(!poll(&mut first, meddler(None)));
    assert_eq!(world.stats().queued, 0);
    assert!(poll(&mut first, meddler(None)));
    drop(first);

    // Woken: it gives back a second permit while the first is handed over.
    held.extend(exhaust(&world.limiter));
    let mut second = Box::pin(world.limiter.acquire());
    assert!(!poll(&mut second, meddler(held.pop())));
    world.limiter.set_limit(permits(3));
    assert!(poll(&mut second, meddler(None)));

    // Dropped with its place in the queue.
    held.extend(exhaust(&world.limiter));
    let mut third = Box::pin(world.limiter.acquire());
    assert!(!poll(&mut third, meddler(held.pop())));
    drop(third);
    drop(held);
    assert_eq!(world.stats().in_flight, 0);
}

/// A timer that fires early, a clock that steps back: the wait is never shorter than it should be, and it ends.
#[test]
fn an_unreliable_clock_does_not_shorten_a_wait() {
    let world = World::new(1);
    let _held = exhaust(&world.limiter);
    let start = world.timer.now();
    let mut waiter = queue(&world.limiter);
    world.timer.advance(29 * SECOND);
    assert!(waiter.poll().is_pending());
    world.timer.fire_early();
    assert!(waiter.poll().is_pending());
    world.timer.set(start - 60 * SECOND);
    world.timer.fire_early();
    assert!(waiter.poll().is_pending());
    world.timer.set(start + 30 * SECOND);
    assert!(waiter.is_woken());
    assert!(matches!(
        waiter.poll(),
        Poll::Ready(Err(ConcurrencyLimitError::QueueTimeout { waited, .. })) if waited == 30 * SECOND
    ));
}

/// The whole of a request's life through the service, with somebody waiting for its permit.
#[test]
fn a_failed_call_and_a_dropped_call_give_back() {
    let mut world = World::new(1);
    let mut client = world.client();

    assert_ready(&mut client);
    let mut future = task::spawn(client.call(get("/")));
    let mut waiter = queue(&world.limiter);
    world.next_request().1.send_error("reset by peer");
    let Poll::Ready(Err(error)) = future.poll() else {
        panic!("the call must fail");
    };
    assert_eq!(error.to_string(), "reset by peer");
    assert!(
        waiter.is_woken(),
        "the permit is back although the finished future still exists"
    );
    drop(granted(&mut waiter));

    assert_ready(&mut client);
    let future = client.call(get("/"));
    let mut waiter = queue(&world.limiter);
    drop(future);
    drop(granted(&mut waiter));
    assert_eq!(world.stats().served, 4);
}
