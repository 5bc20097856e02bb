//! Those whose slot has passed and who could not depart at once.
//!
//! **They have places and no times: when one leaves, those behind are further in front, and when one turns up who belongs
//! before them, further behind. A place whose time has come is taken away, whether or not its owner came.**
//!
//! A place is a number that its owner keeps, also when its time has come in vain. Whoever pays several buckets has that of
//! its arrival, so that those have it in the same order everywhere, wherever they had to line up before; else one would go
//! to a line while another of them, who came later, is in front of the next. The others line up at the end, so that
//! nobody is moved back by somebody whose timer was a little later.

use super::Ticket;
use crate::tree::Tree;

/// The places.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// What is to depart, by place. It weighs its units.
    places: Tree<()>,
    /// The first place has its time no earlier than this. The one before it may never have come, and then there is no
    /// departure to keep a distance from.
    floor: u64,
    /// The highest place there ever was.
    last: u64,
}

/// How far apart the places are that are given by arrival.
const APART: u64 = 1 << 6;

impl Line {
    /// Tells whether nobody is in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many units have places.
    pub(super) fn units(&self) -> u64 {
        self.places.weight()
    }

    /// How many units the first place has.
    pub(super) fn first(&self) -> Option<u32> {
        self.places.first().map(|(_, units)| units)
    }

    /// Tells whether a place is there, which it is until its time has come.
    pub(super) fn has(&self, place: u64) -> bool {
        self.places.get(place).is_some()
    }

    /// Returns how many units have places before this one.
    pub(super) fn before(&self, place: u64) -> u64 {
        self.places.weight_before(place)
    }

    /// Returns the place that a ticket keeps or would be given.
    pub(super) fn place_of(&self, ticket: &Ticket) -> u64 {
        let of_arrival = ticket.id.saturating_mul(APART);
        match ticket.place {
            Some(place) => place,
            None if ticket.is_shared => of_arrival,
            None => {
                let next = self.last.saturating_add(1);
                // Those that go by arrival are all kept free.
                of_arrival.max(next + u64::from(next.is_multiple_of(APART)))
            }
        }
    }

    /// Gives a ticket its place, or gives it back.
    pub(super) fn join(&mut self, ticket: &mut Ticket) {
        let place = self.place_of(ticket);
        self.last = self.last.max(place);
        self.places.insert(place, ticket.cost, ());
        ticket.place = Some(place);
    }

    /// The first place's time has come; the next one's does not before `floor`.
    pub(super) fn pass(&mut self, floor: u64) {
        if let Some((place, _)) = self.places.first() {
            self.places.remove(place);
        }
        self.floor = floor;
    }

    /// The first place has its time this early, if departures allow.
    pub(super) fn advance(&mut self, to: u64) {
        self.floor = self.floor.min(to);
    }

    /// The first place has its time no earlier than this, until the next one passes.
    pub(super) fn restart(&mut self, floor: u64) {
        self.floor = floor;
    }

    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    /// A ticket that was given a place departs or gives up.
    pub(super) fn leave(&mut self, place: u64, now: u64) {
        self.places.remove(place);
        if self.is_empty() {
            // Nobody is there who would lose his turn if those before him are waited for no longer.
            self.floor = self.floor.min(now);
        }
    }
}
