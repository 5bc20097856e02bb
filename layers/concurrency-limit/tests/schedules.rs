//! Random schedules of whole requests, with time, bodies and changes of the limit, against a model.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod common;

use common::{
    Client, Remote, Reply, SECOND, Scripted, Step, World, get, permits, poll_body, reason,
};
use egress_concurrency_limit::{
    BoxError, ConcurrencyLimitError, Config, ReleaseAt, ResponseFuture,
};
use egress_time::{Clock, Instant, ManualTimer};
use http::Response;
use proptest::prelude::*;
use std::{collections::VecDeque, task::Poll, time::Duration};
use tokio_test::task;
use tower_test::mock::{SendResponse, future};

const CLIENTS: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Action {
    PollReady(usize),
    Call(usize),
    DropClient(usize),
    Answer(usize),
    FailAnswer(usize),
    DropFuture(usize),
    EndBody(usize, End),
    Limit(usize),
    Advance(u16),
}

#[derive(Clone, Copy, Debug)]
enum End {
    LastFrame,
    Trailers,
    Error,
    Drop,
    NotYet,
}

fn action() -> impl Strategy<Value = Action> {
    let client = 0..CLIENTS;
    let any = 0..8_usize;
    let end = prop_oneof![
        Just(End::LastFrame),
        Just(End::Trailers),
        Just(End::Error),
        Just(End::Drop),
        Just(End::NotYet),
    ];
    prop_oneof![
        6 => client.clone().prop_map(Action::PollReady),
        4 => client.clone().prop_map(Action::Call),
        1 => client.prop_map(Action::DropClient),
        4 => any.clone().prop_map(Action::Answer),
        1 => any.clone().prop_map(Action::FailAnswer),
        1 => any.clone().prop_map(Action::DropFuture),
        4 => (any, end).prop_map(|(body, end)| Action::EndBody(body, end)),
        1 => (1..4_usize).prop_map(Action::Limit),
        2 => (0..12_000_u16).prop_map(Action::Advance),
    ]
}

type Future = task::Spawn<ResponseFuture<future::ResponseFuture<Response<Scripted>>, ManualTimer>>;

/// Where a client stands, as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stand {
    Idle,
    Waiting {
        since: Instant,
    },
    /// It was given a permit; perhaps it has not looked yet.
    Given {
        has_looked: bool,
    },
}

struct Run {
    world: World,
    release_at: ReleaseAt,
    queue_timeout: Duration,
    max_queued: usize,
    clients: Vec<(Client, Stand)>,
    queue: VecDeque<usize>,
    pending: Vec<(Future, SendResponse<Response<Scripted>>)>,
    bodies: Vec<(Reply, Remote)>,
    limit: usize,
    tally: [u64; 5],
}

const SUBMITTED: usize = 0;
const SERVED: usize = 1;
const TIMED_OUT: usize = 2;
const REFUSED: usize = 3;
const CANCELLED: usize = 4;

impl Run {
    fn in_flight(&self) -> usize {
        let given = |stand: &Stand| matches!(stand, Stand::Given { .. });
        self.clients
            .iter()
            .filter(|(_, stand)| given(stand))
            .count()
            + self.pending.len()
            + self.bodies.len()
    }

    /// Lets in whom the limit allows, in order, and expects each to be woken.
    fn hand_out(&mut self) {
        while self.in_flight() < self.limit {
            let Some(next) = self.queue.pop_front() else {
                return;
            };
            self.clients[next].1 = Stand::Given { has_looked: false };
            assert!(
                self.clients[next].0.is_woken(),
                "client {next} must be woken"
            );
        }
    }

    fn poll_ready(&mut self, number: usize) {
        let now = self.world.timer.now();
        if self.clients[number].1 == Stand::Idle {
            self.tally[SUBMITTED] += 1;
            if self.in_flight() < self.limit {
                self.clients[number].1 = Stand::Given { has_looked: true };
            } else if self.queue.len() < self.max_queued {
                self.queue.push_back(number);
                self.clients[number].1 = Stand::Waiting { since: now };
            } else {
                self.tally[REFUSED] += 1;
                let error = common::failure(&mut self.clients[number].0);
                assert!(matches!(error, ConcurrencyLimitError::QueueFull { .. }));
                return;
            }
        }
        let (client, stand) = &mut self.clients[number];
        let ready = client.poll_ready();
        match *stand {
            Stand::Given { .. } => {
                assert!(matches!(ready, Poll::Ready(Ok(()))), "{ready:?}");
                *stand = Stand::Given { has_looked: true };
            }
            Stand::Waiting { since } if now - since >= self.queue_timeout => {
                let Poll::Ready(Err(error)) = ready else {
                    panic!("its time is over: {ready:?}");
                };
                self.check_timeout(number, since, &error);
            }
            Stand::Waiting { .. } => assert!(ready.is_pending(), "{ready:?}"),
            Stand::Idle => unreachable!("it has asked"),
        }
    }

    fn check_timeout(&mut self, number: usize, since: Instant, error: &BoxError) {
        let error = reason(error);
        assert!(matches!(error, ConcurrencyLimitError::QueueTimeout { .. }));
        assert_eq!(error.waited(), self.world.timer.now() - since);
        let congestion = error.congestion();
        assert_eq!(congestion.in_flight, self.in_flight());
        assert_eq!(congestion.queued, self.queue.len());
        assert_eq!(congestion.open_bodies, self.bodies.len());
        self.queue.retain(|waiting| *waiting != number);
        self.clients[number].1 = Stand::Idle;
        self.tally[TIMED_OUT] += 1;
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::PollReady(number) => self.poll_ready(number),
            Action::Call(number) => {
                if self.clients[number].1 != (Stand::Given { has_looked: true }) {
                    return;
                }
                let future = task::spawn(self.clients[number].0.call(get("/")));
                self.clients[number].1 = Stand::Idle;
                let (_, answer) = self.world.next_request();
                self.pending.push((future, answer));
            }
            Action::DropClient(number) => {
                let stand = std::mem::replace(&mut self.clients[number].1, Stand::Idle);
                self.queue.retain(|waiting| *waiting != number);
                self.clients[number].0 = self.world.client();
                self.tally[CANCELLED] += u64::from(stand != Stand::Idle);
            }
            Action::Answer(index) | Action::FailAnswer(index) => {
                if self.pending.is_empty() {
                    return;
                }
                let (mut future, answer) = self.pending.remove(index % self.pending.len());
                if matches!(action, Action::FailAnswer(_)) {
                    answer.send_error("reset by peer");
                    assert!(matches!(future.poll(), Poll::Ready(Err(_))));
                    self.tally[SERVED] += 1;
                    return;
                }
                let (body, remote) = Scripted::new([], true);
                answer.send_response(Response::new(body));
                let Poll::Ready(Ok(reply)) = future.poll() else {
                    panic!("it was answered");
                };
                match self.release_at {
                    ReleaseAt::BodyEnd => self.bodies.push((reply, remote)),
                    _ => self.tally[SERVED] += 1,
                }
            }
            Action::DropFuture(index) => {
                if !self.pending.is_empty() {
                    drop(self.pending.remove(index % self.pending.len()));
                    self.tally[SERVED] += 1;
                }
            }
            Action::EndBody(index, end) => {
                if self.bodies.is_empty() {
                    return;
                }
                let index = index % self.bodies.len();
                let (reply, remote) = &mut self.bodies[index];
                match end {
                    End::NotYet => {
                        let _ = poll_body(reply.body_mut());
                        return;
                    }
                    End::Drop => {}
                    End::Trailers => remote.push(Step::Trailers),
                    End::Error => remote.push(Step::Error),
                    End::LastFrame => {
                        remote.push(Step::Data);
                        remote.push(Step::End);
                    }
                }
                if !matches!(end, End::Drop) {
                    assert!(poll_body(reply.body_mut()).is_ready());
                    assert!(!reply.body().holds_permit());
                }
                drop(self.bodies.remove(index));
                self.tally[SERVED] += 1;
            }
            Action::Limit(limit) => {
                self.world.limiter.set_limit(permits(limit));
                self.limit = limit;
            }
            Action::Advance(millis) => {
                self.world
                    .timer
                    .advance(Duration::from_millis(millis.into()));
            }
        }
    }

    /// C1, C7
    fn check(&self) {
        let stats = self.world.stats();
        assert_eq!(stats.limit, self.limit);
        assert_eq!(stats.in_flight, self.in_flight());
        assert_eq!(stats.queued, self.queue.len());
        assert_eq!(stats.open_bodies, self.bodies.len());
        assert!(stats.queued == 0 || stats.in_flight >= stats.limit);
        let counted = [
            stats.submitted,
            stats.served,
            stats.timed_out,
            stats.refused,
            stats.cancelled,
        ];
        assert_eq!(counted, self.tally);
        // A timer that has fired sleeps no more, and one who was given a permit keeps its timer until it looks.
        let count = |f: &dyn Fn(&(Client, Stand)) -> bool| {
            self.clients.iter().filter(|client| f(client)).count()
        };
        let at_least =
            count(&|(client, stand)| matches!(stand, Stand::Waiting { .. }) && !client.is_woken());
        let at_most = count(&|(_, stand)| {
            matches!(
                stand,
                Stand::Waiting { .. } | Stand::Given { has_looked: false }
            )
        });
        let sleepers = self.world.timer.sleepers();
        assert!((at_least..=at_most).contains(&sleepers), "{sleepers} sleep");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// C1, C2, C3, C4, C6, C7
    #[test]
    fn every_schedule_does_what_the_model_says(
        limit in 1..4_usize,
        max_queued in 0..5_usize,
        at_headers: bool,
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let queue_timeout = 30 * SECOND;
        let release_at = if at_headers { ReleaseAt::Headers } else { ReleaseAt::BodyEnd };
        let config = Config::new()
            .with_release_at(release_at)
            .with_queue_timeout(queue_timeout)
            .with_max_queued(max_queued);
        let world = World::with_config(limit, config);
        let clients = (0..CLIENTS).map(|_| (world.client(), Stand::Idle)).collect();
        let mut run = Run {
            world,
            release_at,
            queue_timeout,
            max_queued,
            clients,
            queue: VecDeque::new(),
            pending: Vec::new(),
            bodies: Vec::new(),
            limit,
            tally: [0; 5],
        };
        for action in actions {
            run.act(action);
            run.hand_out();
            run.check();
        }
        let limiter = run.world.limiter.clone();
        let timer = run.world.timer.clone();
        drop(run);
        let stats = limiter.stats();
        common::assert_balanced(&stats);
        prop_assert_eq!((stats.in_flight, stats.queued, stats.open_bodies), (0, 0, 0));
        prop_assert_eq!(timer.sleepers(), 0);
    }
}
