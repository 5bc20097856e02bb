//! The numbers of one label over its lifetime and over the last minute.
//!
//! The counters of the lifetime only grow. So the last minute is what they say now less what they said a minute ago,
//! and that is all that has to be kept: a *mark*, a copy of the counters, for each ten seconds in which anything was
//! recorded. Recording touches one set of counters, and nothing is ever reset under a writer.

use crate::{Timings, counters::Counters, sample::Sample};
use egress_time::Instant;
use std::sync::{
    Mutex, PoisonError,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
        fence,
    },
};

/// How long a window is, in nanoseconds.
const WINDOW: u64 = 10_000_000_000;
/// How many windows make a minute, the present one included.
const WINDOWS: u64 = 6;
const MARKS: usize = 6;

/// The window of a mark that is being written or was never.
const NO_WINDOW: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Series {
    lifetime: Counters,
    marks: Box<[Mark]>,
    /// Held by the writer that sets a mark. Never by a reader.
    marking: Mutex<()>,
}

/// The counters as they were at the first record of a window.
///
/// A sequence lock: a reader looks at `window` before and after it looks at the counters.
#[derive(Debug)]
struct Mark {
    window: AtomicU64,
    counters: Counters,
}

impl Default for Mark {
    fn default() -> Self {
        Self {
            window: AtomicU64::new(NO_WINDOW),
            counters: Counters::default(),
        }
    }
}

impl Default for Series {
    fn default() -> Self {
        Self {
            lifetime: Counters::default(),
            marks: (0..MARKS).map(|_| Mark::default()).collect(),
            marking: Mutex::default(),
        }
    }
}

impl Series {
    pub(crate) fn record(&self, now: Instant, sample: &Sample) {
        let window = window_of(now);
        if self.mark_of(window).window.load(Acquire) != window {
            self.mark(window);
        }
        self.lifetime.record(sample);
    }

    pub(crate) fn read(&self, now: Instant) -> Timings {
        // The minute first: it is never more than the lifetime.
        let minute = loop {
            let Some((mark, window)) = self.oldest_mark(window_of(now)) else {
                break None;
            };
            let minute = self.lifetime.read_since(Some(&mark.counters));
            if mark.is_still(window) {
                break Some(minute);
            }
        };
        Timings {
            minute: minute.unwrap_or_default(),
            lifetime: self.lifetime.read_since(None),
        }
    }

    /// Sets the mark of `window`, unless somebody has done it.
    #[cold]
    fn mark(&self, window: u64) {
        let _marking = self.marking.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = self.mark_of(window);
        if mark.window.load(Relaxed) == window {
            return;
        }
        for other in &*self.marks {
            // Where the clock has stepped back, those that lie ahead must not count again when their time comes.
            if !within_a_minute(other.window.load(Relaxed), window) {
                other.window.store(NO_WINDOW, Relaxed);
            }
        }
        mark.window.store(NO_WINDOW, Relaxed);
        fence(Release);
        mark.counters.assign(&self.lifetime);
        mark.window.store(window, Release);
    }

    /// Returns the mark that was set first of those within a minute of `present`: the one that counted fewest.
    fn oldest_mark(&self, present: u64) -> Option<(&Mark, u64)> {
        let marks = self.marks.iter().filter_map(|mark| {
            let window = mark.window.load(Acquire);
            let requests = mark.counters.requests();
            let counts = within_a_minute(window, present) && mark.is_still(window);
            counts.then_some((requests, mark, window))
        });
        let (_, mark, window) = marks.min_by_key(|(requests, ..)| *requests)?;
        Some((mark, window))
    }

    fn mark_of(&self, window: u64) -> &Mark {
        let index = usize::try_from(window % WINDOWS).unwrap_or(0);
        &self.marks[index]
    }
}

impl Mark {
    /// Tells whether what was read of it since it was of `window` belongs together.
    fn is_still(&self, window: u64) -> bool {
        fence(Acquire);
        self.window.load(Relaxed) == window
    }
}

fn window_of(now: Instant) -> u64 {
    now.as_nanos() / WINDOW
}

/// On either side: after a step back of the clock, what was recorded last lies ahead.
const fn within_a_minute(window: u64, present: u64) -> bool {
    window != NO_WINDOW && window.abs_diff(present) < WINDOWS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use std::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SAMPLE: Sample = Sample {
        outcome: Outcome::Ok,
        abandoned: false,
        attempts: 1,
        rate_wait: Duration::ZERO,
        queue_wait: Duration::ZERO,
        headers: Some(Duration::from_millis(20)),
        body: Some(Duration::from_millis(3)),
        total: Duration::from_millis(23),
    };

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    /// Records at each of `seconds` and returns how many the minute before `now` has.
    fn minute(series: &Series, seconds: impl IntoIterator<Item = u64>, now: u64) -> u64 {
        for second in seconds {
            series.record(at(second), &SAMPLE);
        }
        let timings = series.read(at(now));
        let requests = timings.minute().requests();
        for phase in crate::Phase::ALL {
            assert_eq!(timings.minute().phase(*phase).count(), requests, "{phase}");
        }
        assert_eq!(timings.minute().attempts(), requests);
        requests
    }

    /// M2
    #[test]
    fn the_minute_forgets_and_the_lifetime_does_not() {
        let series = Series::default();
        assert_eq!(minute(&series, 0..300, 299), 60);
        assert_eq!(
            minute(&series, [], 300),
            50,
            "the present window counts as well"
        );
        assert_eq!(minute(&series, [], 349), 10);
        assert_eq!(minute(&series, [], 350), 0);
        let timings = series.read(at(100_000));
        assert!(timings.minute().phase(crate::Phase::Total).is_empty());
        assert_eq!(timings.lifetime().requests(), 300);
        assert_eq!(
            minute(&series, [100_000], 100_000),
            1,
            "after a long silence"
        );
    }

    /// M2: a model that remembers when.
    #[test]
    fn the_minute_is_never_less_than_50_s_nor_more_than_60() {
        let series = Series::default();
        let mut random = 1_u64;
        let mut recorded = Vec::new();
        let mut now = 7;
        for _ in 0..2000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            now += [0, 0, 0, 1, 1, 3, 9, 61][usize::try_from(random >> 61).expect("3 bits")];
            let counted = minute(&series, [now], now);
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
    fn a_clock_that_stands_still_counts_all() {
        let series = Series::default();
        assert_eq!(minute(&series, [5; 1000], 5), 1000);
    }

    #[test]
    fn a_clock_that_steps_back_a_little_goes_on() {
        let series = Series::default();
        assert_eq!(minute(&series, 1000..1060, 1059), 60);
        assert_eq!(
            minute(&series, [], 1030),
            60,
            "the last minute was the last"
        );
        assert_eq!(minute(&series, [1030], 1030), 61);
        assert_eq!(minute(&series, [1060], 1060), 52);
    }

    #[test]
    fn a_clock_that_steps_back_far_begins_anew() {
        let series = Series::default();
        assert_eq!(minute(&series, 1000..1060, 1059), 60);
        assert_eq!(minute(&series, [100, 100], 100), 2);
        assert_eq!(minute(&series, [], 1020), 0, "what lay ahead is forgotten");
        assert_eq!(minute(&series, [1020], 1020), 1);
        assert_eq!(series.read(at(1020)).lifetime().requests(), 63);
    }

    /// M4
    #[test]
    fn a_reader_needs_no_lock_and_a_writer_only_for_a_new_window() {
        let series = Series::default();
        series.record(at(0), &SAMPLE);
        let _marking = series.marking.lock();
        series.record(at(9), &SAMPLE);
        assert_eq!(series.read(at(9)).minute().requests(), 2);
    }

    /// M4: what the crate's documentation says of memory.
    #[test]
    fn an_idle_label_is_small() {
        assert!(
            size_of::<Series>() <= 18 * 1024 + 512,
            "{} bytes",
            size_of::<Series>()
        );
        assert!(size_of::<crate::Histogram>() <= 512);
    }
}
