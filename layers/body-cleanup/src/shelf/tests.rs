//! What lies too long is given up, what is used never is.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: Duration = Duration::from_secs(1);
const START: Instant = Instant::from_nanos(3_600_000_000_000);

fn shelf() -> Arc<Shelf<&'static str>> {
    Arc::new(Shelf::new(10 * SECOND))
}

/// K3
#[test]
fn what_lies_for_the_timeout_is_given_up_and_its_owner_is_told() {
    let shelf = shelf();
    let place = shelf.insert("body", START);
    let early = shelf.look(START + 9 * SECOND);
    assert!(early.given_up.is_empty());
    assert_eq!(early.next, START + 10 * SECOND);
    let late = shelf.look(START + 12 * SECOND);
    assert_eq!(late.given_up, ["body"]);
    assert_eq!(place.take(), Err(12 * SECOND));
    assert_eq!(place.take(), Err(12 * SECOND), "and is told again");
    assert!(shelf.look(START + 99 * SECOND).given_up.is_empty());
}

/// K3
#[test]
fn what_is_in_use_is_never_given_up() {
    let shelf = shelf();
    let place = shelf.insert("body", START);
    assert_eq!(place.take(), Ok(Some("body")));
    assert!(shelf.look(START + 1000 * SECOND).given_up.is_empty());
    assert_eq!(place.take(), Ok(None), "it is in use already");
    place.put("body", START + 1000 * SECOND);
    assert!(shelf.look(START + 1009 * SECOND).given_up.is_empty());
    assert_eq!(shelf.look(START + 1010 * SECOND).given_up, ["body"]);
}

#[test]
fn a_place_that_is_left_is_free_again() {
    let shelf = shelf();
    let place = shelf.insert("first", START);
    assert_eq!(shelf.look(START + 10 * SECOND).given_up, ["first"]);
    drop(place);
    let second = shelf.insert("second", START + 10 * SECOND);
    drop(shelf.insert("third", START + 10 * SECOND));
    assert_eq!(shelf.look(START + 20 * SECOND).given_up, ["second"]);
    drop(second);
    assert!(shelf.state().entries.is_empty());
    assert_eq!(shelf.state().alive, 0);
}

#[test]
fn a_clock_that_steps_back_gives_nothing_up_early() {
    let shelf = shelf();
    let place = shelf.insert("body", START);
    assert!(shelf.look(START - 5 * SECOND).given_up.is_empty());
    assert_eq!(shelf.look(START + 10 * SECOND).given_up, ["body"]);
    drop(place);
}

#[test]
fn a_timeout_of_zero_does_not_spin() {
    let shelf = Arc::new(Shelf::new(Duration::ZERO));
    let place = shelf.insert("body", START);
    let look = shelf.look(START);
    assert_eq!(look.given_up, ["body"]);
    assert_eq!(look.next, START + BETWEEN_LOOKS);
    drop(place);
}

#[test]
fn one_watches_as_long_as_something_is_there() {
    let shelf = shelf();
    assert!(!shelf.begin_watch(), "there is nothing to watch");
    let place = shelf.insert("body", START);
    assert!(shelf.begin_watch());
    assert!(!shelf.begin_watch(), "one is enough");
    assert!(shelf.continue_watch());
    assert_eq!(place.take(), Ok(Some("body")));
    assert!(shelf.continue_watch(), "it may be laid down again");
    place.put("body", START);
    assert_eq!(shelf.look(START + 10 * SECOND).given_up, ["body"]);
    assert!(
        !shelf.continue_watch(),
        "its owner may keep what is left of it"
    );
    let next = shelf.insert("another", START);
    assert!(shelf.begin_watch());
    shelf.end_watch();
    assert!(shelf.begin_watch());
    drop((place, next));
}

#[cfg(not(target_arch = "wasm32"))]
mod model {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert,
        Take(usize),
        Put(usize),
        Leave(usize),
        Wait(u64),
        Look,
        LookWhenItMakesSense,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Insert),
            any::<usize>().prop_map(Step::Take),
            any::<usize>().prop_map(Step::Put),
            any::<usize>().prop_map(Step::Leave),
            (0..8_u64).prop_map(Step::Wait),
            Just(Step::Look),
            Just(Step::LookWhenItMakesSense),
        ]
    }

    /// What the model knows of a place: `None` is in use.
    struct Known {
        id: u32,
        place: Place<u32>,
        unused_since: Option<Instant>,
        given_up: bool,
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// K3
        #[test]
        fn it_gives_up_what_a_full_search_would_and_says_when(steps in vec(step(), 1..200)) {
            let timeout = 10 * SECOND;
            let shelf = Arc::new(Shelf::new(timeout));
            let mut now = START;
            let mut next_look = START;
            let mut known: Vec<Known> = Vec::new();
            let mut next_id = 0;
            for step in steps {
                let count = known.len().max(1);
                match step {
                    Step::Insert => {
                        let place = shelf.insert(next_id, now);
                        known.push(Known { id: next_id, place, unused_since: Some(now), given_up: false });
                        next_id += 1;
                    }
                    Step::Take(n) => if let Some(known) = known.get_mut(n % count) {
                        match (known.given_up, known.unused_since.take()) {
                            (true, _) => prop_assert!(known.place.take().is_err()),
                            (false, Some(_)) => prop_assert_eq!(known.place.take(), Ok(Some(known.id))),
                            (false, None) => prop_assert_eq!(known.place.take(), Ok(None)),
                        }
                    },
                    Step::Put(n) => if let Some(known) = known.get_mut(n % count)
                        && !known.given_up && known.unused_since.is_none()
                    {
                        known.place.put(known.id, now);
                        known.unused_since = Some(now);
                    },
                    Step::Leave(n) => if !known.is_empty() {
                        known.swap_remove(n % count);
                    },
                    Step::Wait(seconds) => now = now + SECOND * u32::try_from(seconds).unwrap(),
                    Step::Look | Step::LookWhenItMakesSense => {
                        if matches!(step, Step::LookWhenItMakesSense) {
                            now = now.max(next_look);
                        }
                        let mut expected: Vec<u32> = known.iter_mut()
                            .filter(|known| known.unused_since.is_some_and(|since| now - since >= timeout))
                            .map(|known| {
                                known.given_up = true;
                                known.unused_since = None;
                                known.id
                            })
                            .collect();
                        let look = shelf.look(now);
                        let mut given_up = look.given_up;
                        expected.sort_unstable();
                        given_up.sort_unstable();
                        prop_assert_eq!(given_up, expected);
                        prop_assert!(look.next > now, "or a waiter would spin");
                        prop_assert!(look.next <= now + timeout, "or a body laid down now would lie too long");
                        next_look = look.next;
                    }
                }
                prop_assert_eq!(shelf.state().alive, known.iter().filter(|known| !known.given_up).count());
            }
        }
    }
}
