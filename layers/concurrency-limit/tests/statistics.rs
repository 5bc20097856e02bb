//! C7: what the figures say, and that they add up. (They are checked for balance wherever they are read.)
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod common;

use common::{SECOND, World, assert_ready, get, granted, permits, queue, wait};
use egress_concurrency_limit::Config;
use egress_time::Clock;
use std::time::Duration;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// C7
#[test]
fn every_way_to_settle_is_counted_once() {
    let world = World::with_config(1, Config::new().with_max_queued(1));
    let held = world.limiter.try_acquire().unwrap();
    let mut late = queue(&world.limiter);
    assert!(world.limiter.try_acquire().is_none());
    assert!(wait(&world.limiter).poll().is_ready(), "the queue is full");
    world.timer.advance(30 * SECOND);
    assert!(late.poll().is_ready(), "it is too late");
    drop(queue(&world.limiter));
    drop(held);
    let mut unused = world.client();
    assert_ready(&mut unused);
    drop(unused);
    drop(wait(&world.limiter));

    let stats = world.stats();
    assert_eq!(
        stats.submitted, 6,
        "one was never polled, and asked for nothing"
    );
    assert_eq!(stats.served, 1);
    assert_eq!(stats.refused, 2, "try_acquire, and the full queue");
    assert_eq!(stats.timed_out, 1);
    assert_eq!(stats.cancelled, 2, "in the queue, and ready without a call");
    assert_eq!((stats.queued, stats.in_flight), (0, 0));
}

/// C7
#[test]
fn peaks_stay_when_the_crowd_has_gone() {
    let world = World::new(2);
    let held: Vec<_> = (0..2).map(|_| world.limiter.try_acquire()).collect();
    let waiting: Vec<_> = (0..3).map(|_| queue(&world.limiter)).collect();
    drop(waiting);
    drop(held);
    let stats = world.stats();
    assert_eq!((stats.peak_in_flight, stats.peak_queued), (2, 3));
    assert_eq!((stats.in_flight, stats.queued), (0, 0));
}

/// C7
#[test]
fn the_mean_is_weighted_by_time() {
    let world = World::new(3);
    assert_eq!(
        world.stats().mean_in_flight(),
        0.0,
        "before any time has passed"
    );
    let first = world.limiter.try_acquire();
    world.timer.advance(2 * SECOND);
    let second = world.limiter.try_acquire();
    world.timer.advance(SECOND);
    drop((first, second));
    world.timer.advance(SECOND);
    let stats = world.stats();
    assert_eq!(stats.permit_time, 4 * SECOND);
    assert_eq!(stats.elapsed, 4 * SECOND);
    assert!((stats.mean_in_flight() - 1.0).abs() < f64::EPSILON);

    // Between two snapshots.
    let _third = world.limiter.try_acquire();
    world.timer.advance(10 * SECOND);
    let later = world.stats();
    assert_eq!(later.permit_time - stats.permit_time, 10 * SECOND);
    assert_eq!(later.elapsed - stats.elapsed, 10 * SECOND);
}

/// C7: a permit that is handed over is never out of flight.
#[test]
fn a_permit_that_changes_hands_counts_on() {
    let world = World::new(1);
    let held = world.limiter.try_acquire();
    let mut waiter = queue(&world.limiter);
    world.timer.advance(SECOND);
    drop(held);
    world.timer.advance(SECOND);
    let permit = granted(&mut waiter);
    world.timer.advance(SECOND);
    drop(permit);
    let stats = world.stats();
    assert_eq!(stats.permit_time, 3 * SECOND);
    assert_eq!(stats.peak_in_flight, 1);
}

/// C6, C7
#[test]
fn the_mean_counts_what_a_raised_limit_lets_in() {
    let world = World::new(1);
    let _held = world.limiter.try_acquire();
    let _waiting = (queue(&world.limiter), queue(&world.limiter));
    world.timer.advance(SECOND);
    world.limiter.set_limit(permits(3));
    world.timer.advance(SECOND);
    let stats = world.stats();
    assert_eq!(stats.permit_time, 4 * SECOND);
    assert_eq!(stats.peak_in_flight, 3);
}

/// C7: a clock that steps back loses time, and nothing else.
#[test]
fn a_clock_that_steps_back_makes_no_time_negative() {
    let world = World::new(1);
    let start = world.timer.now();
    let held = world.limiter.try_acquire();
    world.timer.set(start + 10 * SECOND);
    drop(held);
    world.timer.set(start - 10 * SECOND);
    let held = world.limiter.try_acquire();
    assert_eq!(world.stats().permit_time, 10 * SECOND);
    assert_eq!(world.stats().elapsed, Duration::ZERO);
    world.timer.set(start + 11 * SECOND);
    drop(held);
    assert_eq!(world.stats().permit_time, 11 * SECOND);
}

/// The sums do not overflow, whatever the clock says.
#[test]
fn a_clock_at_the_end_of_time_overflows_nothing() {
    let world = World::new(usize::MAX);
    let _held: Vec<_> = (0..1000).map(|_| world.limiter.try_acquire()).collect();
    world.timer.set(egress_time::Instant::FAR_FUTURE);
    let stats = world.stats();
    assert!(stats.permit_time > stats.elapsed * 999);
    assert!(stats.mean_in_flight() > 999.0);
    let _waiter = wait(&world.limiter).poll();
}

/// C7: while a request makes its way, it is in exactly one place.
#[test]
fn a_request_is_counted_in_one_place_at_a_time() {
    let mut world = World::new(1);
    let mut client = world.client();
    let other = world.limiter.try_acquire();
    assert!(client.poll_ready().is_pending());
    assert_eq!((world.stats().queued, world.stats().in_flight), (1, 1));
    drop(other);
    assert_eq!((world.stats().queued, world.stats().in_flight), (0, 1));
    assert_ready(&mut client);
    assert_eq!(world.stats().in_flight, 1);
    let (body, remote) = common::Scripted::new([], true);
    let mut reply = world.exchange(&mut client, get("/"), http::Response::new(body));
    let stats = world.stats();
    assert_eq!(
        (stats.in_flight, stats.open_bodies, stats.served),
        (1, 1, 1)
    );
    remote.push(common::Step::Error);
    let _ = common::poll_body(reply.body_mut());
    let stats = world.stats();
    assert_eq!(
        (stats.in_flight, stats.open_bodies, stats.served),
        (0, 0, 2)
    );
}
