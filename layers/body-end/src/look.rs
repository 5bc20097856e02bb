//! A poll that waits for nothing.

use std::task::{Context, Waker};

/// A static, so that it has one address: [`Waker::will_wake`] compares those, and a [`Waker::noop`] may have
/// another one in each crate.
static NOBODY: &Waker = Waker::noop();

/// Returns a waker that wakes nobody, for a look at what a body has already, in a drop perhaps.
///
/// Whoever is polled with it can tell ([`is_look`]), and need arm no timer, which might not even be possible outside
/// of a runtime.
pub fn looking() -> &'static Waker {
    NOBODY
}

/// Tells whether a poll is only a look, with the waker of [`looking`]: whoever polls will not wait for what is pending.
pub fn is_look(cx: &Context<'_>) -> bool {
    cx.waker().will_wake(NOBODY)
}
