//! Time in a Worker.

mod pool;

use self::pool::Place;
use crate::bridge::{self, Slot};
use std::{
    future::Future,
    num::NonZeroU64,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tower_egress::{Clock, Instant, Timer};
use wasm_bindgen::JsValue;

/// The longest that a JavaScript timer sleeps: it takes milliseconds as an `i32`, and what is longer fires at once.
const LONGEST: Duration = Duration::from_millis(0x7fff_ffff);

/// A [`Timer`] on a Worker's clock and `setTimeout`.
///
/// It is plain data, so it may be made at global scope and shared by everything in an isolate; each sleep belongs to the
/// invocation in which it is first polled.
///
/// # How many
///
/// Workers have at most 10,000 timers in an invocation at a time, and the one that would be more ends the invocation with a
/// `QuotaExceededError`. What comes of [`for_invocation`](Timer::for_invocation) takes one for all its sleeps, the next to end; an
/// [`Egress`](tower_egress::Egress) does that for its own.
///
/// # Precision
///
/// Whole milliseconds, rounded up: it does not fire early. In Workers the clock stands still between two I/O operations,
/// so what happens between them takes no time; the end of a sleep is such an operation.
///
/// # Wake-ups
///
/// The latest waker is called, as [`Future`] asks for. (`worker::Delay` keeps the first one, so that a sleep which moves
/// from one task to another, or from `poll_ready` to a future, is never heard of again.)
///
/// # Panics
///
/// Outside JavaScript: reading the clock or polling a sleep does, as there is none. At global scope, where nothing may
/// sleep, the first poll of a sleep fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkerTimer {
    /// Whose sleeps share a timer.
    invocation: Option<NonZeroU64>,
}

impl WorkerTimer {
    /// Makes the timer.
    pub const fn new() -> Self {
        Self { invocation: None }
    }
}

impl Clock for WorkerTimer {
    fn now(&self) -> Instant {
        let nanos = since_origin(bridge::now()).as_nanos();
        Instant::from_nanos(nanos.try_into().unwrap_or(u64::MAX))
    }

    fn unix_time(&self) -> Duration {
        since_origin(js_sys::Date::now())
    }
}

/// Reads milliseconds of JavaScript; what is no time is none.
fn since_origin(milliseconds: f64) -> Duration {
    // As if they were seconds: a quotient has no bits left for what is behind the point.
    Duration::try_from_secs_f64(milliseconds).unwrap_or_default() / 1000
}

impl Timer for WorkerTimer {
    type Sleep = WorkerSleep;

    fn sleep_until(&self, deadline: Instant) -> WorkerSleep {
        WorkerSleep {
            deadline,
            invocation: self.invocation,
            wakes: Wakes::Nothing,
        }
    }

    fn for_invocation(&self) -> Self {
        Self {
            invocation: Some(pool::new()),
        }
    }
}

/// A sleep on a [`WorkerTimer`].
///
/// The timer is set by the first poll, and cleared when the sleep is dropped.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct WorkerSleep {
    deadline: Instant,
    invocation: Option<NonZeroU64>,
    wakes: Wakes,
}

/// What wakes a sleep.
#[derive(Debug)]
enum Wakes {
    Nothing,
    /// A timer of its own.
    Own(Armed),
    /// One for all of an invocation.
    Shared(Place),
}

/// A timer that is set.
#[derive(Debug)]
struct Armed {
    slot: Slot,
    handle: JsValue,
}

impl Armed {
    /// Sets a timer that wakes whoever polls the slot. What throws is the runtime, that there are too many.
    fn new(left: Duration) -> Self {
        let slot = Slot::open();
        let handle = bridge::sleep(slot.id(), milliseconds(left));
        Self { slot, handle }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        bridge::wake(&self.handle);
    }
}

/// Rounds up, to something a timer can take.
fn milliseconds(left: Duration) -> i32 {
    let rounded = left.min(LONGEST) + Duration::from_nanos(999_999);
    i32::try_from(rounded.as_millis()).unwrap_or(i32::MAX)
}

impl Future for WorkerSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            deadline,
            invocation,
            wakes,
        } = &mut *self;
        loop {
            let left = *deadline - WorkerTimer::new().now();
            if left.is_zero() {
                *wakes = Wakes::Nothing;
                return Poll::Ready(());
            }
            match (&mut *wakes, &*invocation) {
                (Wakes::Nothing, None) => *wakes = Wakes::Own(Armed::new(left)),
                (Wakes::Nothing, Some(invocation)) => {
                    *wakes = Wakes::Shared(Place::take(*invocation, *deadline, cx.waker()));
                    return Poll::Pending;
                }
                (Wakes::Shared(place), _) => {
                    place.keep(cx.waker());
                    return Poll::Pending;
                }
                (Wakes::Own(armed), _) => match armed.slot.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    // It was the longest that a timer sleeps, or the clock stands still: once more.
                    Poll::Ready(_) => *wakes = Wakes::Nothing,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_wait_is_rounded_up_and_never_overflows() {
        for (left, rounded) in [
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(1), 1),
            (Duration::from_nanos(1_000_001), 2),
            (LONGEST - Duration::from_nanos(1), i32::MAX),
            (LONGEST, i32::MAX),
            (LONGEST + Duration::from_nanos(1), i32::MAX),
            (Duration::MAX, i32::MAX),
        ] {
            assert_eq!(milliseconds(left), rounded, "{left:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for odd in [f64::NAN, f64::NEG_INFINITY, -1.0, f64::INFINITY, f64::MAX] {
            assert_eq!(since_origin(odd), Duration::ZERO, "{odd}");
        }
        assert_eq!(since_origin(1.5), Duration::from_micros(1500));
        let today = 1_795_388_921_123;
        assert_eq!(
            since_origin(1_795_388_921_123.0),
            Duration::from_millis(today)
        );
    }
}
