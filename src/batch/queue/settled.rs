//! What is settled, and who is to hear of it.

use super::{End, Flushing, Queue, Reply};
use crate::{batch::BatchError, numbered::Numbers};
use std::task::Waker;

/// What is to be done without the lock: who is to be woken, what is to be dropped.
pub(in super::super) struct Settled<I, R, E> {
    pub(super) wakers: Vec<Waker>,
    /// Of whoever has gone.
    pub(super) idle: Option<Waker>,
    pub(super) items: Vec<I>,
    pub(super) answers: Vec<Result<R, BatchError<E>>>,
}

impl<I, R, E> Settled<I, R, E> {
    pub(super) const fn new() -> Self {
        Self {
            wakers: Vec::new(),
            idle: None,
            items: Vec::new(),
            answers: Vec::new(),
        }
    }

    pub(in super::super) fn outside_the_lock(self) {
        self.wakers.into_iter().for_each(Waker::wake);
        drop((self.idle, self.items, self.answers));
    }
}

impl<K, I, R, E> Queue<K, I, R, E> {
    /// Answers the items of a batch that was taken.
    pub(in super::super) fn settle(
        &mut self,
        numbers: &[u64],
        answers: impl Iterator<Item = Result<R, BatchError<E>>>,
    ) -> Settled<I, R, E> {
        let mut settled = Settled::new();
        if let Some(first) = numbers.first() {
            self.under_way.remove(*first);
        }
        for (number, answer) in numbers.iter().zip(answers) {
            self.stats.handling -= 1;
            match answer {
                Ok(_) => self.stats.succeeded += 1,
                Err(_) => self.stats.failed += 1,
            }
            match self.replies.get_mut(*number) {
                Some(reply) => {
                    if let Reply::Awaited(waker) = std::mem::replace(reply, Reply::Here(answer)) {
                        settled.wakers.extend(waker);
                    }
                }
                None => settled.answers.push(answer),
            }
        }
        self.tell(&mut settled);
        settled
    }

    /// Nobody will handle anything any more.
    pub(in super::super) fn end(&mut self) -> Settled<I, R, E> {
        let mut settled = Settled::new();
        if self.end.is_some() {
            return settled;
        }
        let mut waits = Numbers::new();
        self.lanes.numbers().for_each(|number| waits.insert(number));
        if waits.is_empty() && self.under_way.is_empty() && self.is_over() {
            self.end = Some(End::Done);
            return settled;
        }
        self.end = Some(End::Dropped);
        let all = 0..u64::MAX;
        let wakers = &mut settled.wakers;
        self.replies.for_each(all.clone(), |number, reply| {
            if let Reply::Awaited(waker) = reply {
                wakers.extend(waker.take());
                let taken = !waits.contains(number);
                *reply = Reply::Here(Err(BatchError::Gone { taken }));
            }
        });
        self.flushes.for_each(all.clone(), |_, (_, flush)| {
            if let Flushing::Awaited(waker) = std::mem::replace(flush, Flushing::Lost) {
                wakers.extend(waker);
            }
        });
        self.line
            .for_each(all, |_, waker| wakers.extend(waker.take()));
        settled.items.extend(self.lanes.drain());
        let stats = &mut self.stats;
        stats.lost = stats.waiting + stats.handling;
        (stats.waiting, stats.handling) = (0, 0);
        settled
    }

    /// Whatever is before this number is answered.
    pub(super) fn answered_to(&self) -> u64 {
        let under_way = self.under_way.first();
        [self.lanes.oldest(), under_way]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.next)
    }

    /// Tells those whose flush is over, and those for whom there is room now.
    pub(super) fn tell(&mut self, settled: &mut Settled<I, R, E>) {
        if !self.flushes.is_empty() {
            let answered_to = self.answered_to();
            while self
                .flushes
                .first()
                .is_some_and(|(_, flush)| flush.0 <= answered_to)
                && let Some((_, (_, flush))) = self.flushes.pop_first()
            {
                if let Flushing::Awaited(waker) = flush {
                    settled.wakers.extend(waker);
                }
            }
        }
        let capacity = u64::try_from(self.limits.capacity.get()).unwrap_or(u64::MAX);
        let in_line = u64::try_from(self.line.len()).unwrap_or(u64::MAX);
        let mut accepted = self.stats.waiting.saturating_sub(in_line);
        while accepted < capacity
            && let Some((_, waker)) = self.line.pop_first()
        {
            accepted += 1;
            settled.wakers.extend(waker);
        }
    }
}
