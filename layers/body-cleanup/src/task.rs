//! What is done in the background.

use crate::{
    shared::cancel_idle,
    shelf::Shelf,
    tracked::{Drained, Movable},
};
use bytes::Bytes;
use egress_time::{SleepUntil, Timer};
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

pin_project! {
    /// What an [`Executor`](crate::Executor) is asked to run: it drains one body, or watches over the idle
    /// ones.
    ///
    /// A drain ends when the body is over or a bound of [`Drain`](crate::Drain) is met. There is at most one
    /// watch for all services of a layer; it wakes about once per idle timeout, four times while an owner waits for
    /// its body, and ends when it finds no body left. Dropping a task drops the body it drains.
    #[must_use = "futures do nothing unless polled"]
    pub struct Task<B, T: Timer> {
        #[pin]
        job: Job<B, T>,
    }
}

pin_project! {
    #[project = JobProjected]
    enum Job<B, T: Timer> {
        Drain { body: Movable<B>, bytes: u64, #[pin] limit: SleepUntil<T> },
        Watch { watch: Watch<B>, #[pin] sleep: SleepUntil<T> },
        Done,
    }
}

/// Ends the watch when the task does, in whatever way. Weak: a sleeping task must not keep anything alive.
struct Watch<B>(Weak<Shelf<Movable<B>>>);

impl<B, T: Timer> Task<B, T> {
    pub(crate) const fn drain(body: Movable<B>, bytes: u64, limit: SleepUntil<T>) -> Self {
        Self {
            job: Job::Drain { body, bytes, limit },
        }
    }

    pub(crate) fn watch(shelf: &Arc<Shelf<Movable<B>>>, timer: T) -> Self {
        let first = timer.now() + shelf.timeout();
        Self {
            job: Job::Watch {
                watch: Watch(Arc::downgrade(shelf)),
                sleep: SleepUntil::new(timer, first),
            },
        }
    }
}

impl<B: Body<Data = Bytes>, T: Timer> Future for Task<B, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut job = self.project().job;
        ready!(job.as_mut().poll(cx));
        // A body is dropped when its drain is done, not when somebody drops the finished future.
        job.set(Job::Done);
        Poll::Ready(())
    }
}

impl<B: Body<Data = Bytes>, T: Timer> Job<B, T> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project() {
            JobProjected::Drain { body, bytes, limit } => {
                match body.as_mut().poll_drain(bytes, cx) {
                    Drained::Over | Drained::TooMuch => Poll::Ready(()),
                    Drained::Pending => limit.poll(cx),
                    Drained::Enough => {
                        // Others want to run, too.
                        cx.waker().wake_by_ref();
                        limit.poll(cx)
                    }
                }
            }
            JobProjected::Watch { watch, mut sleep } => loop {
                ready!(sleep.as_mut().poll(cx));
                let Some(shelf) = watch.0.upgrade() else {
                    return Poll::Ready(());
                };
                let next = cancel_idle(&shelf, sleep.timer().now());
                if !shelf.continue_watch() {
                    // Over already, and another may have begun since.
                    watch.0 = Weak::new();
                    return Poll::Ready(());
                }
                sleep.as_mut().reset(next);
            },
            JobProjected::Done => Poll::Ready(()),
        }
    }
}

impl<B> Drop for Watch<B> {
    fn drop(&mut self) {
        if let Some(shelf) = self.0.upgrade() {
            shelf.end_watch();
        }
    }
}

impl<B, T: Timer> fmt::Debug for Task<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.job {
            Job::Drain { .. } => "Task(drains a body)",
            Job::Watch { .. } => "Task(watches over idle bodies)",
            Job::Done => "Task(done)",
        })
    }
}
