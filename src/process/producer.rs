//! Takes items from the stream and works on them.

use super::{gate::Pass, handle::Shared, results::Results, unit::Unit};
use egress_concurrency_limit::ConcurrencyLimitError;
use egress_time::{Instant, SleepUntil, Timer};
use futures_core::Stream;
use futures_util::{StreamExt, stream::FuturesUnordered};
use pin_project_lite::pin_project;
use std::{
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// How many items are begun before others get their turn.
const TURN: usize = 32;
/// What is slept for a pause. A timer that is due already would never be armed.
const PAUSE: Duration = Duration::from_nanos(1);

/// How items are taken, and when no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) concurrency: NonZeroUsize,
    pub(super) pause_every: Option<NonZeroUsize>,
    pub(super) pause_after: Option<Duration>,
    pub(super) stop_at_first_error: bool,
}

pin_project! {
    pub(super) struct Producer<S: Stream, W, F, T: Timer, M, G> {
        #[pin]
        stream: S,
        items_of: fn(&S::Item) -> u64,
        // It was taken from the stream and waits for the gate.
        next: Option<S::Item>,
        is_exhausted: bool,
        work: W,
        under_way: FuturesUnordered<Unit<F, T>>,
        // Makes a gate, if there is one.
        make_gate: Option<M>,
        #[pin]
        gate: Option<G>,
        no_permit: Option<ConcurrencyLimitError>,
        pace: Pace,
        #[pin]
        pause: Option<SleepUntil<T>>,
        since_pause: usize,
        paused_at: Instant,
        timer: T,
        shared: Arc<Shared>,
    }
}

impl<S: Stream, W, F, T: Timer, M, G> Producer<S, W, F, T, M, G> {
    pub(super) fn new(
        stream: S,
        items_of: fn(&S::Item) -> u64,
        work: W,
        make_gate: Option<M>,
        pace: Pace,
        timer: T,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            stream,
            items_of,
            next: None,
            is_exhausted: false,
            work,
            under_way: FuturesUnordered::new(),
            make_gate,
            gate: None,
            no_permit: None,
            pace,
            pause: None,
            since_pause: 0,
            paused_at: timer.now(),
            timer,
            shared,
        }
    }

    /// Whether every item was taken and begun.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_exhausted && self.next.is_none()
    }

    pub(super) fn take_refusal(self: Pin<&mut Self>) -> Option<ConcurrencyLimitError> {
        self.project().no_permit.take()
    }
}

impl<S, W, F, T, M, G, R, E> Producer<S, W, F, T, M, G>
where
    S: Stream,
    W: FnMut(S::Item) -> F,
    F: Future<Output = Result<R, E>>,
    T: Timer,
    M: FnMut() -> G,
    G: Future<Output = Result<Pass<T>, ConcurrencyLimitError>>,
{
    /// Goes on with the work, begins what there is room for, and closes the results when there is nothing more to come.
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, results: &Results<R, E>) {
        let mut this = self.project();
        for _ in 0..TURN {
            while let Poll::Ready(Some(finished)) = this.under_way.poll_next_unpin(cx) {
                if finished.result.is_err() && this.pace.stop_at_first_error {
                    // At once, though it may be a while until its turn to be heard of.
                    this.shared.lock().is_stopped = true;
                }
                results.put(finished);
            }
            let is_stopped = this.shared.lock().is_stopped || this.no_permit.is_some();
            if is_stopped || (*this.is_exhausted && this.next.is_none()) {
                // What waits holds a place in a queue.
                this.gate.set(None);
                if this.under_way.is_empty() {
                    results.close();
                }
                return;
            }
            let concurrency = this.pace.concurrency.get();
            let under_way = this.under_way.len();
            if under_way >= concurrency
                || under_way + results.len() >= concurrency.saturating_mul(2)
            {
                return;
            }
            if let Some(pause) = this.pause.as_mut().as_pin_mut() {
                if pause.poll(cx).is_pending() {
                    return;
                }
                this.pause.set(None);
                *this.paused_at = this.timer.now();
            }
            if this.next.is_none() {
                match this.stream.as_mut().poll_next(cx) {
                    Poll::Pending => return,
                    Poll::Ready(None) => {
                        *this.is_exhausted = true;
                        continue;
                    }
                    Poll::Ready(item) => *this.next = item,
                }
            }
            let mut pass = None;
            if let Some(make_gate) = this.make_gate {
                if this.gate.is_none() {
                    this.gate.set(Some(make_gate()));
                }
                if let Some(gate) = this.gate.as_mut().as_pin_mut() {
                    match gate.poll(cx) {
                        Poll::Pending => return,
                        Poll::Ready(Ok(passed)) => pass = Some(passed),
                        Poll::Ready(Err(error)) if this.under_way.is_empty() => {
                            *this.no_permit = Some(error);
                        }
                        // The permits may all be here. When one comes back this is polled again.
                        Poll::Ready(Err(_)) => {
                            this.gate.set(None);
                            return;
                        }
                    }
                    this.gate.set(None);
                }
                if pass.is_none() {
                    continue;
                }
            }
            let Some(item) = this.next.take() else {
                continue;
            };
            let items = (this.items_of)(&item);
            let index = {
                let counts = &mut this.shared.lock().counts;
                let index = counts.begun;
                counts.begun += items;
                index
            };
            this.under_way.push(Unit {
                index,
                items,
                work: (this.work)(item),
                pass,
                timer: this.timer.clone(),
            });
            *this.since_pause += 1;
            let (every, after) = (this.pace.pause_every, this.pace.pause_after);
            let now = this.timer.now();
            // A clock that was set back does not end the pauses until it shows that time again.
            *this.paused_at = now.min(*this.paused_at);
            if every.is_some_and(|every| *this.since_pause >= every.get())
                || after.is_some_and(|after| now - *this.paused_at >= after)
            {
                *this.since_pause = 0;
                let end = now + PAUSE;
                this.pause
                    .set(Some(SleepUntil::new(this.timer.clone(), end)));
            }
        }
        cx.waker().wake_by_ref();
    }
}
