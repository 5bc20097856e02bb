//! Virtual time for tests.

use crate::{Clock, Instant, Timer};
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// A clock that tests move by hand; its clones share the time.
///
/// It works on every platform, wasm included, and needs no runtime: [`ManualTimer::run`] is a small executor that
/// moves the clock to the next sleeper whenever the future can do nothing else. It starts one hour after its
/// origin, so that a test can step back.
#[derive(Clone)]
pub struct ManualTimer(Arc<Mutex<State>>);

struct State {
    now: Instant,
    /// Unix time at the clock's origin.
    epoch: Duration,
    next_id: u64,
    sleepers: BTreeMap<(Instant, u64), Waker>,
    requested: Vec<Duration>,
}

impl Default for ManualTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualTimer {
    /// Makes a clock at 2026-01-01T00:00:00Z, one hour after its own origin.
    pub fn new() -> Self {
        let now = Instant::ORIGIN + Duration::from_secs(3600);
        Self(Arc::new(Mutex::new(State {
            now,
            epoch: Duration::from_secs(1_767_225_600 - 3600),
            next_id: 0,
            sleepers: BTreeMap::new(),
            requested: Vec::new(),
        })))
    }

    /// Moves the clock forward and wakes whoever is due.
    pub fn advance(&self, by: Duration) {
        let now = self.now();
        self.set(now + by);
    }

    /// Sets the clock, also backwards, and wakes whoever is due.
    pub fn set(&self, now: Instant) {
        let due = {
            let mut state = self.state();
            state.now = now;
            let later = state.sleepers.split_off(&(now, u64::MAX));
            std::mem::replace(&mut state.sleepers, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    /// Moves the time of day alone, as an administrator or NTP does.
    pub fn set_unix_time(&self, unix_time: Duration) {
        let mut state = self.state();
        let since_origin = state.now - Instant::ORIGIN;
        state.epoch = unix_time.saturating_sub(since_origin);
    }

    /// Moves the clock to the next sleeper's deadline; false if nobody sleeps.
    pub fn advance_to_next(&self) -> bool {
        let Some(deadline) = self.next_deadline() else {
            return false;
        };
        self.set(deadline.max(self.now()));
        true
    }

    /// Returns the earliest deadline that somebody sleeps for.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.state().sleepers.keys().next().map(|(at, _)| *at)
    }

    /// Wakes every sleeper without moving the clock, as a timer does that fires early.
    pub fn fire_early(&self) {
        let sleepers: Vec<_> = self.state().sleepers.values().cloned().collect();
        sleepers.into_iter().for_each(Waker::wake);
    }

    /// Returns how many sleeps are pending.
    pub fn sleepers(&self) -> usize {
        self.state().sleepers.len()
    }

    /// Returns the sleeps that were asked for since the last call, each as the time that was left when it was made.
    pub fn requested(&self) -> Vec<Duration> {
        std::mem::take(&mut self.state().requested)
    }

    /// Runs a future to its end, moving the clock to the next sleeper when nothing else can happen.
    ///
    /// # Panics
    ///
    /// When the future is pending, was not woken, and nobody sleeps: it would wait for ever.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        self.run_until(future, Instant::FAR_FUTURE)
            .expect("the future waits for ever: it is pending and nobody sleeps")
    }

    /// Like [`ManualTimer::run`], but returns `None` instead of moving the clock beyond `deadline`, or of
    /// waiting for ever.
    pub fn run_until<F: Future>(&self, future: F, deadline: Instant) -> Option<F::Output> {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        loop {
            while woken.0.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return Some(output);
                }
            }
            if self.next_deadline().is_none_or(|next| next > deadline) {
                return None;
            }
            self.advance_to_next();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has already failed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualTimer {
    fn now(&self) -> Instant {
        self.state().now
    }

    fn unix_time(&self) -> Duration {
        let state = self.state();
        state.epoch + (state.now - Instant::ORIGIN)
    }
}

impl Timer for ManualTimer {
    type Sleep = ManualSleep;

    fn sleep_until(&self, deadline: Instant) -> ManualSleep {
        let mut state = self.state();
        let left = deadline - state.now;
        state.requested.push(left);
        state.next_id += 1;
        ManualSleep {
            timer: self.clone(),
            key: (deadline, state.next_id),
        }
    }
}

impl fmt::Debug for ManualTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("ManualTimer")
            .field("now", &state.now)
            .field("sleepers", &state.sleepers.len())
            .finish_non_exhaustive()
    }
}

/// A sleep on a [`ManualTimer`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct ManualSleep {
    timer: ManualTimer,
    key: (Instant, u64),
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.timer.state();
        if state.now >= self.key.0 {
            let removed = state.sleepers.remove(&self.key);
            drop(state);
            drop(removed);
            return Poll::Ready(());
        }
        let replaced = state.sleepers.insert(self.key, cx.waker().clone());
        // A waker's drop is foreign code and may read this very clock: not under the lock.
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        let removed = self.timer.state().sleepers.remove(&self.key);
        drop(removed);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SleepUntil;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn it_wakes_those_who_are_due_and_nobody_else() {
        let timer = ManualTimer::new();
        let now = timer.now();
        let mut short = tokio_test::task::spawn(timer.sleep_until(now + Duration::from_secs(1)));
        let mut long = tokio_test::task::spawn(timer.sleep_until(now + Duration::from_secs(2)));
        assert!(short.poll().is_pending() && long.poll().is_pending());
        timer.advance(Duration::from_secs(1));
        assert!(short.is_woken() && !long.is_woken());
        assert_eq!(
            timer.requested(),
            [Duration::from_secs(1), Duration::from_secs(2)]
        );
    }

    #[test]
    fn a_step_back_wakes_nobody() {
        let timer = ManualTimer::new();
        let now = timer.now();
        let mut sleep = tokio_test::task::spawn(timer.sleep_until(now + Duration::from_secs(1)));
        assert!(sleep.poll().is_pending());
        timer.set(now - Duration::from_secs(60));
        assert!(!sleep.is_woken());
        timer.set(now + Duration::from_secs(1));
        assert!(sleep.is_woken());
    }

    #[test]
    fn run_until_gives_up_at_its_deadline_or_when_nobody_sleeps() {
        let timer = ManualTimer::new();
        let now = timer.now();
        let long = SleepUntil::new(timer.clone(), now + Duration::from_secs(5));
        assert_eq!(timer.run_until(long, now + Duration::from_secs(4)), None);
        assert_eq!(
            timer.run_until(std::future::pending::<()>(), Instant::FAR_FUTURE),
            None
        );
    }

    #[test]
    fn the_time_of_day_can_jump_alone() {
        let timer = ManualTimer::new();
        let now = timer.now();
        timer.set_unix_time(Duration::from_secs(1_000_000));
        assert_eq!(timer.unix_time(), Duration::from_secs(1_000_000));
        assert_eq!(timer.now(), now);
        timer.advance(Duration::from_secs(1));
        assert_eq!(timer.unix_time(), Duration::from_secs(1_000_001));
    }
}
