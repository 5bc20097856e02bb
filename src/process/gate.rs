//! What an item passes before the work on it begins.

use egress_concurrency_limit::{ConcurrencyLimitError, Limiter, Permit};
use egress_time::{SleepUntil, Timer};
use egress_token_bucket::{Bucket, Cost, Departure, RateLimited};
use futures_util::future::{Either, select};
use std::{pin::pin, time::Duration};

/// How long a permit is kept from others while the departure has to wait once more.
const HOLD: Duration = Duration::from_millis(100);
/// The least that is waited after a refusal, whatever it says.
const REST: Duration = Duration::from_millis(1);

/// What an item has while it is worked on.
pub(super) struct Pass<T: Timer> {
    departure: Option<Departure>,
    /// Given back when this is dropped.
    _permit: Option<Permit<T>>,
}

impl<T: Timer> Pass<T> {
    /// Tells those who wait for it that the server answers.
    pub(super) fn succeeded(self, timer: &T) {
        if let Some(departure) = self.departure {
            departure.succeeded(timer.now());
        }
    }
}

/// Waits for a slot of the bucket, then for a permit, and departs when the bucket agrees.
///
/// One item waits at a time, so no more than one place in either queue is taken. A bucket that refuses is asked again when it said: a
/// stream has time.
pub(super) async fn open<T: Timer>(
    bucket: Option<Bucket>,
    limiter: Option<Limiter<T>>,
    timer: T,
) -> Result<Pass<T>, ConcurrencyLimitError> {
    let Some(bucket) = bucket else {
        return Ok(Pass {
            departure: None,
            _permit: acquire(limiter.as_ref()).await?,
        });
    };
    loop {
        let now = timer.now();
        let slot = bucket.status(now).next_slot;
        let reservation = match bucket.reserve(Cost::ONE, now) {
            Ok(reservation) => reservation,
            Err(refused) => {
                rest(&refused, &timer).await;
                continue;
            }
        };
        // Whoever waits for a slot holds no connection that another could use.
        let permit = if limiter.is_some() {
            SleepUntil::new(timer.clone(), slot).await;
            acquire(limiter.as_ref()).await?
        } else {
            None
        };
        let departure = pin!(reservation.ready(timer.clone()));
        let departed = if permit.is_some() {
            let hold = pin!(SleepUntil::new(timer.clone(), timer.now() + HOLD));
            match select(departure, hold).await {
                Either::Left((departed, _)) => departed,
                // The bucket was paused meanwhile. The permit goes to others, and the place in the queue with it.
                Either::Right(_) => continue,
            }
        } else {
            departure.await
        };
        match departed {
            Ok(departure) => {
                return Ok(Pass {
                    departure: Some(departure),
                    _permit: permit,
                });
            }
            Err(refused) => {
                drop(permit);
                rest(&refused, &timer).await;
            }
        }
    }
}

async fn acquire<T: Timer>(
    limiter: Option<&Limiter<T>>,
) -> Result<Option<Permit<T>>, ConcurrencyLimitError> {
    match limiter {
        Some(limiter) => limiter.acquire().await.map(Some),
        None => Ok(None),
    }
}

async fn rest<T: Timer>(refused: &RateLimited, timer: &T) {
    let until = refused.retry_at.max(timer.now() + REST);
    SleepUntil::new(timer.clone(), until).await;
}
