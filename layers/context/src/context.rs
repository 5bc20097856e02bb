//! The shared record of one request.

use crate::{Failure, RetryOwner};
use egress_time::Instant;
use http::Extensions;
use std::{
    sync::{
        Arc, Weak,
        atomic::Ordering::{AcqRel, Acquire, Release},
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A shared record of one request, alive while the layer that made it works on the request.
///
/// Clones share the record. Instants in it are those of the stack's own timer; one stack has one timer.
#[derive(Clone, Debug)]
pub struct RequestContext(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    deadline: AtomicU64,
    dispatched: AtomicU64,
    rate_wait: AtomicU64,
    queue_wait: AtomicU64,
    attempts: AtomicU32,
    failure: AtomicU8,
    between_attempts: AtomicBool,
    pub(crate) retries_owned: AtomicBool,
}

/// What the extensions carry: see the crate's documentation for why it is weak.
#[derive(Clone, Debug)]
struct Carried(Weak<Inner>);

impl RequestContext {
    /// Returns the context of the request with these extensions, or makes one.
    pub fn join(extensions: &mut Extensions) -> Self {
        Self::current(extensions).unwrap_or_else(|| {
            let context = Self(Arc::new(Inner {
                deadline: AtomicU64::new(u64::MAX),
                dispatched: AtomicU64::new(u64::MAX),
                rate_wait: AtomicU64::new(0),
                queue_wait: AtomicU64::new(0),
                attempts: AtomicU32::new(0),
                failure: AtomicU8::new(0),
                between_attempts: AtomicBool::new(false),
                retries_owned: AtomicBool::new(false),
            }));
            context.carry(extensions);
            context
        })
    }

    /// Returns the context of the request with these extensions, if an outer layer made one and still works on it.
    pub fn current(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Carried>()?.0.upgrade().map(Self)
    }

    /// Puts this context into the extensions of a request, instead of any other.
    ///
    /// For a layer that sends the same request more than once and builds it anew.
    pub fn carry(&self, extensions: &mut Extensions) {
        extensions.insert(Carried(Arc::downgrade(&self.0)));
    }

    /// Tells whether these extensions hold a context and nothing else.
    ///
    /// Such extensions need not be cloned to send a request again: [`carry`](Self::carry) restores them.
    pub fn is_alone_in(extensions: &Extensions) -> bool {
        extensions.len() == 1 && extensions.get::<Carried>().is_some()
    }

    /// Returns when the whole request must be done, if anybody said so.
    pub fn deadline(&self) -> Option<Instant> {
        match self.0.deadline.load(Relaxed) {
            u64::MAX => None,
            nanos => Some(Instant::from_nanos(nanos)),
        }
    }

    /// Sets the deadline, unless an earlier one is set.
    pub fn limit_deadline(&self, deadline: Instant) {
        self.0.deadline.fetch_min(deadline.as_nanos(), Relaxed);
    }

    /// Counts one more attempt and forgets what the last one came to; returns its number, 1 for the first.
    pub fn begin_attempt(&self) -> u32 {
        self.0.failure.store(0, Relaxed);
        self.0.dispatched.store(u64::MAX, Relaxed);
        self.0.between_attempts.store(false, Relaxed);
        let before = self.0.attempts.fetch_update(Relaxed, Relaxed, |attempts| {
            Some(attempts.saturating_add(1))
        });
        before.unwrap_or_else(|attempts| attempts).saturating_add(1)
    }

    /// Says that the present attempt is over and that another will follow, after a wait.
    pub fn attempt_over(&self) {
        self.0.between_attempts.store(true, Relaxed);
    }

    /// Tells whether the request waits for another attempt.
    pub fn is_between_attempts(&self) -> bool {
        self.0.between_attempts.load(Relaxed)
    }

    /// Returns how many attempts were begun; 0 where nobody counts them.
    pub fn attempts(&self) -> u32 {
        self.0.attempts.load(Relaxed)
    }

    /// Says that the present attempt goes out now. The last one to say so is nearest to the wire and right.
    pub fn dispatched_at(&self, now: Instant) {
        self.0.dispatched.store(now.as_nanos(), Relaxed);
    }

    /// Returns when the present attempt went out, if it did.
    pub fn dispatched(&self) -> Option<Instant> {
        match self.0.dispatched.load(Relaxed) {
            u64::MAX => None,
            nanos => Some(Instant::from_nanos(nanos)),
        }
    }

    /// Adds time that the request waited for a rate limit.
    pub fn add_rate_wait(&self, wait: Duration) {
        add(&self.0.rate_wait, wait);
    }

    /// Returns how long the request has waited for rate limits, over all its attempts.
    pub fn rate_wait(&self) -> Duration {
        Duration::from_nanos(self.0.rate_wait.load(Relaxed))
    }

    /// Adds time that the request waited for the inner service to become ready: for a connection, usually.
    ///
    /// Whoever polls the inner service's readiness on behalf of a request says so.
    pub fn add_queue_wait(&self, wait: Duration) {
        add(&self.0.queue_wait, wait);
    }

    /// Returns how long the request has waited for a connection, over all its attempts.
    pub fn queue_wait(&self) -> Duration {
        Duration::from_nanos(self.0.queue_wait.load(Relaxed))
    }

    /// Says that the error this layer is about to return means this failure.
    pub fn fail(&self, failure: Failure) {
        self.0
            .failure
            .store(Failure::to_bits(Some(failure)), Relaxed);
    }

    /// Returns how the present attempt failed, if a layer of ours made it fail.
    pub fn failure(&self) -> Option<Failure> {
        Failure::from_bits(self.0.failure.load(Relaxed))
    }

    /// Takes the retries of this request, unless an outer layer has them.
    ///
    /// Two layers that both retry three times send a request sixteen times. Whoever gets `None` sends it once.
    pub fn own_retries(&self) -> Option<RetryOwner> {
        let taken = self
            .0
            .retries_owned
            .compare_exchange(false, true, AcqRel, Acquire);
        taken.ok().map(|_| RetryOwner(Arc::clone(&self.0)))
    }
}

fn add(total: &AtomicU64, wait: Duration) {
    let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
    // The closure always returns Some, so there is no error to look at.
    let _ = total.fetch_update(Release, Relaxed, |total| Some(total.saturating_add(wait)));
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn those_inside_find_what_the_outermost_made() {
        let mut extensions = Extensions::new();
        let outer = RequestContext::join(&mut extensions);
        let inner = RequestContext::join(&mut extensions);
        inner.add_queue_wait(Duration::from_secs(1));
        inner.add_queue_wait(Duration::from_secs(2));
        inner.dispatched_at(Instant::from_nanos(5));
        assert_eq!(outer.queue_wait(), Duration::from_secs(3));
        assert_eq!(outer.dispatched(), Some(Instant::from_nanos(5)));
        assert_eq!(outer.rate_wait(), Duration::ZERO);
    }

    #[test]
    fn a_request_that_is_kept_and_sent_again_starts_anew() {
        let mut extensions = Extensions::new();
        let first = RequestContext::join(&mut extensions);
        first.limit_deadline(Instant::from_nanos(7));
        let mut kept = extensions.clone();
        drop(first);
        let second = RequestContext::join(&mut kept);
        assert_eq!(second.deadline(), None, "the old deadline is gone");
        assert!(RequestContext::current(&extensions).is_none());
    }

    #[test]
    fn the_earliest_deadline_holds() {
        let context = RequestContext::join(&mut Extensions::new());
        assert_eq!(context.deadline(), None);
        context.limit_deadline(Instant::from_nanos(9));
        context.limit_deadline(Instant::from_nanos(7));
        context.limit_deadline(Instant::from_nanos(8));
        assert_eq!(context.deadline(), Some(Instant::from_nanos(7)));
    }

    #[test]
    fn an_attempt_forgets_the_failure_of_the_one_before() {
        let context = RequestContext::join(&mut Extensions::new());
        assert_eq!(context.attempts(), 0);
        assert_eq!(context.begin_attempt(), 1);
        for failure in [
            Failure::Refused,
            Failure::TimedOut,
            Failure::DeadlineExceeded,
        ] {
            context.fail(failure);
            assert_eq!(context.failure(), Some(failure));
        }
        context.dispatched_at(Instant::from_nanos(3));
        context.attempt_over();
        assert!(context.is_between_attempts());
        assert_eq!(context.begin_attempt(), 2);
        assert_eq!(context.failure(), None);
        assert_eq!(context.dispatched(), None);
        assert!(!context.is_between_attempts());
        assert_eq!(context.attempts(), 2);
    }

    /// B10
    #[test]
    fn only_one_owns_the_retries_and_gives_them_up_when_dropped() {
        let context = RequestContext::join(&mut Extensions::new());
        let owner = context.own_retries();
        assert!(owner.is_some());
        assert!(context.own_retries().is_none());
        drop(owner);
        assert!(context.own_retries().is_some());
    }

    #[test]
    fn sums_of_waits_saturate() {
        let context = RequestContext::join(&mut Extensions::new());
        context.add_rate_wait(Duration::MAX);
        context.add_rate_wait(Duration::from_secs(1));
        assert_eq!(context.rate_wait(), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn extensions_with_a_context_alone_can_be_restored() {
        let mut extensions = Extensions::new();
        assert!(!RequestContext::is_alone_in(&extensions));
        let context = RequestContext::join(&mut extensions);
        assert!(RequestContext::is_alone_in(&extensions));
        let mut anew = Extensions::new();
        context.carry(&mut anew);
        assert!(RequestContext::current(&anew).is_some());
        extensions.insert("the caller's own");
        assert!(!RequestContext::is_alone_in(&extensions));
    }
}
