//! Those who wait, in the order of their arrival.

use std::{collections::VecDeque, task::Waker};

/// Wakers by ticket. A ticket is found in O(log n). Who leaves from the middle leaves a gap there; when most places are
/// gaps they are closed, so that there is never much left behind.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// None where somebody has left.
    places: VecDeque<(u64, Option<Waker>)>,
    waiting: usize,
    next_ticket: u64,
}

/// So few gaps are not worth the work.
const SMALL: usize = 16;

impl Queue {
    pub(crate) const fn len(&self) -> usize {
        self.waiting
    }

    /// Returns the ticket.
    pub(crate) fn join(&mut self, waker: Waker) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.places.push_back((ticket, Some(waker)));
        self.waiting += 1;
        ticket
    }

    pub(crate) fn get_mut(&mut self, ticket: u64) -> Option<&mut Waker> {
        self.place_of(ticket)?.as_mut()
    }

    /// Lets somebody go, wherever he stands.
    pub(crate) fn leave(&mut self, ticket: u64) -> Option<Waker> {
        let waker = self.place_of(ticket)?.take()?;
        self.waiting -= 1;
        if self.places.len() > 2 * self.waiting + SMALL {
            self.places.retain(|(_, waker)| waker.is_some());
        }
        Some(waker)
    }

    /// Lets the first one go.
    pub(crate) fn pop(&mut self) -> Option<Waker> {
        loop {
            if let (_, Some(waker)) = self.places.pop_front()? {
                self.waiting -= 1;
                return Some(waker);
            }
        }
    }

    fn place_of(&mut self, ticket: u64) -> Option<&mut Option<Waker>> {
        let place = self
            .places
            .binary_search_by_key(&ticket, |(ticket, _)| *ticket);
        let (_, waker) = self.places.get_mut(place.ok()?)?;
        Some(waker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn those_who_left_leave_little_behind() {
        let mut queue = Queue::default();
        let tickets: Vec<_> = (0..1000)
            .map(|_| queue.join(Waker::noop().clone()))
            .collect();
        for ticket in &tickets[1..999] {
            assert!(queue.leave(*ticket).is_some());
            assert!(queue.leave(*ticket).is_none(), "it has left");
            assert!(queue.places.len() <= 2 * queue.len() + SMALL);
        }
        assert_eq!(queue.len(), 2);
        assert!(queue.get_mut(tickets[500]).is_none());
        assert!(queue.get_mut(tickets[999]).is_some());
        assert!(queue.pop().is_some());
        assert!(queue.get_mut(tickets[0]).is_none());
        assert!(queue.get_mut(tickets[999]).is_some(), "the gap is passed");
        assert!(queue.pop().is_some());
        assert!(queue.pop().is_none());
        assert_eq!((queue.len(), queue.places.len()), (0, 0));
    }
}
