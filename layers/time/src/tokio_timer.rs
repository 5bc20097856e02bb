//! Time from tokio, for native programs.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this adapter is the one place that reads the machine's clock and tokio's timer"
)]

use crate::{Clock, Instant, Timer};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

/// What tokio's timer wheel rounds up to.
const GRANULARITY: Duration = Duration::from_millis(1);

/// How far from its origin the clock starts, so that a runtime whose paused clock is behind can be told apart.
const HEADSTART: Duration = Duration::from_secs(365 * 24 * 3600);

/// A [`Timer`] on tokio's clock.
///
/// All of them share one origin, so their instants can be compared. Under `tokio::time::pause` it follows the
/// paused clock. It needs a runtime with its time driver enabled as soon as something sleeps; reading the
/// clock needs none.
///
/// # Precision
///
/// Tokio rounds a sleep up to whole milliseconds. [`Timer::sleep_until_exactly`] sleeps until at most one
/// millisecond is left and then yields to other tasks until the time has come: about half a millisecond of
/// spare CPU for each such sleep.
///
/// # Panics
///
/// Polling a sleep outside a runtime with time enabled panics, as tokio's own does.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TokioTimer;

impl TokioTimer {
    /// Makes the timer.
    pub const fn new() -> Self {
        Self
    }
}

fn origin() -> tokio::time::Instant {
    static ORIGIN: OnceLock<tokio::time::Instant> = OnceLock::new();
    *ORIGIN.get_or_init(tokio::time::Instant::now)
}

fn to_tokio(instant: Instant) -> tokio::time::Instant {
    let since = instant - Instant::ORIGIN;
    let origin = origin();
    let moved = match since.checked_sub(HEADSTART) {
        Some(after) => origin.checked_add(after),
        None => origin.checked_sub(HEADSTART - since),
    };
    // Out of the machine's range: decades away, which is as good as never.
    moved.unwrap_or_else(|| origin + Duration::from_secs(30 * 365 * 24 * 3600))
}

impl Clock for TokioTimer {
    fn now(&self) -> Instant {
        let (now, origin) = (tokio::time::Instant::now(), origin());
        let start = Instant::ORIGIN + HEADSTART;
        match now.checked_duration_since(origin) {
            Some(after) => start + after,
            None => start - origin.duration_since(now),
        }
    }

    fn unix_time(&self) -> Duration {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
    }
}

impl Timer for TokioTimer {
    type Sleep = TokioSleep;

    fn sleep_until(&self, deadline: Instant) -> TokioSleep {
        TokioSleep {
            sleep: tokio::time::sleep_until(to_tokio(deadline)),
            exact: None,
        }
    }

    fn sleep_until_exactly(&self, deadline: Instant) -> TokioSleep {
        TokioSleep {
            sleep: tokio::time::sleep_until(to_tokio(deadline - GRANULARITY)),
            exact: Some(Exact {
                deadline,
                last_seen: None,
            }),
        }
    }
}

pin_project! {
    /// A sleep on a [`TokioTimer`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TokioSleep {
        #[pin]
        sleep: tokio::time::Sleep,
        exact: Option<Exact>,
    }
}

#[derive(Debug)]
struct Exact {
    deadline: Instant,
    last_seen: Option<Instant>,
}

impl Future for TokioSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        ready!(this.sleep.as_mut().poll(cx));
        let Some(exact) = this.exact else {
            return Poll::Ready(());
        };
        let now = TokioTimer.now();
        if now >= exact.deadline {
            return Poll::Ready(());
        }
        if exact.last_seen.replace(now) == Some(now) {
            // The clock stands still: it is paused, and moves on only when everybody sleeps.
            this.sleep.as_mut().reset(to_tokio(exact.deadline));
            return this.sleep.poll(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

// Tokio's clock does not run on wasm.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::SleepUntil;

    #[tokio::test(start_paused = true)]
    async fn it_follows_a_paused_clock() {
        let timer = TokioTimer::new();
        let start = timer.now();
        SleepUntil::new(timer, start + Duration::from_secs(3600)).await;
        let slept = timer.now() - start;
        assert!(slept >= Duration::from_secs(3600), "slept {slept:?}");
        assert!(slept < Duration::from_secs(3601), "slept {slept:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_exact_sleep_ends_under_a_paused_clock_too() {
        let timer = TokioTimer::new();
        let start = timer.now();
        SleepUntil::exactly(timer, start + Duration::from_micros(5_300)).await;
        assert!(timer.now() - start >= Duration::from_micros(5_300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_runtime_that_lags_behind_the_origin_still_has_a_moving_clock() {
        // The paused clock of this runtime stood still while another one read the clock first.
        let timer = TokioTimer::new();
        let before = timer.now();
        tokio::time::advance(Duration::from_millis(7)).await;
        assert_eq!(timer.now() - before, Duration::from_millis(7));
    }

    #[test]
    fn instants_survive_the_conversion_at_the_extremes() {
        for instant in [Instant::ORIGIN, Instant::from_nanos(1), Instant::FAR_FUTURE] {
            let _ = to_tokio(instant);
        }
        let now = TokioTimer::new().now();
        assert_eq!(
            to_tokio(now),
            origin() + (now - (Instant::ORIGIN + HEADSTART))
        );
    }

    #[tokio::test]
    async fn exact_sleeps_in_a_row_lose_less_than_the_granularity() {
        let timer = TokioTimer::new();
        let start = timer.now();
        // No claim about speed: only that it is never early and that it ends.
        for step in 1..=5_u32 {
            let deadline = start + Duration::from_micros(700) * step;
            SleepUntil::exactly(timer, deadline).await;
            assert!(timer.now() >= deadline);
        }
    }
}
