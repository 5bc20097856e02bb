//! Every schedule of a few actors, step by step against a model.
//!
//! All of the limiter's state is behind one lock, which is taken once in each step below. So the order of steps is all
//! that threads can make of it, and every order of them, up to a length, is tried.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod common;

use common::{Wait, World, permits, wait};
use egress_concurrency_limit::Permit;
use egress_time::ManualTimer;
use std::{collections::VecDeque, task::Poll};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ACTORS: usize = 3;
const LENGTH: u32 = 6;

/// What an actor does next: it asks for a permit until it has one, or gives up what it has.
#[derive(Clone, Copy, Debug)]
enum Step {
    Poll(usize),
    Drop(usize),
    Limit(usize),
}

const STEPS: [Step; 2 * ACTORS + 2] = [
    Step::Poll(0),
    Step::Poll(1),
    Step::Poll(2),
    Step::Drop(0),
    Step::Drop(1),
    Step::Drop(2),
    Step::Limit(1),
    Step::Limit(2),
];

#[derive(Default)]
enum Actor {
    #[default]
    Idle,
    Waiting(Wait),
    Holding(Permit<ManualTimer>),
}

/// What should be the case.
struct Model {
    limit: usize,
    waiting: VecDeque<usize>,
    given: Vec<usize>,
    served: u64,
    cancelled: u64,
    submitted: u64,
}

impl Model {
    fn hand_out(&mut self) {
        while self.given.len() < self.limit {
            let Some(next) = self.waiting.pop_front() else {
                return;
            };
            self.given.push(next);
        }
    }
}

/// C1, C4, C6, C7
#[test]
fn every_short_schedule_does_what_the_model_says() {
    let schedules = STEPS.len().pow(LENGTH);
    for number in 0..schedules {
        let mut rest = number;
        let schedule: Vec<_> = (0..LENGTH)
            .map(|_| {
                let step = STEPS[rest % STEPS.len()];
                rest /= STEPS.len();
                step
            })
            .collect();
        follow(&schedule);
    }
}

fn follow(schedule: &[Step]) {
    let world = World::new(1);
    let mut actors: [Actor; ACTORS] = Default::default();
    let mut model = Model {
        limit: 1,
        waiting: VecDeque::new(),
        given: Vec::new(),
        served: 0,
        cancelled: 0,
        submitted: 0,
    };
    for step in schedule {
        match *step {
            Step::Poll(actor) => {
                let mut waiting = match std::mem::take(&mut actors[actor]) {
                    Actor::Idle => {
                        model.submitted += 1;
                        model.waiting.push_back(actor);
                        model.hand_out();
                        wait(&world.limiter)
                    }
                    Actor::Waiting(waiting) => waiting,
                    Actor::Holding(permit) => {
                        actors[actor] = Actor::Holding(permit);
                        continue;
                    }
                };
                actors[actor] = match waiting.poll() {
                    Poll::Ready(permit) => Actor::Holding(permit.unwrap()),
                    Poll::Pending => Actor::Waiting(waiting),
                };
                let has_it = matches!(actors[actor], Actor::Holding(_));
                assert_eq!(has_it, model.given.contains(&actor), "{schedule:?}");
            }
            Step::Drop(actor) => {
                match std::mem::take(&mut actors[actor]) {
                    Actor::Idle => continue,
                    Actor::Waiting(_) => model.cancelled += 1,
                    Actor::Holding(_) => model.served += 1,
                }
                model.waiting.retain(|waiting| *waiting != actor);
                model.given.retain(|given| *given != actor);
                model.hand_out();
            }
            Step::Limit(limit) => {
                world.limiter.set_limit(permits(limit));
                model.limit = limit;
                model.hand_out();
            }
        }
        let stats = world.stats();
        assert_eq!(stats.in_flight, model.given.len(), "{schedule:?}");
        assert_eq!(stats.queued, model.waiting.len(), "{schedule:?}");
        assert_eq!(
            (stats.submitted, stats.served, stats.cancelled),
            (model.submitted, model.served, model.cancelled),
            "{schedule:?}"
        );
        for (number, actor) in actors.iter().enumerate() {
            if let Actor::Waiting(waiting) = actor {
                assert_eq!(
                    waiting.is_woken(),
                    model.given.contains(&number),
                    "exactly those who were given a permit are woken: {schedule:?}"
                );
            }
        }
    }
    drop(actors);
    let stats = world.stats();
    assert_eq!((stats.in_flight, stats.queued), (0, 0), "{schedule:?}");
    assert_eq!(world.timer.sleepers(), 0, "{schedule:?}");
}
