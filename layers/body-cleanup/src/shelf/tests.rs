//! What lies too long is given up, what is used never is.

use super::*;
use std::{
    sync::Weak,
    task::{Context, Poll, Waker},
};
use tokio_test::task::{Spawn, spawn};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: Duration = Duration::from_secs(1);
const START: Instant = Instant::from_nanos(3_600_000_000_000);

fn shelf() -> Shelf<&'static str> {
    Shelf::new(10 * SECOND)
}

impl<V> Shelf<V> {
    fn lay_at(&self, value: V, since: Instant) -> usize {
        self.lay(value, Rest::Since(since), false).0
    }
}

/// An owner that waits for its value.
struct Waiting {
    owner: Spawn<()>,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Waiting {
    fn new() -> Self {
        let (mut owner, mut bell, mut waker) = (spawn(()), None, None);
        let pending: Poll<()> = owner.enter(|cx, _| {
            Bell::poll(&mut bell, cx, |cx: &mut Context<'_>| {
                waker = Some(cx.waker().clone());
                Poll::Pending
            })
        });
        assert!(pending.is_pending());
        Self {
            owner,
            bell: bell.expect("it was pending"),
            waker: waker.expect("it was polled"),
        }
    }

    fn rest(&self) -> Rest {
        Rest::until_called(Arc::clone(&self.bell))
    }

    fn call(&self) {
        self.waker.wake_by_ref();
    }
}

/// K3
#[test]
fn what_lies_for_the_timeout_is_given_up_and_its_owner_is_told() {
    let shelf = shelf();
    let key = shelf.lay_at("body", START);
    let early = shelf.look(START + 9 * SECOND);
    assert!(early.given_up.is_empty());
    assert_eq!(early.next, START + 10 * SECOND);
    let late = shelf.look(START + 12 * SECOND);
    assert_eq!(late.given_up, ["body"]);
    assert!(shelf.look(START + 99 * SECOND).given_up.is_empty());
    assert_eq!(shelf.take(key), Err(12 * SECOND));
    assert_eq!(shelf.take(key), Ok(None), "its owner is told once");
}

/// K3
#[test]
fn what_is_in_use_is_never_given_up() {
    let shelf = shelf();
    let key = shelf.lay_at("body", START);
    assert_eq!(shelf.take(key), Ok(Some("body")));
    assert!(shelf.look(START + 1000 * SECOND).given_up.is_empty());
    shelf.lay_at("body", START + 1000 * SECOND);
    assert!(shelf.look(START + 1009 * SECOND).given_up.is_empty());
    assert_eq!(shelf.look(START + 1010 * SECOND).given_up, ["body"]);
}

/// K3
#[test]
fn one_whose_owner_waits_is_never_given_up_and_one_whose_owner_was_called_in_time() {
    let shelf = shelf();
    let waiting = Waiting::new();
    let key = shelf.lay("body", waiting.rest(), false).0;
    let look = shelf.look(START + 1000 * SECOND);
    assert!(look.given_up.is_empty());
    assert_eq!(look.next, START + 1000 * SECOND + 10 * SECOND / 4);
    waiting.call();
    assert!(waiting.owner.is_woken());
    let look = shelf.look(look.next);
    assert!(
        look.given_up.is_empty(),
        "nobody knows when the bell was rung"
    );
    assert!(shelf.look(look.next - SECOND).given_up.is_empty());
    assert_eq!(shelf.look(look.next).given_up, ["body"]);
    assert_eq!(shelf.take(key), Err(10 * SECOND));
}

#[test]
fn a_bell_is_dropped_outside_of_the_lock() {
    struct Holder(Weak<Shelf<&'static str>>);
    impl std::task::Wake for Holder {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Holder {
        fn drop(&mut self) {
            // It would hang if the lock were held.
            let _ = self.0.upgrade().map(|shelf| shelf.continue_watch());
        }
    }
    let shelf = Arc::new(shelf());
    let keys = [(), ()].map(|()| {
        let waker = Waker::from(Arc::new(Holder(Arc::downgrade(&shelf))));
        let mut bell = None;
        let _: Poll<()> = Bell::poll(&mut bell, &mut Context::from_waker(&waker), |cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let rest = Rest::until_called(bell.expect("it was pending"));
        shelf.lay("body", rest, false).0
    });
    assert_eq!(shelf.take(keys[0]), Ok(Some("body")));
    assert!(shelf.look(START).given_up.is_empty());
    assert_eq!(shelf.look(START + 10 * SECOND).given_up, ["body"]);
}

#[test]
fn a_place_that_is_left_is_free_again() {
    let shelf = shelf();
    let first = shelf.lay_at("first", START);
    assert_eq!(shelf.look(START + 10 * SECOND).given_up, ["first"]);
    assert!(shelf.take(first).is_err());
    let second = shelf.lay_at("second", START + 10 * SECOND);
    let third = shelf.lay_at("third", START + 10 * SECOND);
    assert_eq!(shelf.take(third), Ok(Some("third")));
    assert_eq!(shelf.look(START + 20 * SECOND).given_up, ["second"]);
    assert!(shelf.take(second).is_err());
    assert!(shelf.state().entries.is_empty());
    assert_eq!(shelf.state().given_up, 0);
}

/// K3
#[test]
fn a_clock_that_steps_back_gives_nothing_up_early_and_keeps_nothing_for_ever() {
    let shelf = shelf();
    shelf.lay_at("body", START);
    assert!(shelf.look(START + 5 * SECOND).given_up.is_empty());
    let back = START - 3000 * SECOND;
    let look = shelf.look(back);
    assert!(look.given_up.is_empty());
    assert_eq!(look.next, back + 10 * SECOND, "it is unused from now on");
    assert!(shelf.look(back + 9 * SECOND).given_up.is_empty());
    assert_eq!(shelf.look(back + 10 * SECOND).given_up, ["body"]);
}

/// K3
#[test]
fn a_clock_that_steps_back_keeps_nothing_whose_owner_was_called_for_ever() {
    let shelf = shelf();
    let waiting = Waiting::new();
    shelf.lay("body", waiting.rest(), false);
    waiting.call();
    assert!(shelf.look(START).given_up.is_empty());
    let back = START - 3000 * SECOND;
    assert!(shelf.look(back).given_up.is_empty());
    assert_eq!(shelf.look(back + 10 * SECOND).given_up, ["body"]);
}

#[test]
fn a_timeout_of_zero_does_not_spin() {
    let shelf = Shelf::new(Duration::ZERO);
    shelf.lay_at("body", START);
    let look = shelf.look(START);
    assert_eq!(look.given_up, ["body"]);
    assert_eq!(look.next, START + BETWEEN_LOOKS);
}

#[test]
fn one_watches_as_long_as_something_is_there() {
    let shelf = shelf();
    let lay = |can_watch| shelf.lay("body", Rest::Since(START), can_watch);
    assert!(!lay(false).1, "nobody can");
    let (key, begin) = lay(true);
    assert!(begin);
    assert!(!lay(true).1, "one is enough");
    assert!(shelf.continue_watch());
    assert_eq!(shelf.take(key), Ok(Some("body")));
    assert_eq!(shelf.look(START + 10 * SECOND).given_up.len(), 2);
    assert!(
        !shelf.continue_watch(),
        "its owner may keep what is left of it"
    );
    assert!(lay(true).1);
    shelf.end_watch();
    assert!(lay(true).1);
}

#[cfg(not(target_arch = "wasm32"))]
mod model {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Lay,
        Take(usize),
        LayAgain(usize),
        WaitFor(usize),
        Call(usize),
        Leave(usize),
        Pass(u64),
        GoBack(u64),
        Look,
        LookWhenItMakesSense,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Lay),
            any::<usize>().prop_map(Step::Take),
            any::<usize>().prop_map(Step::LayAgain),
            any::<usize>().prop_map(Step::WaitFor),
            any::<usize>().prop_map(Step::Call),
            any::<usize>().prop_map(Step::Leave),
            (0..8_u64).prop_map(Step::Pass),
            Just(Step::Look),
            Just(Step::LookWhenItMakesSense),
        ]
    }

    /// With a clock that steps back now and then, or never.
    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let back = || (0..30_u64).prop_map(Step::GoBack);
        prop_oneof![
            vec(step(), 1..200),
            vec(prop_oneof![20 => step(), 1 => back()], 1..200),
        ]
    }

    /// What the model knows of a value. In use, it has no key.
    struct Known {
        id: u32,
        key: Option<usize>,
        unused_since: Option<Instant>,
        waiting: Option<Waiting>,
        is_called: bool,
        given_up: bool,
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// K3
        #[test]
        fn it_gives_up_what_a_full_search_would_and_says_when(steps in steps()) {
            let timeout = 10 * SECOND;
            let shelf = Shelf::new(timeout);
            let mut now = START;
            let (mut next_look, mut looked_at) = (Instant::ORIGIN, Instant::ORIGIN);
            let mut is_steady = true;
            let mut known: Vec<Known> = Vec::new();
            let mut next_id = 0;
            for step in steps {
                let count = known.len().max(1);
                match step {
                    Step::Lay => {
                        known.push(Known {
                            id: next_id,
                            key: Some(shelf.lay_at(next_id, now)),
                            unused_since: Some(now),
                            waiting: None,
                            is_called: false,
                            given_up: false,
                        });
                        next_id += 1;
                    }
                    Step::Take(n) => if let Some(known) = known.get_mut(n % count)
                        && let Some(key) = known.key.take()
                    {
                        match known.given_up {
                            true => prop_assert!(shelf.take(key).is_err()),
                            false => prop_assert_eq!(shelf.take(key), Ok(Some(known.id))),
                        }
                        known.unused_since = None;
                        known.waiting = None;
                        known.is_called = false;
                    },
                    Step::LayAgain(n) => if let Some(known) = known.get_mut(n % count)
                        && !known.given_up && known.key.is_none()
                    {
                        known.key = Some(shelf.lay_at(known.id, now));
                        known.unused_since = Some(now);
                    },
                    Step::WaitFor(n) => if let Some(known) = known.get_mut(n % count)
                        && !known.given_up && known.key.is_none()
                    {
                        let waiting = Waiting::new();
                        known.key = Some(shelf.lay(known.id, waiting.rest(), false).0);
                        known.waiting = Some(waiting);
                    },
                    Step::Call(n) => if let Some(known) = known.get_mut(n % count)
                        && let Some(waiting) = &known.waiting
                    {
                        waiting.call();
                        known.is_called = true;
                    },
                    Step::Leave(n) => if !known.is_empty() {
                        let left = known.swap_remove(n % count);
                        let _ = left.key.map(|key| shelf.take(key));
                    },
                    Step::Pass(seconds) => now = now + SECOND * u32::try_from(seconds).unwrap(),
                    Step::GoBack(seconds) => {
                        now = now - SECOND * u32::try_from(seconds).unwrap();
                        is_steady = false;
                    }
                    Step::Look | Step::LookWhenItMakesSense => {
                        if matches!(step, Step::LookWhenItMakesSense) {
                            now = now.max(next_look);
                        }
                        let is_full = now >= next_look || now < looked_at;
                        let mut expected = Vec::new();
                        for known in known.iter_mut().filter(|known| !known.given_up) {
                            if is_full && known.is_called {
                                known.unused_since.get_or_insert(now);
                            }
                            let Some(since) = &mut known.unused_since else { continue };
                            if is_full {
                                *since = now.min(*since);
                            }
                            let is_due = now - *since >= timeout;
                            known.given_up = is_due && is_full;
                            if known.given_up {
                                expected.push(known.id);
                            }
                            prop_assert!(is_full || !is_due || !is_steady, "nothing is left out");
                        }
                        let look = shelf.look(now);
                        let mut given_up = look.given_up;
                        expected.sort_unstable();
                        given_up.sort_unstable();
                        prop_assert_eq!(given_up, expected);
                        prop_assert!(look.next > now, "or a waiter would spin");
                        prop_assert!(look.next <= now + timeout, "or a body laid down now would lie too long");
                        next_look = look.next;
                        looked_at = shelf.state().looked_at;
                    }
                }
                let given_up = known.iter().filter(|known| known.given_up && known.key.is_some());
                prop_assert_eq!(shelf.state().given_up, given_up.count());
            }
        }
    }
}
