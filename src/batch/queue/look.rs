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
        let next = self.next;
        let (mut oldest, mut due, mut wake) = (None, None, Instant::FAR_FUTURE);
        // Who waits for room would wait for ever where no batch gets full.
        let crowded = self.lanes.len() > self.limits.max_keys.get() || !self.line.is_empty();
        let over = self.is_over();
        for (key, lane) in &mut self.lanes {
            let since = lane.date(next, now);
            let Some(first) = lane.first() else { continue };
            let until = since + self.limits.max_wait;
            let is_due = over
                || first < self.flush_to
                || lane.len() >= self.limits.max_items.get()
                // "Never" does not come, whatever the clock shows.
                || (until <= now && until < Instant::FAR_FUTURE);
            if is_due {
                due = earlier(due, (first, key));
            }
            oldest = earlier(oldest, (first, key));
            wake = wake.min(until);
        }
        if crowded {
            due = due.or(oldest);
        }
        if !is_free {
            // A handler that is done has it look again.
            return Look::Wait(Instant::FAR_FUTURE);
        }
        match due.map(|(_, key)| key.clone()) {
            Some(key) => self.take(key),
            None if over && self.lanes.is_empty() && self.under_way.is_empty() => {
                self.end = Some(End::Done);
                Look::End
            }
            None => Look::Wait(wake),
        }
    }

    /// Has it called when there may be something to do.
    pub(in super::super) fn watch(&mut self, waker: Waker) -> Option<Waker> {
        self.runner.replace(waker)
    }

    fn take(&mut self, key: K) -> Look<K, I, R, E> {
        let Some(lane) = self.lanes.get_mut(&key) else {
            return Look::Wait(Instant::FAR_FUTURE);
        };
        // What was added after a flush had begun is not part of it.
        let flushes = lane.first().is_some_and(|first| first < self.flush_to);
        let before = if flushes { self.flush_to } else { u64::MAX };
        let (numbers, items) = lane.take(self.limits.max_items.get(), before);
        if lane.first().is_none() {
            self.lanes.remove(&key);
        }
        let count = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
        self.stats.waiting -= count;
        self.stats.handling += count;
        self.stats.batches += 1;
        self.under_way.extend(numbers.first());
        let mut settled = Settled::new();
        for number in &numbers {
            settled.wakers.extend(self.line.remove(number).flatten());
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

fn earlier<'a, K>(one: Option<(u64, &'a K)>, other: (u64, &'a K)) -> Option<(u64, &'a K)> {
    match one {
        Some(one) if one.0 < other.0 => Some(one),
        _ => Some(other),
    }
}
