//! Places in the queues of some buckets, and what becomes of them.

use crate::{
    Bucket, BucketSet, Departure, RateLimited, Ready,
    claim::{Claims, Pause},
    each::Each,
    set::Locked,
};
use egress_time::{Instant, Timer};
use std::{fmt, mem, task::Waker};

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
        let deadline = self.deadline;
        let mut spare = None;
        loop {
            let Asked {
                claims,
                mut states,
                longest,
            } = self.ask(now)?;
            let mut is_heard = true;
            for (place, (claim, state)) in claims.iter().zip(&mut *states).enumerate() {
                if let Some((at, pause)) = longest
                    && at == place
                {
                    is_heard = claim.sleep(state, pause, deadline, waker, &mut spare);
                } else {
                    state.wakers.forget(claim.ticket.id());
                }
            }
            drop(states);
            if is_heard {
                return Ok(longest.map(|(_, pause)| pause));
            }
            // A waker is foreign code, so it is cloned outside the locks; and as seldom as possible.
            spare = Some(waker.clone());
        }
    }

    /// Departs from all, unless one of them has it wait.
    pub(crate) fn commit(&mut self, now: Instant) -> Result<Option<Departure>, RateLimited> {
        let Asked {
            claims,
            mut states,
            longest,
        } = self.ask(now)?;
        if longest.is_some() {
            return Ok(None);
        }
        let mut departed = Each::default();
        for (claim, state) in claims.iter().zip(&mut *states) {
            state.wakers.forget(claim.ticket.id());
            departed.push(state.ledger.depart(&claim.ticket));
        }
        drop(states);
        self.is_held = false;
        Ok(Some(Departure::new(self.buckets.take(), departed)))
    }

    /// Gives back what is left to give back, as of this time.
    pub(crate) fn release(&mut self, now: Instant) {
        if mem::replace(&mut self.is_held, false) {
            let mut states = self.buckets.lock();
            for (claim, state) in self.claims.iter().zip(&mut *states) {
                state.ledger.advance(now.as_nanos());
                claim.cancel(state);
            }
        }
    }

    /// Asks all buckets. When one refuses, all get back what they gave.
    fn ask(&mut self, now: Instant) -> Result<Asked<'_>, RateLimited> {
        let mut states = self.buckets.lock();
        let (buckets, claims) = (self.buckets.buckets(), &mut self.claims);
        match ask_all(buckets, &mut states, claims, self.deadline, now) {
            Ok(longest) => Ok(Asked {
                claims,
                states,
                longest,
            }),
            Err(error) => {
                self.is_held = false;
                let waited = now - self.accepted;
                Err(RateLimited { waited, ..error })
            }
        }
    }
}

/// What buckets that were asked say, while they are locked.
struct Asked<'a> {
    claims: &'a Claims,
    states: Locked<'a>,
    /// The longest of the waits, and whose it is; nothing if all agree.
    longest: Option<(usize, Pause)>,
}

/// Asks all buckets for the longest of the waits, and whose it is; nothing if all agree. When one refuses, all get back what
/// they gave.
///
/// Who is late lines up where it waits the longest, and wherever else the time that is kept for it is still good when that
/// wait is over: elsewhere it would be kept in vain, and again whenever that has passed. Once it stands in a line, a time
/// that it has now, and that somebody else would take meanwhile, is kept too. Otherwise those who pay one bucket only
/// could take its turn there each time that it comes back, for ever.
fn ask_all(
    buckets: &[Bucket],
    states: &mut Locked<'_>,
    claims: &mut Claims,
    deadline: u64,
    now: Instant,
) -> Result<Option<(usize, Pause)>, RateLimited> {
    let mut longest: Option<(usize, Pause)> = None;
    let mut is_open = false;
    let mut pauses = Each::default();
    for place in 0..claims.len() {
        let (claim, state) = (&claims[place], &mut *states[place]);
        let max_wait = buckets[place].config().max_wait;
        match claim.ask(state, max_wait, deadline, now.as_nanos()) {
            Ok(None) => pauses.push(None),
            Ok(Some(pause)) => {
                is_open |= pause.is_open;
                if longest.is_none_or(|(_, longest)| pause.left > longest.left) {
                    longest = Some((place, pause));
                }
                pauses.push(Some(pause));
            }
            Err((reason, at)) => {
                let error = buckets[place].refusal(state, reason, at, now);
                for (claim, state) in claims.iter().zip(&mut **states) {
                    claim.cancel(state);
                    state.revoked += 1;
                }
                return Err(error);
            }
        }
    }
    if let Some((longest, pause)) = longest
        && !is_open
    {
        for (place, own) in pauses.iter().enumerate() {
            let ledger = &mut states[place].ledger;
            // The time that it could have there is good for as long as nobody else can follow.
            if let Some(own) = own
                && own.is_late
                && pause.left < own.left.saturating_add(ledger.least_gap())
            {
                ledger.line_up(&mut claims[place].ticket);
            }
        }
        let stands = claims[longest].ticket.has_place();
        for (place, own) in pauses.iter().enumerate() {
            let ledger = &mut states[place].ledger;
            if stands && own.is_none() && pause.left < ledger.least_gap() {
                ledger.hold(&mut claims[place].ticket, pause.left);
            }
        }
    }
    Ok(longest)
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
