//! What a limiter has done, in numbers.

use std::time::Duration;

/// A snapshot of a limiter, taken in one moment.
///
/// At every moment `submitted = served + timed_out + refused + cancelled + queued + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many permits there are. Fewer than are in flight while a lowered limit takes effect.
    pub limit: usize,
    /// How many permits are given out: to requests, to open bodies, to services that are ready, and to the first
    /// in the queue who are about to be polled.
    pub in_flight: usize,
    /// The most permits that were given out at once.
    pub peak_in_flight: usize,
    /// For how long permits were given out, summed over the permits, since the limiter was made.
    pub permit_time: Duration,
    /// For how long the limiter has existed.
    pub elapsed: Duration,
    /// How many wait for a permit.
    pub queued: usize,
    /// The most that waited at once.
    pub peak_queued: usize,
    /// How often somebody asked for a permit: each of the following once, when it is settled.
    pub submitted: u64,
    /// How many permits were used and given back.
    pub served: u64,
    /// How many waits were ended by the queue timeout.
    pub timed_out: u64,
    /// How many were turned away: the queue was full, [`try_acquire`](crate::Limiter::try_acquire) found no permit, or
    /// unread bodies held them all.
    pub refused: u64,
    /// How many were given up by whoever asked, in the queue or with a permit that was not used yet.
    pub cancelled: u64,
    /// How many of the permits are held by bodies that have not ended.
    pub open_bodies: usize,
    /// How many of those bodies their owners have left alone for [`unread_after`](crate::Config::unread_after).
    pub unread_bodies: usize,
    /// How often it was found that somebody waited while unread bodies held all permits.
    pub unread_episodes: u64,
}

impl Stats {
    /// Returns how many permits were given out on average, weighted by time; zero before any time has passed.
    ///
    /// The average between two snapshots is the difference of their [`permit_time`](Self::permit_time) by that of their
    /// [`elapsed`](Self::elapsed).
    pub fn mean_in_flight(&self) -> f64 {
        if self.elapsed.is_zero() {
            return 0.0;
        }
        self.permit_time.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}
