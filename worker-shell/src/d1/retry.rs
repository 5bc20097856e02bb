//! What Cloudflare says to try again is tried again.

use std::{future::Future, num::NonZeroU32};
use tower_egress::{
    SleepUntil, Timer,
    layers::backoff::{Cause, Schedule},
    sql::SqlError,
};

/// How often at most: <https://developers.cloudflare.com/d1/best-practices/retry-queries/>.
pub(super) const ATTEMPTS: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// Makes attempts until one succeeds, fails for good, or was the last.
///
/// Between them it waits for a part of the schedule's longest pause; `random` returns which, from 0 to 1.
pub(super) async fn retry<T: Timer, O, F: Future<Output = Result<O, SqlError>>>(
    timer: T,
    attempts: NonZeroU32,
    random: impl Fn() -> f64,
    attempt: impl Fn() -> F,
) -> Result<O, SqlError> {
    let schedule = Schedule::default();
    for retry in 0..attempts.get() - 1 {
        match attempt().await {
            Err(error) if error.is_retryable() => {}
            result => return result,
        }
        let longest = schedule.longest(Cause::Transient, retry);
        let pause = longest.mul_f64(random().clamp(0.0, 1.0));
        SleepUntil::new(timer.clone(), timer.now() + pause).await;
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use egress_time::ManualTimer;
    use std::{cell::Cell, time::Duration};
    use tower_egress::sql::SqlErrorKind;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Fails so many times with an error of a kind; returns what came of it, the attempts and the pauses.
    fn failing(
        times: u32,
        kind: SqlErrorKind,
        attempts: u32,
    ) -> (Result<&'static str, SqlError>, u32, Vec<Duration>) {
        let timer = ManualTimer::new();
        let made = Cell::new(0);
        let attempt = || async {
            made.set(made.get() + 1);
            if made.get() > times {
                Ok("done")
            } else {
                Err(SqlError::new(kind, "failed"))
            }
        };
        let attempts = NonZeroU32::new(attempts).unwrap();
        let result = timer.run(retry(timer.clone(), attempts, || 0.5, attempt));
        (result, made.get(), timer.requested())
    }

    #[test]
    fn a_lost_connection_is_tried_again_after_growing_pauses() {
        let (result, made, pauses) = failing(4, SqlErrorKind::ConnectionLost, 5);
        assert_eq!((result, made), (Ok("done"), 5));
        assert_eq!(pauses, [50, 100, 200, 400].map(Duration::from_millis));
    }

    #[test]
    fn the_last_error_is_returned() {
        let (result, made, _) = failing(9, SqlErrorKind::ConnectionLost, 5);
        assert_eq!(
            (result.unwrap_err().kind(), made),
            (SqlErrorKind::ConnectionLost, 5)
        );
    }

    #[test]
    fn nothing_is_sent_twice_if_one_attempt_is_all() {
        let (result, made, pauses) = failing(1, SqlErrorKind::ConnectionLost, 1);
        assert!(result.is_err() && made == 1 && pauses.is_empty());
    }

    #[test]
    fn what_would_fail_again_is_not_tried_again() {
        for kind in [
            SqlErrorKind::Constraint,
            SqlErrorKind::InvalidStatement,
            SqlErrorKind::TooLarge,
            SqlErrorKind::Overloaded,
            SqlErrorKind::TimedOut,
            SqlErrorKind::Decode,
            SqlErrorKind::Other,
        ] {
            let (result, made, _) = failing(1, kind, 5);
            assert_eq!((result.unwrap_err().kind(), made), (kind, 1));
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        assert_eq!(ATTEMPTS.get(), 5);
        let longest = [0, 1, 2, 3].map(|n| Schedule::default().longest(Cause::Transient, n));
        assert_eq!(longest, [100, 200, 400, 800].map(Duration::from_millis));
    }
}
