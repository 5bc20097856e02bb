//! Those whose slot has passed and who could not depart at once.
//!
//! **They have places and no times: when one leaves, those behind are further in front. A place whose time has come
//! is taken away, whether or not its owner came.**

use super::queue::Queue;

/// The places, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Line {
    places: Queue,
    /// How many places there ever were.
    count: u64,
    /// The first place has its time no earlier than this. The one before it may never have come, and then there is no
    /// departure to keep a distance from.
    floor: u64,
    /// One whose time has come and who has to wait a little more, because those before it were late.
    delayed: Option<Delayed>,
}

#[derive(Clone, Copy, Debug)]
struct Delayed {
    id: u64,
    until: u64,
    units: u32,
}

impl Line {
    /// Tells whether nobody is in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.places.is_empty() && self.delayed.is_none()
    }

    /// How many units have places.
    pub(super) const fn units(&self) -> u64 {
        self.places.units()
    }

    /// How many units the first place has.
    pub(super) fn first(&self) -> Option<u32> {
        self.places.front_units()
    }

    /// Takes a place at the end.
    pub(super) fn join(&mut self, units: u32) -> u64 {
        self.count += 1;
        self.places.push(self.count, units);
        self.count
    }

    /// Returns how many units have places up to and with this one, if it has not been taken away.
    pub(super) fn through(&self, place: u64) -> Option<u64> {
        self.places.through(place)
    }

    /// The first place's time has come; the next one's does not before `floor`.
    pub(super) fn pass(&mut self, units: u32, floor: u64) {
        (0..units).for_each(|_| self.places.spend());
        self.floor = floor;
    }

    /// The first place has its time no earlier than this, until the next one passes.
    pub(super) fn restart(&mut self, floor: u64) {
        self.floor = floor;
    }

    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    /// Tells whether this ticket may wait before all places, because no other one does.
    pub(super) fn may_delay(&self, id: u64) -> bool {
        self.delayed.is_none_or(|delayed| delayed.id == id)
    }

    /// Lets a ticket wait before all places.
    pub(super) fn delay(&mut self, id: u64, until: u64, units: u32) {
        self.delayed = Some(Delayed { id, until, units });
    }

    /// Until when somebody waits before all places, and of how many units.
    pub(super) fn delayed(&self) -> Option<(u64, u32)> {
        self.delayed.map(|delayed| (delayed.until, delayed.units))
    }

    /// Forgets the delayed one if it did not come, but not the distance to it.
    pub(super) fn lapse(&mut self, now: u64, gap: u64) {
        if let Some(delayed) = self.delayed
            && delayed.until < now
        {
            self.floor = self.floor.max(delayed.until.saturating_add(gap));
            self.delayed = None;
        }
    }

    /// A ticket that was given this place departs or gives up.
    pub(super) fn leave(&mut self, id: u64, place: u64, now: u64) {
        self.delayed.take_if(|delayed| delayed.id == id);
        self.places.cancel(place);
        if self.places.is_empty() {
            // Nobody is there who would lose his turn if those before him are waited for no longer.
            self.floor = self.floor.min(now);
        }
    }
}
