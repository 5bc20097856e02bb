//! What has really departed.
//!
//! **Departures obey the spacing, the window, and the burst with the rate at which it refills.**

use super::{fine::Fine, pace::Pace, window::Window};

/// The history of departures, as far as it matters to the next.
#[derive(Debug)]
pub(super) struct Departures {
    window: Window,
    /// The theoretical arrival time of the next unit, as in GCRA.
    arrival: Fine,
}

impl Departures {
    pub(super) fn new(pace: &Pace) -> Self {
        Self {
            window: Window::new(pace.limit, pace.period),
            arrival: Fine::default(),
        }
    }

    pub(super) const fn window(&self) -> &Window {
        &self.window
    }

    pub(super) const fn arrival(&self) -> Fine {
        self.arrival
    }

    /// Notes that one of so many units departed.
    pub(super) fn push(&mut self, pace: &Pace, at: u64, units: u32) {
        self.arrival = if units == 1 {
            pace.step(self.arrival, at)
        } else {
            pace.after(self.arrival.max(Fine::whole(at)), units.into())
        };
        self.window.push(at, units);
    }

    /// Returns when the spacing allows the next one.
    pub(super) fn spaced(&self, pace: &Pace) -> u64 {
        self.window
            .newest()
            .map_or(0, |last| last.saturating_add(pace.spacing))
    }

    /// Tells whether one of a single unit may follow at `now`.
    pub(super) fn permit(&self, pace: &Pace, now: u64) -> bool {
        self.spaced(pace) <= now && pace.permits(self.arrival, now) && self.window.fits(now)
    }

    /// Returns when one of so many units may follow.
    pub(super) fn follows(&self, pace: &Pace, units: u32) -> u64 {
        let arrival = pace.after(self.arrival, u64::from(units) - 1);
        self.spaced(pace)
            .max(self.window.opens(units))
            .max(pace.conforms(arrival))
    }

    /// Returns how many units could depart at `now`, apart from the spacing.
    pub(super) fn room(&self, pace: &Pace, now: u64, most: u32) -> u32 {
        let most = most.min(pace.tokens(self.arrival, now));
        self.window.room(now, most)
    }

    pub(super) fn change_pace(&mut self, from: &Pace, to: &Pace, now: u64) {
        self.arrival = to.take_over(from, self.arrival, now);
        self.window = self.window.resized(to.limit, to.period);
    }
}
