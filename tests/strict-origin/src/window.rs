//! The arithmetic of what is enforced and what is scored; it knows no clock, no request and no
//! randomness.
//!
//! Times are [`Duration`]s since the origin started, and never go back.

use std::{collections::VecDeque, time::Duration};

/// Admits at most `limit` in every half-open window of `per`.
#[derive(Debug)]
pub(crate) struct Window {
    limit: usize,
    per: Duration,
    /// When the admitted ones of the window arrived, oldest first.
    admitted: VecDeque<Duration>,
    /// When refused ones were told that there is room for them, soonest first, and who they were.
    promised: VecDeque<(Duration, u64)>,
}

impl Window {
    pub(crate) fn new(limit: u32, per: Duration) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            per,
            admitted: VecDeque::new(),
            promised: VecDeque::new(),
        }
    }

    /// Returns how many of the window that ends at `now` are admitted.
    pub(crate) fn used(&mut self, now: Duration) -> usize {
        while self
            .admitted
            .front()
            .is_some_and(|at| at.saturating_add(self.per) <= now)
        {
            self.admitted.pop_front();
        }
        self.admitted.len()
    }

    /// Returns whether one more has room at `now`.
    pub(crate) fn has_room(&mut self, now: Duration) -> bool {
        self.used(now) < self.limit
    }

    /// Admits one at `now`.
    pub(crate) fn take(&mut self, now: Duration) {
        self.admitted.push_back(now);
    }

    /// Takes back the admission of one that was admitted at `at`.
    pub(crate) fn give_back(&mut self, at: Duration) {
        if let Some(place) = self.admitted.iter().rposition(|taken| *taken == at) {
            self.admitted.remove(place);
        }
    }

    /// Returns when the next unit comes back, `now` if none is out.
    pub(crate) fn next_unit(&self, now: Duration) -> Duration {
        self.admitted
            .front()
            .map_or(now, |at| at.saturating_add(self.per))
    }

    /// Returns when every unit is back, `now` if none is out.
    pub(crate) fn all_units(&self, now: Duration) -> Duration {
        self.admitted
            .back()
            .map_or(now, |at| at.saturating_add(self.per))
    }

    /// Tells `who`, refused at `now`, when there is room.
    ///
    /// Each gets a unit of its own, so that all of them are served when each comes back at its time
    /// and nobody else does. Whoever asks again before its time hears the same time again.
    pub(crate) fn promise(&mut self, now: Duration, who: u64) -> Duration {
        while self.promised.front().is_some_and(|(at, _)| *at <= now) {
            self.promised.pop_front();
        }
        if let Some((at, _)) = self.promised.iter().find(|(_, other)| *other == who) {
            return *at;
        }
        let place = self.promised.len();
        let leaves = match self.admitted.get(place) {
            Some(at) => Some(*at),
            // All units of this window are promised: the ones after follow those that were told to
            // come.
            None => place
                .checked_sub(self.limit)
                .and_then(|before| self.promised.get(before))
                .map(|(at, _)| *at),
        };
        let last = self.promised.back().map_or(now, |(at, _)| *at);
        let at = leaves
            .map_or(last, |at| at.saturating_add(self.per))
            .max(last);
        self.promised.push_back((at, who));
        at
    }
}

/// Tells whether arrivals keep a schedule of one per `increment`, when each may be up to
/// `tolerance` early.
///
/// The generic cell rate algorithm (ITU-T I.371). One that breaks the schedule does not move it.
#[derive(Debug)]
pub(crate) struct Schedule {
    increment: Duration,
    tolerance: Duration,
    due: Duration,
}

impl Schedule {
    /// A smallest spacing.
    pub(crate) fn spacing(spacing: Duration, jitter: Duration) -> Self {
        Self {
            increment: spacing,
            tolerance: jitter,
            due: Duration::ZERO,
        }
    }

    /// A bucket of `burst` that `limit` per `per` refill.
    pub(crate) fn burst(limit: u32, per: Duration, burst: u32, jitter: Duration) -> Self {
        let increment = per / limit;
        Self {
            increment,
            tolerance: increment
                .saturating_mul(burst.saturating_sub(1))
                .saturating_add(jitter),
            due: Duration::ZERO,
        }
    }

    /// Records an arrival and returns whether it keeps the schedule.
    pub(crate) fn keeps(&mut self, now: Duration) -> bool {
        if now.saturating_add(self.tolerance) < self.due {
            return false;
        }
        self.due = self.due.max(now).saturating_add(self.increment);
        true
    }
}

/// Finds the most arrivals in any half-open window of `per`.
#[derive(Debug)]
pub(crate) struct Peak {
    per: Duration,
    arrivals: VecDeque<Duration>,
    most: usize,
}

impl Peak {
    pub(crate) fn new(per: Duration) -> Self {
        Self {
            per,
            arrivals: VecDeque::new(),
            most: 0,
        }
    }

    /// Records an arrival and returns the most so far.
    pub(crate) fn arrive(&mut self, now: Duration) -> u64 {
        while self
            .arrivals
            .front()
            .is_some_and(|at| at.saturating_add(self.per) <= now)
        {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now);
        self.most = self.most.max(self.arrivals.len());
        u64::try_from(self.most).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(n: u64) -> Duration {
        Duration::from_micros(n)
    }

    /// Arrival times from gaps.
    fn times(gaps: &[u64]) -> Vec<Duration> {
        gaps.iter()
            .scan(0, |at, gap| {
                *at += gap;
                Some(micros(*at))
            })
            .collect()
    }

    #[test]
    fn the_window_is_half_open() {
        let mut window = Window::new(1, micros(10));
        assert!(window.has_room(micros(0)));
        window.take(micros(0));
        assert!(!window.has_room(micros(9)));
        assert!(
            window.has_room(micros(10)),
            "an admission leaves after exactly one period"
        );
    }

    #[test]
    fn whoever_asks_again_hears_the_same_time() {
        let mut window = Window::new(2, micros(10));
        window.take(micros(0));
        window.take(micros(4));
        assert_eq!(window.promise(micros(5), 1), micros(10));
        assert_eq!(window.promise(micros(6), 2), micros(14));
        assert_eq!(window.promise(micros(7), 1), micros(10));
        assert_eq!(
            window.promise(micros(7), 3),
            micros(20),
            "after the first one that was told to come"
        );
    }

    #[test]
    fn a_unit_that_was_given_back_can_be_had_again() {
        let mut window = Window::new(1, micros(10));
        window.take(micros(1));
        window.give_back(micros(1));
        assert!(window.has_room(micros(1)));
        assert_eq!(window.next_unit(micros(2)), micros(2));
    }

    #[test]
    fn jitter_forgives_one_but_not_a_habit() {
        let mut schedule = Schedule::spacing(micros(5), micros(12));
        let kept = (0..20).filter(|at| schedule.keeps(micros(*at))).count();
        assert!(
            (3..=7).contains(&kept),
            "{kept} of 20 kept a spacing five times as wide as theirs"
        );
    }

    proptest! {
        /// The window admits exactly what a list of all admissions would.
        #[test]
        fn the_window_agrees_with_counting(limit in 1_u32..8, per in 1_u64..50, gaps in prop::collection::vec(0_u64..20, 0..200)) {
            let mut window = Window::new(limit, micros(per));
            let mut admitted: Vec<Duration> = Vec::new();
            for now in times(&gaps) {
                let inside = admitted.iter().filter(|at| now - **at < micros(per)).count();
                prop_assert_eq!(window.used(now), inside);
                prop_assert_eq!(window.has_room(now), inside < limit as usize);
                if inside < limit as usize {
                    window.take(now);
                    admitted.push(now);
                }
            }
        }

        /// Every refused one that comes back when told is served, if nobody else comes.
        #[test]
        fn a_promise_is_kept(limit in 1_u32..8, per in 1_u64..50, gaps in prop::collection::vec(0_u64..6, 1..60), refused in 1_u64..40) {
            let mut window = Window::new(limit, micros(per));
            let mut now = Duration::ZERO;
            for at in times(&gaps) {
                now = at;
                if window.has_room(now) {
                    window.take(now);
                }
            }
            while window.has_room(now) {
                window.take(now);
            }
            let told: Vec<_> = (0..refused).map(|who| window.promise(now, who)).collect();
            prop_assert!(told.is_sorted());
            for at in told {
                prop_assert!(at > now);
                prop_assert!(window.has_room(at), "there is room at {:?}", at);
                window.take(at);
            }
        }

        /// Departures that keep the schedule arrive within it, however each is delayed up to the
        /// jitter.
        #[test]
        fn a_polite_client_is_never_scored(spacing in 1_u64..20, jitter in 0_u64..60, limit in 1_u32..10, seed: u64) {
            let per = micros(u64::from(limit) * spacing);
            let burst = 1 + u32::try_from(seed % u64::from(limit)).unwrap();
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut spaced = Schedule::spacing(micros(spacing), micros(jitter));
            let mut bursty = Schedule::burst(limit, per, burst, micros(jitter));
            let mut client = Schedule::burst(limit, per, burst, Duration::ZERO);
            let mut last = [Duration::ZERO; 2];
            let mut departs = Duration::ZERO;
            for step in 0..200_u64 {
                // Arrivals stay in order, as the origin's clock sees them.
                let at = micros(step * spacing + rng.u64(0..=jitter)).max(last[0]);
                prop_assert!(spaced.keeps(at));
                last[0] = at;
                departs += micros(rng.u64(0..=spacing));
                if client.keeps(departs) {
                    let at = (departs + micros(rng.u64(0..=jitter))).max(last[1]);
                    prop_assert!(bursty.keeps(at));
                    last[1] = at;
                }
            }
        }

        /// The peak is the largest of all windows that start at an arrival.
        #[test]
        fn the_peak_agrees_with_counting(per in 1_u64..50, gaps in prop::collection::vec(0_u64..20, 0..100)) {
            let times = times(&gaps);
            let mut peak = Peak::new(micros(per));
            let peaks: Vec<u64> = times.iter().map(|at| peak.arrive(*at)).collect();
            let most = times
                .iter()
                .map(|start| times.iter().filter(|at| *at >= start && **at - *start < micros(per)).count())
                .max();
            prop_assert_eq!(peaks.last().copied().unwrap_or(0), most.unwrap_or(0) as u64);
        }
    }
}
