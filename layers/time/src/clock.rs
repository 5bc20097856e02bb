//! The two traits that everything else takes.

use crate::Instant;
use std::{future::Future, time::Duration};

/// Tells the time, monotonic and of the day.
pub trait Clock {
    /// Returns the present instant. Readers hold it monotonic themselves where a step back would hurt.
    fn now(&self) -> Instant;

    /// Returns the time since the Unix epoch, as the machine believes it. For dates in headers only: it may jump.
    fn unix_time(&self) -> Duration;
}

/// Sleeps, on the same clock that [`Clock::now`] reads.
///
/// A layer is handed one timer and clones it; clones share their clock. Sleepers that must not wake early
/// use [`SleepUntil`](crate::SleepUntil) instead of [`Timer::sleep_until`] itself.
pub trait Timer: Clock + Clone {
    /// A sleep; dropping it takes back whatever it registered.
    type Sleep: Future<Output = ()>;

    /// Sleeps until `deadline`, within the timer's granularity. It may fire early.
    fn sleep_until(&self, deadline: Instant) -> Self::Sleep;

    /// Sleeps until `deadline` and may spend some CPU to fire as close after it as it can.
    ///
    /// For waits that follow each other closely, where the timer's granularity would add up: departures
    /// 5 ms apart on a timer of 1 ms lose a sixth of their rate. The default is [`Timer::sleep_until`].
    fn sleep_until_exactly(&self, deadline: Instant) -> Self::Sleep {
        self.sleep_until(deadline)
    }

    /// Returns the timer for one invocation of a Worker, whose sleeps may share what wakes them. The default is a clone.
    ///
    /// What is sleeping on it belongs to that invocation, whoever made the timer.
    #[must_use]
    fn for_invocation(&self) -> Self {
        self.clone()
    }
}
