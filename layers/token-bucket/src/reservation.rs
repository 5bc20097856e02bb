//! Places in the queues of some buckets, and what becomes of them.

use crate::{
    BucketSet, Departure, RateLimited, Ready,
    claim::{Claims, Pause, refusal},
    set::States,
};
use egress_time::{Instant, Timer};
use std::{fmt, task::Waker};

/// A place in the queue of one or several buckets.
///
/// Dropping it gives back every slot whose time has not come; those behind move forward. A slot whose time has come is
/// spent.
///
/// # Example
///
/// ```
/// use egress_time::{Clock, ManualTimer};
/// use egress_token_bucket::{Bucket, Cost, Quota};
/// use std::time::Duration;
///
/// let bucket = Bucket::new(Quota::new(60, Duration::from_secs(60))?.with_burst(1)?);
/// let timer = ManualTimer::new();
/// let start = timer.now();
/// let first = bucket.try_depart(Cost::ONE, start)?;
///
/// let second = bucket.reserve(Cost::ONE, start)?;
/// let departure = timer.run(second.ready(timer.clone()))?;
/// assert_eq!(timer.now() - start, Duration::from_secs(1));
/// # Ok::<_, egress_token_bucket::BoxError>(())
/// ```
#[must_use = "dropping it gives up the place in the queue"]
pub struct Reservation {
    buckets: BucketSet,
    claims: Claims,
    accepted: Instant,
    deadline: u64,
    is_due: bool,
    /// Whether there is still something to give back.
    is_held: bool,
}

impl Reservation {
    pub(crate) const fn new(
        buckets: BucketSet,
        claims: Claims,
        accepted: Instant,
        deadline: Instant,
        is_due: bool,
    ) -> Self {
        Self {
            buckets,
            claims,
            accepted,
            deadline: deadline.as_nanos(),
            is_due,
            is_held: true,
        }
    }

    /// Waits until it is due, and departs.
    pub fn ready<T: Timer>(self, timer: T) -> Ready<T> {
        Ready::new(self, timer)
    }

    /// Whether it was due when it was made.
    pub(crate) const fn is_due(&self) -> bool {
        self.is_due
    }

    /// Whether it has not departed, and was not given up.
    pub(crate) const fn is_held(&self) -> bool {
        self.is_held
    }

    /// Asks all buckets whether it may depart. If not, the one with the longest wait has the waker called when that
    /// becomes shorter.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        waker: &Waker,
    ) -> Result<Option<Pause>, RateLimited> {
        let buckets = self.buckets.clone();
        let mut states = buckets.lock();
        let asked = self.ask(&mut states, now);
        if let Ok(longest) = asked {
            for (place, (claim, state)) in self.claims.iter().zip(&mut states).enumerate() {
                match longest {
                    Some((at, pause)) if at == place => {
                        claim.sleep(state, pause, self.deadline, waker);
                    }
                    _ => state.wakers.forget(claim.ticket.id()),
                }
            }
        }
        buckets.unlock(states);
        Ok(asked?.map(|(_, pause)| pause))
    }

    /// Departs from all, unless one of them has it wait.
    pub(crate) fn commit(&mut self, now: Instant) -> Result<Result<Departure, Pause>, RateLimited> {
        let buckets = self.buckets.clone();
        let mut states = buckets.lock();
        let asked = self.ask(&mut states, now);
        let departed = matches!(asked, Ok(None)).then(|| {
            self.is_held = false;
            let claims = self.claims.iter().zip(&mut states);
            claims
                .map(|(claim, state)| {
                    state.wakers.forget(claim.ticket.id());
                    state.ledger.depart(&claim.ticket)
                })
                .collect()
        });
        buckets.unlock(states);
        Ok(match (asked?, departed) {
            (Some((_, pause)), _) => Err(pause),
            (None, departed) => Ok(Departure::new(buckets, departed.unwrap_or_default())),
        })
    }

    /// Gives back what is left to give back, as of this time.
    pub(crate) fn release(&mut self, now: Instant) {
        if self.is_held {
            let buckets = self.buckets.clone();
            let mut states = buckets.lock();
            for state in &mut states {
                state.ledger.advance(now.as_nanos());
            }
            self.cancel(&mut states);
            buckets.unlock(states);
        }
    }

    /// Returns the longest of the waits and whose it is, or nothing if all agree.
    fn ask(
        &mut self,
        states: &mut States<'_>,
        now: Instant,
    ) -> Result<Option<(usize, Pause)>, RateLimited> {
        let mut longest: Option<(usize, Pause)> = None;
        for place in 0..self.claims.len() {
            let bucket = &self.buckets.buckets()[place];
            let (claim, state) = (&mut self.claims[place], &mut states[place]);
            let max_wait = bucket.config().max_wait;
            match claim.ask(state, max_wait, self.deadline, now.as_nanos()) {
                Ok(None) => {}
                Ok(Some(pause)) => {
                    if longest.is_none_or(|(_, longest)| pause.left > longest.left) {
                        longest = Some((place, pause));
                    }
                }
                Err((reason, at)) => {
                    let error = refusal(bucket, state, reason, at, now);
                    self.cancel(states);
                    states.iter_mut().for_each(|state| state.revoked += 1);
                    return Err(RateLimited {
                        waited: now - self.accepted,
                        ..error
                    });
                }
            }
        }
        Ok(longest)
    }

    fn cancel(&mut self, states: &mut States<'_>) {
        self.is_held = false;
        for (claim, state) in self.claims.iter().zip(states) {
            claim.cancel(state);
        }
    }
}

/// Gives back as of the latest time that a bucket was told; there is no clock here.
impl Drop for Reservation {
    fn drop(&mut self) {
        self.release(Instant::ORIGIN);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("buckets", &self.buckets)
            .field("is_held", &self.is_held)
            .finish_non_exhaustive()
    }
}
