//! A sleep that does not believe its timer.

use crate::{Instant, Timer};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// A future that is ready once the timer's clock has reached a deadline, and not before.
    ///
    /// The timer is armed at the first poll, so one that is made for every request and rarely polled costs
    /// nothing. When the timer fires, the clock is read again; if the timer was early, it is armed once more.
    ///
    /// A clock that is set back while it sleeps takes the deadline along: nobody knows how much of the wait is over, so as
    /// much as was left is waited for once more, and not an hour because the clock went back by an hour.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the timer's sleep. It may be moved to another task between polls if the timer's
    /// sleep may be.
    #[must_use = "futures do nothing unless polled"]
    pub struct SleepUntil<T: Timer> {
        timer: T,
        deadline: Instant,
        exact: bool,
        // What the clock showed when the timer was armed.
        armed_at: Instant,
        #[pin]
        sleep: Option<T::Sleep>,
    }
}

impl<T: Timer> SleepUntil<T> {
    /// Makes a sleep until `deadline` within the timer's granularity.
    pub const fn new(timer: T, deadline: Instant) -> Self {
        Self {
            timer,
            deadline,
            exact: false,
            armed_at: Instant::ORIGIN,
            sleep: None,
        }
    }

    /// Makes a sleep that fires as close after `deadline` as the timer can manage
    /// (see [`Timer::sleep_until_exactly`]).
    pub const fn exactly(timer: T, deadline: Instant) -> Self {
        Self {
            timer,
            deadline,
            exact: true,
            armed_at: Instant::ORIGIN,
            sleep: None,
        }
    }

    /// Returns the deadline.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the timer.
    pub const fn timer(&self) -> &T {
        &self.timer
    }

    /// Moves the deadline and forgets the armed timer; the next poll arms it anew.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let mut this = self.project();
        *this.deadline = deadline;
        this.sleep.set(None);
    }
}

impl<T: Timer> Future for SleepUntil<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let mut fired = false;
        loop {
            if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
                ready!(sleep.poll(cx));
                this.sleep.set(None);
                fired = true;
            }
            let now = this.timer.now();
            if now >= *this.deadline {
                return Poll::Ready(());
            }
            if fired {
                if now < *this.armed_at {
                    *this.deadline = now + (*this.deadline - *this.armed_at);
                }
                // Early. Yield before arming again: a timer that is always ready while its clock stands
                // still must not hold the thread.
                cx.waker().wake_by_ref();
            }
            *this.armed_at = now;
            this.sleep.set(Some(if *this.exact {
                this.timer.sleep_until_exactly(*this.deadline)
            } else {
                this.timer.sleep_until(*this.deadline)
            }));
            if fired {
                return Poll::Pending;
            }
        }
    }
}

impl<T: Timer> fmt::Debug for SleepUntil<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SleepUntil")
            .field("deadline", &self.deadline)
            .field("armed", &self.sleep.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, ManualSleep, ManualTimer};
    use std::{cell::Cell, future, rc::Rc, time::Duration};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_deadline_that_has_passed_is_ready_without_a_timer() {
        let timer = ManualTimer::new();
        let mut sleep =
            tokio_test::task::spawn(SleepUntil::new(timer.clone(), timer.now() - SECOND));
        assert!(sleep.poll().is_ready());
        assert!(timer.requested().is_empty(), "no timer was armed");
    }

    #[test]
    fn a_timer_that_fires_early_is_armed_again() {
        let timer = ManualTimer::new();
        let mut sleep =
            tokio_test::task::spawn(SleepUntil::new(timer.clone(), timer.now() + SECOND));
        assert!(sleep.poll().is_pending());
        timer.fire_early();
        assert!(sleep.is_woken());
        assert!(sleep.poll().is_pending(), "the clock has not moved");
        timer.advance(SECOND);
        assert!(sleep.is_woken());
        assert!(sleep.poll().is_ready());
        assert_eq!(timer.sleepers(), 0);
    }

    /// A timer that counts the time that is left, as `setTimeout` does, with a clock that can be set.
    #[derive(Clone)]
    struct Relative(ManualTimer, Rc<Cell<Duration>>);

    impl Clock for Relative {
        fn now(&self) -> Instant {
            self.0.now() - self.1.get()
        }
        fn unix_time(&self) -> Duration {
            self.0.unix_time()
        }
    }

    impl Timer for Relative {
        type Sleep = ManualSleep;
        fn sleep_until(&self, deadline: Instant) -> ManualSleep {
            self.0.sleep_until(self.0.now() + (deadline - self.now()))
        }
    }

    /// T9: also a clock that was set back by much more than there is to wait.
    #[test]
    fn a_clock_that_is_set_back_costs_the_wait_once_more_at_most() {
        let timer = ManualTimer::new();
        let start = timer.now();
        let clock = Relative(timer.clone(), Rc::default());
        let mut sleep =
            tokio_test::task::spawn(SleepUntil::new(clock.clone(), clock.now() + SECOND));
        assert!(sleep.poll().is_pending());
        clock.1.set(60 * SECOND);
        timer.advance(SECOND);
        assert!(sleep.is_woken());
        assert!(sleep.poll().is_pending(), "a timer may be early");
        timer.run(sleep.into_inner());
        assert_eq!(timer.now() - start, 2 * SECOND);
    }

    #[test]
    fn dropping_it_leaves_no_timer() {
        let timer = ManualTimer::new();
        let mut sleep =
            tokio_test::task::spawn(SleepUntil::new(timer.clone(), timer.now() + SECOND));
        assert!(sleep.poll().is_pending());
        assert_eq!(timer.sleepers(), 1);
        drop(sleep);
        assert_eq!(timer.sleepers(), 0);
    }

    /// A timer whose sleeps are over at once while its clock stands still.
    #[derive(Clone)]
    struct Hasty;

    impl Clock for Hasty {
        fn now(&self) -> Instant {
            Instant::ORIGIN
        }
        fn unix_time(&self) -> Duration {
            Duration::ZERO
        }
    }

    impl Timer for Hasty {
        type Sleep = future::Ready<()>;
        fn sleep_until(&self, _: Instant) -> Self::Sleep {
            future::ready(())
        }
    }

    #[test]
    fn a_timer_that_is_always_early_yields_instead_of_spinning() {
        let mut sleep = tokio_test::task::spawn(SleepUntil::new(Hasty, Instant::ORIGIN + SECOND));
        assert!(sleep.poll().is_pending());
        assert!(sleep.is_woken(), "it asked to be polled again");
    }

    #[test]
    fn reset_moves_the_deadline_both_ways() {
        let timer = ManualTimer::new();
        let start = timer.now();
        let mut sleep = Box::pin(SleepUntil::new(timer.clone(), start + SECOND));
        sleep.as_mut().reset(start + 3 * SECOND);
        timer.run(sleep.as_mut());
        assert_eq!(timer.now() - start, 3 * SECOND);
        sleep.as_mut().reset(start);
        timer.run(sleep);
        assert_eq!(timer.now() - start, 3 * SECOND);
    }
}
