//! The budget and the schedule against models, and the layer against tower's.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(not(target_arch = "wasm32"))]

mod support;

use egress_backoff::{Backoff, Budget, Cause, Policy, RetryInfo, Schedule, Withdrawal};
use egress_time::{Instant, ManualTimer};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use proptest::prelude::*;
use std::{
    future::{Ready, ready},
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll},
    time::Duration,
};
use support::{Reply, Server, get, reset, status};
use tower::{BoxError, Service, ServiceExt, retry::Retry, util::MapRequest};

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![Just(Cause::Transient), Just(Cause::Throttled)]
}

/// A budget in plain words: a balance, and the second of the last free retry.
struct Model {
    balance: i64,
    capacity: i64,
    last_free: Option<u64>,
}

impl Model {
    fn withdraw(&mut self, cost: i64, now_ms: u64) -> Option<i64> {
        if self.balance >= cost {
            self.balance -= cost;
            return Some(cost);
        }
        let free = self
            .last_free
            .is_none_or(|last| now_ms + 1_000 < last || now_ms >= last + 1_000);
        free.then(|| {
            self.last_free = Some(now_ms);
            0
        })
    }

    fn deposit(&mut self, amount: i64) {
        self.balance = (self.balance + amount).min(self.capacity);
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Plans a retry for a cause, and sends it or not.
    Retry(Cause, bool),
    Succeed,
    /// Sends a success that cost what the last retry cost.
    SucceedAfterRetry,
    /// Moves the clock, by milliseconds, both ways.
    Clock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (cause(), any::<bool>()).prop_map(|(cause, sent)| Step::Retry(cause, sent)),
        2 => Just(Step::Succeed),
        1 => Just(Step::SucceedAfterRetry),
        2 => (-3_000_i64..3_000).prop_map(Step::Clock),
    ]
}

proptest! {
    /// B5
    #[test]
    fn the_budget_is_its_model(
        capacity in 0_u32..80,
        costs in (0_u32..20, 0_u32..20),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let budget = Budget::new(capacity).with_costs(costs.0, costs.1);
        let mut model = Model {
            balance: capacity.into(),
            capacity: capacity.into(),
            last_free: None,
        };
        let mut now_ms = 10_000_u64;
        let mut last = 0_u32;
        for step in steps {
            match step {
                Step::Retry(cause, sent) => {
                    let now = Instant::ORIGIN + Duration::from_millis(now_ms);
                    let taken = budget.withdraw(cause, now);
                    let expected = model.withdraw(budget.cost(cause).into(), now_ms);
                    prop_assert_eq!(taken.is_some(), expected.is_some());
                    match (taken, expected) {
                        (Some(taken), Some(expected)) if sent => {
                            last = taken.spend();
                            prop_assert_eq!(i64::from(last), expected);
                        }
                        (_, expected) => model.deposit(expected.unwrap_or(0)),
                    }
                }
                Step::Succeed => {
                    budget.succeed(0);
                    model.deposit(1);
                }
                Step::SucceedAfterRetry => {
                    budget.succeed(last);
                    model.deposit(i64::from(last).max(1));
                    last = 0;
                }
                Step::Clock(by) => now_ms = now_ms.saturating_add_signed(by),
            }
            prop_assert_eq!(i64::from(budget.available()), model.balance);
        }
    }

    /// B1, B9
    #[test]
    fn a_delay_is_within_its_interval(
        initial in any::<u64>(),
        cap in any::<u64>(),
        n in any::<u32>(),
        draw in any::<u64>(),
        cause in cause(),
    ) {
        let (initial, cap) = (Duration::from_nanos(initial), Duration::from_nanos(cap));
        let schedule = Schedule::new().with_initial(cause, initial).with_cap(cap);
        let factor = 2_f64.powi(n.min(2_000).try_into().unwrap());
        let longest = (initial.as_secs_f64() * factor).min(cap.as_secs_f64());
        let error = schedule.longest(cause, n).as_secs_f64() - longest;
        prop_assert!(error.abs() <= longest * 1e-9, "off by {error}");
        let delay = schedule.delay(cause, n, |most| draw.checked_rem(most).unwrap_or(0));
        prop_assert!(delay <= schedule.longest(cause, n));
        prop_assert!(schedule.longest(cause, n) <= schedule.longest(cause, n.saturating_add(1)));
    }

    /// B2, B5: as many attempts as tower's retry makes with a policy that says the same.
    #[test]
    fn it_makes_as_many_attempts_as_tower(
        script in prop::collection::vec(0_u8..4, 1..12),
        max_retries in 0_usize..6,
    ) {
        let script: Vec<Reply> = script
            .into_iter()
            .map(|kind| match kind {
                0 => status(200),
                1 => status(404),
                2 => status(503),
                _ => reset(),
            })
            .collect();
        let timer = ManualTimer::new();

        let ours = Server::new(&timer, script.clone());
        let policy = Policy::new().with_max_retries(max_retries.try_into().unwrap());
        let client = support::with_policy(&ours, &timer, policy);
        let our_outcome = timer.run(client.oneshot(get()));

        let theirs = Server::new(&timer, script);
        let adapted = MapRequest::new(theirs.clone(), |request: Request<()>| {
            request.map(|()| egress_backoff::ReplayBody::<Empty<bytes::Bytes>>::buffered(bytes::Bytes::new()))
        });
        let retry = Retry::new(Simple(max_retries), adapted);
        let their_outcome = timer.run(retry.oneshot(Request::new(())));

        prop_assert_eq!(ours.requests(), theirs.requests());
        match (our_outcome, their_outcome) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(ours.status(), theirs.status());
                prop_assert_eq!(support::read(ours.into_body()), support::read(theirs.into_body()));
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "{ours:?}, {theirs:?}"),
        }
    }
}

/// tower's policy: retries server errors and errors, at once.
#[derive(Clone)]
struct Simple(usize);

impl<R> tower::retry::Policy<Request<()>, Response<R>, BoxError> for Simple {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<()>,
        result: &mut Result<Response<R>, BoxError>,
    ) -> Option<Ready<()>> {
        let failed = result
            .as_ref()
            .map_or(true, |response| response.status().is_server_error());
        self.0 = if failed {
            self.0.checked_sub(1)?
        } else {
            return None;
        };
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

/// B5
#[test]
fn threads_together_spend_no_more_than_there_is() {
    let budget = Budget::new(1_000).with_costs(7, 7).with_free_every(None);
    let spent = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(taken) = budget.withdraw(Cause::Transient, Instant::ORIGIN) {
                    let given_back = budget.withdraw(Cause::Throttled, Instant::ORIGIN);
                    drop(given_back);
                    spent.fetch_add(Withdrawal::spend(taken), Ordering::Relaxed);
                }
            });
        }
    });
    let spent = spent.into_inner();
    assert_eq!(spent + budget.available(), 1_000, "nothing is lost or made");
    assert!(budget.available() < 1_000);
}

/// B5
#[test]
fn threads_together_get_one_free_retry_per_interval() {
    let budget = Budget::new(0);
    let mut total = 0;
    for second in 1..=50 {
        let free = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (budget, free) = (&budget, &free);
                scope.spawn(move || {
                    // Each reads the clock a little later than the one before, in whatever order they come.
                    let now = Duration::from_secs(second) + Duration::from_millis(thread);
                    if budget
                        .withdraw(Cause::Transient, Instant::ORIGIN + now)
                        .is_some()
                    {
                        free.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let free = free.into_inner();
        assert!(free <= 1, "{free} in second {second}");
        total += free;
    }
    assert!(total >= 25, "{total} in 50 s");
}

/// Answers at once; `Send`, for the client below.
#[derive(Clone)]
struct Flaky;

impl<B> Service<Request<B>> for Flaky {
    type Response = Response<()>;
    type Error = BoxError;
    type Future = Ready<Result<Response<()>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        ready(Ok(response))
    }
}

/// B5: clients on several threads that share a budget.
#[test]
fn threads_share_the_budget_of_their_client() {
    let timer = ManualTimer::new();
    let budget = Budget::new(280).with_free_every(None);
    let schedule = Schedule::new().with_cap(Duration::ZERO);
    let policy = Policy::new().with_schedule(schedule);
    let client = Backoff::new(Flaky, policy, budget, timer.clone());
    let attempts = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let request = Request::new(Empty::<bytes::Bytes>::new());
                    let response = timer.run(client.clone().oneshot(request)).unwrap();
                    let info = response.extensions().get::<RetryInfo>().unwrap();
                    attempts.fetch_add(info.attempts, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(attempts.into_inner(), 100 + 280 / 14);
}
