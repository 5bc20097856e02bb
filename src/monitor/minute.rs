//! The last minute.
//!
//! Six windows of ten seconds, the present one included: all that ended in the last 50 seconds, and nothing older than 60.
//!
//! The timing layer has a minute of the same kind that works in another way, and neither serves both. There, whoever records a request
//! takes no lock: it keeps copies of all counters in place, 18 KiB for each API, of which there is a handful. Here, there may be a thousand
//! operations, most of them idle, which take no memory for windows that nothing ran in; and whoever records a run holds the lock of the
//! operation anyway, for the list of those that are running.

use super::{
    Outcome,
    figures::{Counts, Figures},
};
use egress_time::Instant;
use std::{sync::Arc, time::Duration};

/// How long a window is, in nanoseconds.
const WINDOW: u64 = 10_000_000_000;
/// How many windows make a minute, the present one included.
const WINDOWS: u64 = 6;

/// The windows that anything was recorded in; those that nothing was recorded in take no memory.
#[derive(Debug, Default)]
pub(super) struct Minute {
    windows: [Option<Arc<Window>>; 6],
}

#[derive(Debug)]
pub(super) struct Window {
    index: u64,
    counts: Counts,
}

impl Minute {
    pub(super) fn record(&mut self, now: Instant, duration: Duration, outcome: Outcome) {
        let present = now.as_nanos() / WINDOW;
        let place = usize::try_from(present % WINDOWS).unwrap_or(0);
        let known = self.windows[place]
            .as_deref()
            .filter(|window| window.index == present);
        if let Some(window) = known {
            return window.counts.record(duration, outcome);
        }
        // Where the clock has stepped back, those that lie ahead must not count again when their time comes.
        for window in &mut self.windows {
            window.take_if(|window| !within_a_minute(window.index, present));
        }
        let window = Window {
            index: present,
            counts: Counts::default(),
        };
        window.counts.record(duration, outcome);
        self.windows[place] = Some(Arc::new(window));
    }

    /// Returns the windows of the minute before `now`, to be read without the lock that this is behind.
    pub(super) fn windows(&self, now: Instant) -> Vec<Arc<Window>> {
        let present = now.as_nanos() / WINDOW;
        let windows = self.windows.iter().flatten();
        windows
            .filter(|window| within_a_minute(window.index, present))
            .cloned()
            .collect()
    }
}

/// Returns what was recorded in them together.
pub(super) fn together(windows: &[Arc<Window>]) -> Figures {
    let mut figures = Figures::default();
    for window in windows {
        figures.merge(&window.counts.read());
    }
    figures
}

/// On either side: after a step back of the clock, what was recorded last lies ahead.
const fn within_a_minute(window: u64, present: u64) -> bool {
    window.abs_diff(present) < WINDOWS
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    /// Records at each of `seconds` and returns how many the minute before `now` has.
    fn counted(minute: &mut Minute, seconds: impl IntoIterator<Item = u64>, now: u64) -> u64 {
        for second in seconds {
            minute.record(at(second), Duration::from_millis(5), Outcome::Ok);
        }
        let figures = together(&minute.windows(at(now)));
        assert_eq!(figures.durations().count(), figures.count());
        figures.count()
    }

    #[test]
    fn the_minute_forgets() {
        let mut minute = Minute::default();
        assert_eq!(counted(&mut minute, 0..300, 299), 60);
        assert_eq!(counted(&mut minute, [], 300), 50);
        assert_eq!(counted(&mut minute, [], 349), 10);
        assert_eq!(counted(&mut minute, [], 350), 0);
        assert_eq!(counted(&mut minute, [100_000], 100_000), 1);
    }

    /// A model that remembers when.
    #[test]
    fn the_minute_is_never_less_than_50_s_nor_more_than_60() {
        let mut minute = Minute::default();
        let mut random = 1_u64;
        let mut recorded = Vec::new();
        let mut now = 7;
        for _ in 0..2000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            now += [0, 0, 0, 1, 1, 3, 9, 61][usize::try_from(random >> 61).expect("3 bits")];
            let counted = counted(&mut minute, [now], now);
            recorded.push(now);
            let since = |age: u64| recorded.iter().filter(|at| **at + age > now).count();
            let counted = usize::try_from(counted).expect("at most 2000");
            assert!(
                since(50) <= counted && counted <= since(60),
                "{counted} at {now}"
            );
        }
    }

    #[test]
    fn a_clock_that_steps_back_a_little_goes_on_and_far_begins_anew() {
        let mut minute = Minute::default();
        assert_eq!(counted(&mut minute, 1000..1060, 1059), 60);
        assert_eq!(counted(&mut minute, [], 1030), 60);
        assert_eq!(counted(&mut minute, [1030], 1030), 61);
        assert_eq!(counted(&mut minute, [100, 100], 100), 2);
        assert_eq!(
            counted(&mut minute, [], 1020),
            0,
            "what lay ahead is forgotten"
        );
    }

    #[test]
    fn an_idle_minute_is_small() {
        assert!(size_of::<Minute>() <= 48);
    }
}
