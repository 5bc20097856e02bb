//! The law of processes, in random schedules.

use super::*;
use toolbox_suite::schedule::{self, Size};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn law(seed: u64) {
    let timer = ManualTimer::new();
    let size = Size {
        items: 300,
        clients: 8,
        longest: 20,
    };
    let begun = timer.run(schedule::process(timer.clone(), seed, size));
    assert!(begun.is_ok(), "seed {seed}: {begun:?}");
    assert_eq!(timer.sleepers(), 0, "seed {seed}");
}

#[test]
fn nothing_is_lost_or_doubled_in_random_schedules() {
    for seed in 0..500 {
        law(seed);
    }
}

#[cfg(not(target_arch = "wasm32"))]
proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]
    #[test]
    fn any_seed_keeps_the_law(seed: u64) {
        law(seed);
    }
}
