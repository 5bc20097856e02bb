//! Which batch is next.

use super::{End, Queue, Settled};
use egress_time::Instant;
use std::task::Waker;

/// What there is to do.
pub(in super::super) enum Look<K, I, R, E> {
    /// Handle this, and settle that.
    Handle(Taken<K, I>, Settled<I, R, E>),
    /// Nothing until then.
    Wait(Instant),
    /// Nothing, ever.
    End,
}

/// A batch that was taken.
pub(in super::super) struct Taken<K, I> {
    pub(in super::super) key: K,
    pub(in super::super) numbers: Vec<u64>,
    pub(in super::super) items: Vec<I>,
}

impl<K: Ord + Clone, I, R, E> Queue<K, I, R, E> {
    /// Looks for the batch that has waited longest among those that wait no more, and takes it if a handler is free.
    pub(in super::super) fn look(&mut self, now: Instant, is_free: bool) -> Look<K, I, R, E> {
        let since = self.lanes.date(self.next, now);
        if !is_free {
            // A handler that is done has it look again.
            return Look::Wait(Instant::FAR_FUTURE);
        }
        let over = self.is_over();
        let (Some(oldest), Some(since)) = (self.lanes.oldest(), since) else {
            if over && self.under_way.is_empty() {
                self.end = Some(End::Done);
                return Look::End;
            }
            return Look::Wait(Instant::FAR_FUTURE);
        };
        // Whoever comes later waits longer, so of those that wait for their time only the oldest has to be asked.
        let until = since + self.limits.max_wait;
        // Who waits for room would wait for ever where no batch gets full.
        let crowded = self.lanes.len() > self.limits.max_keys.get() || !self.line.is_empty();
        let is_due = over
            || oldest < self.flush_to
            // "Never" does not come, whatever the clock shows.
            || (until <= now && until < Instant::FAR_FUTURE);
        let next = match self.lanes.full() {
            _ if is_due => oldest,
            Some(full) => full,
            None if crowded => oldest,
            None => return Look::Wait(until),
        };
        self.take(next)
    }

    /// Has it called when there may be something to do.
    pub(in super::super) fn watch(&mut self, waker: Waker) -> Option<Waker> {
        self.runner.replace(waker)
    }

    fn take(&mut self, first: u64) -> Look<K, I, R, E> {
        // What was added after a flush had begun is not part of it.
        let flushes = first < self.flush_to;
        let before = if flushes { self.flush_to } else { u64::MAX };
        let Some((key, numbers, items)) = self.lanes.take(first, before) else {
            return Look::Wait(Instant::FAR_FUTURE);
        };
        let count = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
        self.stats.waiting -= count;
        self.stats.handling += count;
        self.stats.batches += 1;
        if let Some(first) = numbers.first() {
            self.under_way.insert(*first);
        }
        let mut settled = Settled::new();
        for number in &numbers {
            settled.wakers.extend(self.line.remove(*number).flatten());
        }
        self.tell(&mut settled);
        let taken = Taken {
            key,
            numbers,
            items,
        };
        Look::Handle(taken, settled)
    }
}
