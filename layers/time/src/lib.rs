//! Time as an argument: a [`Clock`] to read, a [`Timer`] to sleep on, and an [`Instant`] that never overflows.
//!
//! Nothing else in tower-egress reads a clock. `std::time::Instant` and `SystemTime` panic on
//! `wasm32-unknown-unknown`, a runtime's timer ties a library to that runtime, and a test that sleeps is
//! slow and flaky. So every layer takes a [`Timer`]: [`TokioTimer`] natively (feature `tokio`), the Worker
//! shell's timer in a Worker, [`ManualTimer`] in tests (feature `test-util`).
//!
//! # What may be relied on
//!
//! A timer may fire early, late, or not at all once its task is gone; a clock may stand still (on Workers
//! it does between two I/O operations) or step back. Therefore nobody trusts a wake-up: [`SleepUntil`]
//! reads the clock again when its timer fires and sleeps on if it is too early. Arithmetic on
//! [`Instant`]s saturates.
//!
//! # Send
//!
//! [`Timer::Sleep`] has no `Send` bound: a layer's future is `Send` exactly when the sleep and the inner
//! service's future are.
//!
//! # Example
//!
//! ```
//! use egress_time::{Clock, ManualTimer, SleepUntil};
//! use std::time::Duration;
//!
//! let timer = ManualTimer::new();
//! let start = timer.now();
//! // `run` polls a future and moves the clock to the next sleeper whenever nothing else can happen.
//! timer.run(SleepUntil::new(timer.clone(), start + Duration::from_secs(60)));
//! assert_eq!(timer.now() - start, Duration::from_secs(60));
//! ```

mod clock;
mod instant;
#[cfg(any(test, feature = "test-util"))]
mod manual;
mod sleep_until;
#[cfg(feature = "tokio")]
mod tokio_timer;

#[cfg(any(test, feature = "test-util"))]
pub use self::manual::{ManualSleep, ManualTimer};
#[cfg(feature = "tokio")]
pub use self::tokio_timer::{TokioSleep, TokioTimer};
pub use self::{
    clock::{Clock, Timer},
    instant::Instant,
    sleep_until::SleepUntil,
};
