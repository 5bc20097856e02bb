//! A future that is a run.

use super::{Operation, Outcome, Running};
use egress_time::{SleepUntil, Timer};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// A run was ended because its operation's [timeout](Operation::with_timeout) was over.
///
/// ```
/// use egress_time::{Clock, ManualTimer, SleepUntil};
/// use std::time::Duration;
/// use tower_egress::monitor::Monitor;
///
/// let timer = ManualTimer::new();
/// let monitor = Monitor::new(timer.clone());
/// let ask = monitor.operation("ask").with_timeout(Duration::from_secs(5));
/// let forever = SleepUntil::new(timer.clone(), timer.now() + Duration::from_secs(3600));
/// let error = timer.run(ask.time(forever)).unwrap_err();
/// assert_eq!((error.operation.as_str(), error.after), ("ask", Duration::from_secs(5)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation:?} was ended after {after:?}: its timeout is {timeout:?}")]
#[non_exhaustive]
pub struct OperationTimedOut {
    /// Which operation.
    pub operation: String,
    /// How long a run may take.
    pub timeout: Duration,
    /// How long this one had taken.
    pub after: Duration,
}

pin_project! {
    /// Runs a future as a run of an operation; made by [`Operation::run`] and [`Operation::time`].
    ///
    /// It answers with what the future answers with, or with [`OperationTimedOut`]. It is `Send` if the future and the timer's
    /// sleep are.
    ///
    /// # Cancel safety
    ///
    /// The run begins with the first poll. Dropping it then drops the future and counts the run as cancelled. In a Worker it
    /// stays in the invocation that polls it, as its sleep does.
    ///
    /// # Panics
    ///
    /// When it is polled after it has answered. If the future panics, the run has [failed](Outcome::Failed).
    ///
    /// ```
    /// use tower_egress::monitor::Monitor;
    ///
    /// let timer = egress_time::ManualTimer::new();
    /// let monitor = Monitor::new(timer.clone());
    /// let parse = monitor.run("parse", async { "12".parse::<u32>() });
    /// assert_eq!(timer.run(parse).unwrap(), Ok(12)); // in a program: `parse.await`
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F: Future, T: Timer> {
        #[pin]
        watch: Watch<T>,
        failed: fn(&F::Output) -> bool,
        // In a pin, so that it can be dropped in its place when its time is over.
        #[pin]
        future: Option<F>,
    }
}

pin_project! {
    /// What is the same whatever runs, and so is compiled once.
    struct Watch<T: Timer> {
        operation: Operation<T>,
        running: Option<Running<T>>,
        began: bool,
        #[pin]
        sleep: Option<SleepUntil<T>>,
    }
}

impl<T: Timer> Watch<T> {
    /// Begins if it has not, and hands the run over.
    fn take(self: Pin<&mut Self>) -> Option<Running<T>> {
        let mut this = self.project();
        if !std::mem::replace(this.began, true) {
            let running = this.operation.start();
            if let Some(deadline) = running.deadline() {
                let sleep = SleepUntil::new(this.operation.timer().clone(), deadline);
                this.sleep.set(Some(sleep));
            }
            return Some(running);
        }
        this.running.take()
    }

    /// Waits no more for the end of its time.
    fn stop(self: Pin<&mut Self>) {
        self.project().sleep.set(None);
    }

    /// Hands the run back when its time is over, and keeps it until then.
    fn poll_late(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        running: Option<Running<T>>,
    ) -> Poll<Option<Running<T>>> {
        let mut this = self.project();
        let sleep = this.sleep.as_mut().as_pin_mut();
        if sleep.is_none_or(|sleep| sleep.poll(cx).is_pending()) {
            *this.running = running;
            return Poll::Pending;
        }
        this.sleep.set(None);
        Poll::Ready(running)
    }

    fn time_out(&self, running: Option<Running<T>>) -> OperationTimedOut {
        let mut timed_out = OperationTimedOut {
            operation: self.operation.name().to_owned(),
            timeout: Duration::ZERO,
            after: Duration::ZERO,
        };
        if let Some(running) = running {
            timed_out.timeout = running.timeout().unwrap_or_default();
            timed_out.after = running.elapsed();
            running.end(Outcome::TimedOut);
        }
        timed_out
    }
}

impl<F: Future, T: Timer> Run<F, T> {
    pub(super) const fn new(
        operation: Operation<T>,
        future: F,
        failed: fn(&F::Output) -> bool,
    ) -> Self {
        Self {
            watch: Watch {
                operation,
                running: None,
                began: false,
                sleep: None,
            },
            failed,
            future: Some(future),
        }
    }
}

impl<F: Future, T: Timer> Future for Run<F, T> {
    type Output = Result<F::Output, OperationTimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut();
        let future = future.expect("a run is not polled after it has answered");
        // Not in its place meanwhile: if the future panics, it ends here, as what has failed, and not wherever somebody who has caught
        // the panic drops what is left.
        let running = this.watch.as_mut().take();
        // The future first: an answer that is there counts, however late.
        if let Poll::Ready(output) = future.poll(cx) {
            this.watch.stop();
            this.future.set(None);
            if let Some(running) = running {
                running.end(match (this.failed)(&output) {
                    true => Outcome::Failed,
                    false => Outcome::Ok,
                });
            }
            return Poll::Ready(Ok(output));
        }
        let Poll::Ready(running) = this.watch.as_mut().poll_late(cx, running) else {
            return Poll::Pending;
        };
        // What it holds is free before anybody hears of it.
        this.future.set(None);
        Poll::Ready(Err(this.watch.time_out(running)))
    }
}

impl<F: Future, T: Timer> fmt::Debug for Run<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("operation", &self.watch.operation)
            .field("running", &self.watch.running)
            .finish_non_exhaustive()
    }
}
