//! Those who wait: for a result, for room, for the end of a flush.

use super::{End, Flushing, Queue, Reply};
use crate::batch::BatchError;
use std::task::Waker;

/// Where a push stands.
pub(in super::super) enum Push {
    Accepted,
    InLine,
    Lost,
}

impl<K, I, R, E> Queue<K, I, R, E> {
    /// Returns the answer to an item, or has the waker called when it is here.
    ///
    /// A waker that was there before is handed over, to be dropped elsewhere.
    pub(in super::super) fn answer(
        &mut self,
        number: u64,
        waker: Waker,
    ) -> Result<Result<R, BatchError<E>>, Option<Waker>> {
        match self.replies.remove(number) {
            Some(Reply::Here(answer)) => Ok(answer),
            Some(Reply::Awaited(old)) => {
                self.replies.insert(number, Reply::Awaited(Some(waker)));
                Err(old)
            }
            // There is one until it has been returned.
            None => Ok(Err(BatchError::Gone { taken: true })),
        }
    }

    /// Tells whether an item has found room, or has the waker called when it has.
    pub(in super::super) fn pushed(&mut self, number: u64, waker: Waker) -> (Push, Option<Waker>) {
        if self.end == Some(End::Dropped) {
            let lost = self.line.remove(number);
            let push = lost.as_ref().map_or(Push::Accepted, |_| Push::Lost);
            return (push, lost.flatten());
        }
        match self.line.get_mut(number) {
            Some(place) => (Push::InLine, place.replace(waker)),
            None => (Push::Accepted, Some(waker)),
        }
    }

    /// Begins a flush: what was added before is handled without waiting for its time.
    pub(in super::super) fn flush(&mut self, close: bool) -> (u64, Option<Waker>) {
        self.is_closed |= close;
        self.flush_to = self.flush_to.max(self.next);
        let flush = self.next_flush;
        self.next_flush += 1;
        if self.end == Some(End::Dropped) {
            self.flushes.insert(flush, (self.next, Flushing::Lost));
        } else if self.answered_to() < self.next {
            let awaited = Flushing::Awaited(None);
            self.flushes.insert(flush, (self.next, awaited));
        }
        (flush, self.runner.take())
    }

    /// Tells how a flush ended, or has the waker called when it has.
    pub(in super::super) fn flushed(
        &mut self,
        flush: u64,
        waker: Waker,
    ) -> Result<Result<(), BatchError<E>>, Option<Waker>> {
        match self.flushes.get_mut(flush).map(|(_, flush)| flush) {
            None => Ok(Ok(())),
            Some(Flushing::Awaited(place)) => Err(place.replace(waker)),
            // It is forgotten with the future: whenever that asks, this is the answer.
            Some(Flushing::Lost) => {
                let taken = !self.under_way.is_empty();
                Ok(Err(BatchError::Gone { taken }))
            }
        }
    }

    /// Nobody waits for that flush any more; it goes on all the same.
    pub(in super::super) fn forget_flush(&mut self, flush: u64) -> Option<Waker> {
        match self.flushes.remove(flush) {
            Some((_, Flushing::Awaited(waker))) => waker,
            _ => None,
        }
    }
}
