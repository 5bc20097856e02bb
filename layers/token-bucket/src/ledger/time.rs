//! The ledger's time.
//!
//! **It never steps back. When the clock has been set back, it goes on from where it was, at the clock's pace.**

/// How far apart two readings of one clock may be when they arrive in the wrong order, because threads take the lock in
/// another order than that in which they read the clock. A clock that is further behind has been set back.
const DISORDER: u64 = 1_000_000_000;

/// The latest time, and how the clock relates to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Time {
    now: u64,
    /// How far ahead of the last reading it is.
    lead: u64,
    /// The last reading of a clock that has been set back.
    set_back: Option<u64>,
}

impl Time {
    pub(super) const fn now(&self) -> u64 {
        self.now
    }

    /// Takes a reading of the clock and returns what time it is. Zero is no reading: the time is that of the last one.
    pub(super) fn read(&mut self, clock: u64) -> u64 {
        if clock >= self.now {
            self.now = clock;
            if self.lead > 0 {
                self.lead = 0;
                self.set_back = None;
            }
        } else if clock > 0 {
            self.read_behind(clock);
        }
        self.now
    }

    /// Only what passes between two readings of a clock that has been set back is known to have passed. One that was read
    /// long before it arrives looks just like that; the next one that is not behind puts it right.
    #[cold]
    fn read_behind(&mut self, clock: u64) {
        if self.now - clock > DISORDER {
            match self.set_back {
                Some(last) if clock >= last => {
                    self.now = self.now.saturating_add(clock - last);
                    self.set_back = Some(clock);
                }
                Some(last) if last - clock <= DISORDER => {}
                _ => self.set_back = Some(clock),
            }
        } else {
            // It is right, or nearly: if it is set back again, what has passed since the other time is not known.
            self.set_back = None;
        }
        self.lead = self.now - clock;
    }

    /// Returns the time at which the clock will show this.
    pub(super) const fn of_clock(&self, clock: u64) -> u64 {
        clock.saturating_add(self.lead)
    }

    /// Returns what the clock will show at this time. The end of time is that of every clock.
    pub(super) const fn on_clock(&self, time: u64) -> u64 {
        if time == u64::MAX {
            time
        } else {
            time.saturating_sub(self.lead)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3_600 * SECOND;

    fn at(clock: u64) -> Time {
        let mut time = Time::default();
        time.read(clock);
        time
    }

    /// T9
    #[test]
    fn readings_in_the_wrong_order_change_nothing() {
        let mut time = at(HOUR);
        for behind in [1, SECOND / 2, 3, SECOND] {
            assert_eq!(time.read(HOUR - behind), HOUR);
        }
        assert_eq!(time.read(HOUR + 1), HOUR + 1);
    }

    /// T9
    #[test]
    fn a_clock_that_was_set_back_is_followed_from_there() {
        let mut time = at(2 * HOUR);
        assert_eq!(time.read(HOUR), 2 * HOUR, "it is not known what has passed");
        assert_eq!(time.read(HOUR + SECOND), 2 * HOUR + SECOND);
        assert_eq!(time.read(HOUR + SECOND / 2), 2 * HOUR + SECOND);
        assert_eq!(time.read(HOUR + 2 * SECOND), 2 * HOUR + 2 * SECOND);
        assert_eq!(time.of_clock(HOUR + 3 * SECOND), 2 * HOUR + 3 * SECOND);
        assert_eq!(time.on_clock(2 * HOUR + 3 * SECOND), HOUR + 3 * SECOND);
        // And back again.
        assert_eq!(time.read(SECOND), 2 * HOUR + 2 * SECOND);
        assert_eq!(time.read(2 * SECOND), 2 * HOUR + 3 * SECOND);
    }

    /// T9: somebody keeps an old reading for a while, which must not make time pass twice.
    #[test]
    fn an_old_reading_between_new_ones_does_not_make_time_pass() {
        let mut time = at(HOUR);
        for now in 1..100 {
            assert_eq!(time.read(HOUR / 2), HOUR + (now - 1) * SECOND);
            assert_eq!(time.read(HOUR + now * SECOND), HOUR + now * SECOND);
        }
    }

    /// T9
    #[test]
    fn a_clock_that_was_nearly_put_right_and_is_set_back_again_makes_no_time_pass() {
        let mut time = at(100 * SECOND);
        for clock in [95_000, 99_500, 96_500] {
            assert_eq!(time.read(clock * SECOND / 1_000), 100 * SECOND);
        }
        assert_eq!(time.read(97 * SECOND), 100 * SECOND + SECOND / 2);
    }

    /// T9
    #[test]
    fn zero_is_no_reading_and_the_end_of_time_is_that_of_every_clock() {
        let mut time = at(2 * HOUR);
        time.read(HOUR);
        assert_eq!(time.read(0), 2 * HOUR);
        assert_eq!(time.of_clock(HOUR), 2 * HOUR);
        assert_eq!(time.of_clock(u64::MAX), u64::MAX);
        assert_eq!(time.on_clock(u64::MAX), u64::MAX);
    }
}
