//! The origin's clocks: one reading of both per decision.
#![allow(
    clippy::disallowed_types,
    reason = "a server under which tests run: it is native only, and its clocks are the real ones"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads the time since the origin started and the time of day.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment {
            at: self.start.elapsed(),
            // A clock before 1970 reads as 1970.
            unix: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Since the origin started; never goes back.
    pub(crate) at: Duration,
    /// Since 1970.
    pub(crate) unix: Duration,
}

impl Moment {
    /// Returns the first whole second since 1970 that is not before `at`.
    pub(crate) fn epoch(&self, at: Duration) -> u64 {
        ceil(self.unix.saturating_add(at.saturating_sub(self.at)))
    }

    /// Returns when the whole second `epoch` since 1970 begins, or this moment if it has passed.
    pub(crate) fn at_epoch(&self, epoch: u64) -> Duration {
        let wait = Duration::from_secs(epoch).saturating_sub(self.unix);
        self.at.saturating_add(wait)
    }

    /// Returns in how many whole seconds `at` has surely come.
    pub(crate) fn seconds_until(&self, at: Duration) -> u64 {
        ceil(at.saturating_sub(self.at))
    }
}

/// Rounds up to whole seconds.
pub(crate) fn ceil(time: Duration) -> u64 {
    time.as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_never_too_early() {
        let now = Moment {
            at: Duration::from_millis(250),
            unix: Duration::from_millis(1_700_000_000_900),
        };
        let back = Duration::from_millis(400);
        assert_eq!(now.epoch(back), 1_700_000_002);
        assert_eq!(now.at_epoch(1_700_000_002), Duration::from_millis(1_350));
        assert_eq!(now.seconds_until(back), 1);
        assert_eq!(now.seconds_until(Duration::ZERO), 0);
        assert_eq!(now.at_epoch(0), now.at);
    }
}
