//! A body that others than its owner can get hold of.

use crate::{
    BoxError, IdleCancelled,
    shelf::{Place, Shelf},
    tracked::Tracked,
};
use bytes::Bytes;
use egress_time::Clock;
use http_body::{Body, Frame, SizeHint};
use std::{
    sync::Arc,
    task::{Context, Poll},
};

/// A body that can be moved: to an executor, and, if it has a place on the shelf, to whoever cancels it
/// there.
///
/// It lies on the shelf while its owner does not read it: from the start, and after each frame. While it is
/// pending, it has its owner's waker, is not idle, and stays in its owner's hands.
pub(crate) struct Movable<B> {
    in_hand: Option<Tracked<B>>,
    place: Option<Place<Tracked<B>>>,
    /// The size of the body while it is not in hand.
    hint: SizeHint,
    is_over: bool,
}

impl<B: Body> Movable<B> {
    /// Lays a body that nobody has read from on the shelf, if there is one.
    pub(crate) fn new(
        tracked: Tracked<B>,
        shelf: Option<&Arc<Shelf<Tracked<B>>>>,
        clock: &impl Clock,
    ) -> Self {
        let hint = tracked.body.size_hint();
        let (in_hand, place) = match shelf {
            Some(shelf) => (None, Some(shelf.insert(tracked, clock.now()))),
            None => (Some(tracked), None),
        };
        Self {
            in_hand,
            place,
            hint,
            is_over: false,
        }
    }

    /// Tells whether there is nothing left to read.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.in_hand {
            Some(tracked) => tracked.body.size_hint(),
            // A method call would be an error to clippy where `SizeHint` is `Copy`: from http-body 1.1 on.
            None => SizeHint::clone(&self.hint),
        }
    }

    /// Takes the body away from its owner, unless somebody else has.
    pub(crate) fn take(&mut self) -> Option<Tracked<B>> {
        self.pick_up().ok()?;
        self.in_hand.take()
    }

    fn pick_up(&mut self) -> Result<(), IdleCancelled> {
        if let (None, Some(place)) = (&self.in_hand, &self.place) {
            self.in_hand = place.take().map_err(IdleCancelled::after)?;
        }
        Ok(())
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Movable<B> {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        clock: &impl Clock,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Err(cancelled) = self.pick_up() {
            self.is_over = true;
            return Poll::Ready(Some(Err(cancelled.into())));
        }
        let Some(tracked) = &mut self.in_hand else {
            return Poll::Ready(None);
        };
        let frame = tracked.poll_frame(cx);
        if tracked.guard.is_over() {
            self.is_over = true;
        } else if let (Poll::Ready(_), Some(place)) = (&frame, &self.place) {
            self.hint = tracked.body.size_hint();
            if let Some(tracked) = self.in_hand.take() {
                place.put(tracked, clock.now());
            }
        }
        frame.map_err(Into::into)
    }
}
