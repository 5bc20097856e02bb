//! How long to wait before a retry that nobody gave a date for: at most `min(cap, initial · 2^n)`, and a random
//! part of that.

use crate::Cause;
use egress_time::Instant;
use std::time::Duration;

/// The waits between attempts: exponential, capped, with full jitter.
///
/// Retry *n*, counted from 0, waits for a uniformly random time between zero and `min(cap, initial · 2^n)`.
/// Full jitter spreads clients that failed together over the whole interval; with less of it they come back
/// together as well ([Exponential Backoff And Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)).
/// A server that was overloaded needs longer than one that dropped a connection, so each [`Cause`] has its own
/// initial time.
///
/// It is plain arithmetic: the random numbers are an argument, and nothing overflows for any number of retries.
///
/// # Defaults
///
/// - initial: 100 ms when transient, 1 s when throttled
/// - cap: 20 s
/// - full jitter
///
/// # Example
///
/// ```
/// use egress_backoff::{Cause, Schedule};
/// use std::time::Duration;
///
/// let longest = |most| most;
/// let mut delays = Schedule::default().delays(Cause::Throttled, longest);
/// assert_eq!(delays.next(), Some(Duration::from_secs(1)));
/// assert_eq!(delays.next(), Some(Duration::from_secs(2)));
/// assert_eq!(delays.nth(10), Some(Duration::from_secs(20)), "the cap");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    transient: Duration,
    throttled: Duration,
    cap: Duration,
    jitter: bool,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            transient: Duration::from_millis(100),
            throttled: Duration::from_secs(1),
            cap: Duration::from_secs(20),
            jitter: true,
        }
    }
}

impl Schedule {
    /// Makes the default schedule.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most that the first retry for this cause waits.
    pub fn with_initial(mut self, cause: Cause, initial: Duration) -> Self {
        match cause {
            Cause::Transient => self.transient = initial,
            Cause::Throttled => self.throttled = initial,
        }
        self
    }

    /// Sets the most that any retry waits.
    pub fn with_cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Waits the whole of each interval instead of a random part of it.
    ///
    /// Clients that fail together then retry together. For a client that is alone with its server.
    pub fn without_jitter(mut self) -> Self {
        self.jitter = false;
        self
    }

    /// Returns the most that the first retry for this cause waits.
    pub const fn initial(&self, cause: Cause) -> Duration {
        match cause {
            Cause::Transient => self.transient,
            Cause::Throttled => self.throttled,
        }
    }

    /// Returns the most that any retry waits.
    pub const fn cap(&self) -> Duration {
        self.cap
    }

    /// Returns the most that retry `n`, counted from 0, waits: `min(cap, initial · 2^n)`.
    pub fn longest(&self, cause: Cause, n: u32) -> Duration {
        // In whole nanoseconds; 584 years is as long as a wait gets.
        let initial = nanos(self.initial(cause));
        let longest = initial.saturating_mul(2_u64.saturating_pow(n));
        Duration::from_nanos(longest.min(nanos(self.cap)))
    }

    /// Returns how long retry `n`, counted from 0, waits.
    ///
    /// `draw(most)` returns a random number from 0 to `most`, both included; it is not called without jitter.
    pub fn delay(&self, cause: Cause, n: u32, draw: impl FnOnce(u64) -> u64) -> Duration {
        let longest = self.longest(cause, n);
        if self.jitter {
            Duration::from_nanos(draw(nanos(longest))).min(longest)
        } else {
            longest
        }
    }

    /// Returns the waits of all retries in turn, without end; see [`delay`](Self::delay) for `draw`.
    pub fn delays(
        self,
        cause: Cause,
        mut draw: impl FnMut(u64) -> u64,
    ) -> impl Iterator<Item = Duration> {
        let mut n = 0_u32;
        std::iter::repeat_with(move || {
            let delay = self.delay(cause, n, &mut draw);
            n = n.saturating_add(1);
            delay
        })
    }
}

fn nanos(duration: Duration) -> u64 {
    (Instant::ORIGIN + duration).as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const CAUSES: [Cause; 2] = [Cause::Transient, Cause::Throttled];

    /// B1
    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let schedule = Schedule::default();
        assert_eq!(
            schedule.initial(Cause::Transient),
            Duration::from_millis(100)
        );
        assert_eq!(schedule.initial(Cause::Throttled), Duration::from_secs(1));
        assert_eq!(schedule.cap(), Duration::from_secs(20));
        assert_eq!(
            schedule.delay(Cause::Throttled, 0, |_| 0),
            Duration::ZERO,
            "full jitter reaches down to zero"
        );
    }

    /// B1
    #[test]
    fn it_doubles_up_to_the_cap() {
        let transient: Vec<_> = Schedule::new()
            .without_jitter()
            .delays(Cause::Transient, |_| unreachable!("no jitter"))
            .take(10)
            .map(|delay| delay.as_millis())
            .collect();
        assert_eq!(
            transient,
            [
                100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000
            ]
        );
    }

    /// B9: Polly's delay went negative at attempt 1024.
    #[test]
    fn no_number_of_retries_overflows() {
        for cause in CAUSES {
            for n in [31, 32, 63, 64, 65, 1023, 1024, u32::MAX] {
                let schedule = Schedule::default();
                assert_eq!(schedule.longest(cause, n), schedule.cap());
                let endless = schedule
                    .with_cap(Duration::MAX)
                    .with_initial(cause, Duration::MAX);
                assert_eq!(
                    endless.longest(cause, n),
                    Duration::from_nanos(u64::MAX),
                    "it saturates"
                );
            }
        }
    }

    /// B9
    #[test]
    fn an_initial_time_of_zero_stays_zero() {
        let schedule = Schedule::default().with_initial(Cause::Transient, Duration::ZERO);
        for n in [0, 1, 64, u32::MAX] {
            assert_eq!(schedule.longest(Cause::Transient, n), Duration::ZERO);
        }
    }

    /// B1: tower's jitter is cut to whole seconds, so that an initial second has none at all.
    #[test]
    fn jitter_keeps_fractions_of_a_second() {
        let third = |most: u64| most / 3;
        let delay = Schedule::default().delay(Cause::Throttled, 0, third);
        assert_eq!(delay, Duration::from_nanos(333_333_333));
    }

    #[test]
    fn a_generator_that_draws_too_much_is_held_to_the_interval() {
        let delay = Schedule::default().delay(Cause::Throttled, 0, |_| u64::MAX);
        assert_eq!(delay, Duration::from_secs(1));
    }
}
