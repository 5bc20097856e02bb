//! The shared record of one request.

use crate::{Failure, RetryOwner};
use egress_time::{Clock, Instant};
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
    /// What the clock says while a layer calls those inside it.
    present: AtomicU64,
    attempts: AtomicU32,
    failure: AtomicU8,
    between_attempts: AtomicBool,
    pub(crate) retries_owned: AtomicBool,
}

/// What the extensions carry: see the crate's documentation for why it is weak.
#[derive(Debug)]
struct Carried {
    context: Weak<Inner>,
    /// Of this request alone: two may have one context, where an outer layer sends a request to several places.
    note: AtomicU64,
}

impl Clone for Carried {
    fn clone(&self) -> Self {
        Self {
            context: Weak::clone(&self.context),
            note: AtomicU64::new(self.note.load(Relaxed)),
        }
    }
}

impl RequestContext {
    /// Returns the context of the request with these extensions, or makes one.
    pub fn join(extensions: &mut Extensions) -> Self {
        Self::current(extensions).unwrap_or_else(|| {
            let context = Self(Arc::new(Inner {
                deadline: AtomicU64::new(NEVER),
                dispatched: AtomicU64::new(NEVER),
                rate_wait: AtomicU64::new(0),
                queue_wait: AtomicU64::new(0),
                present: AtomicU64::new(NEVER),
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
        extensions.get::<Carried>()?.context.upgrade().map(Self)
    }

    /// Puts this context into the extensions of a request, instead of any other.
    ///
    /// For a layer that sends the same request more than once and builds it anew.
    pub fn carry(&self, extensions: &mut Extensions) {
        extensions.insert(Carried {
            context: Arc::downgrade(&self.0),
            note: AtomicU64::new(NEVER),
        });
    }

    /// Tells whether these extensions hold a context and nothing else.
    ///
    /// Such extensions need not be cloned to send a request again: [`carry`](Self::carry) restores them.
    pub fn is_alone_in(extensions: &Extensions) -> bool {
        extensions.len() == 1 && extensions.get::<Carried>().is_some()
    }

    /// Returns when the whole request must be done, if anybody said so.
    pub fn deadline(&self) -> Option<Instant> {
        read(&self.0.deadline)
    }

    /// Sets the deadline, unless an earlier one is set.
    pub fn limit_deadline(&self, deadline: Instant) {
        self.0.deadline.fetch_min(deadline.as_nanos(), Relaxed);
    }

    /// Counts one more attempt and forgets what the last one came to; returns its number, 1 for the first.
    pub fn begin_attempt(&self) -> u32 {
        self.0.failure.store(0, Relaxed);
        self.0.dispatched.store(NEVER, Relaxed);
        self.0.between_attempts.store(false, Relaxed);
        let before = self.0.attempts.fetch_update(Relaxed, Relaxed, |attempts| {
            Some(attempts.saturating_add(1))
        });
        before.unwrap_or_else(|attempts| attempts).saturating_add(1)
    }

    /// Takes back the last attempt, of which nothing was sent.
    pub fn retract_attempt(&self) {
        // The closure returns None where there is nothing to take back.
        let _ = self
            .0
            .attempts
            .fetch_update(Relaxed, Relaxed, |attempts| attempts.checked_sub(1));
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

    /// Says that the present attempt goes out now. The last one to say so is nearest to the wire and right. A refusal
    /// before that is forgotten.
    pub fn dispatched_at(&self, now: Instant) {
        self.0.dispatched.store(now.as_nanos(), Relaxed);
        let bits = self.0.failure.load(Relaxed);
        if Failure::from_bits(bits).is_some_and(Failure::is_unsent) {
            // By another layer than those who send it now, which has put something in the refusal's place. A failure that
            // somebody else says at this moment stays.
            let _ = self.0.failure.compare_exchange(bits, 0, Relaxed, Relaxed);
        }
    }

    /// Returns when the present attempt went out, if it did.
    pub fn dispatched(&self) -> Option<Instant> {
        read(&self.0.dispatched)
    }

    /// Calls a layer inside; while that goes on, those inside need not read the clock.
    ///
    /// For a call, which takes no time worth mentioning; not for a poll of what may wait.
    pub fn during<R>(&self, now: Instant, call: impl FnOnce() -> R) -> R {
        struct Until<'a>(&'a AtomicU64);
        impl Drop for Until<'_> {
            fn drop(&mut self) {
                // Not what it was before: that may be over by now, if another thread calls in the same context.
                self.0.store(NEVER, Relaxed);
            }
        }
        let until = Until(&self.0.present);
        until.0.store(now.as_nanos(), Relaxed);
        call()
    }

    /// Returns the time: that of the layer which is [calling](Self::during), or what the clock says.
    pub fn now(&self, clock: &impl Clock) -> Instant {
        read(&self.0.present).unwrap_or_else(|| clock.now())
    }

    /// Keeps a number in the extensions of a request, for whoever has this key, until another one keeps something.
    ///
    /// What several layers would each work out from the same request, the outermost of them can leave to the others. It
    /// is lost when the extensions hold no context, and when the request is built anew.
    pub fn note(extensions: &Extensions, key: u32, value: u32) {
        if let Some(carried) = extensions.get::<Carried>() {
            let note = u64::from(key) << 32 | u64::from(value);
            carried.note.store(note, Relaxed);
        }
    }

    /// Returns the number that was kept under this key.
    pub fn noted(extensions: &Extensions, key: u32) -> Option<u32> {
        let note = extensions.get::<Carried>()?.note.load(Relaxed);
        let value = u32::try_from(note & u64::from(u32::MAX)).ok()?;
        (note != NEVER && note >> 32 == u64::from(key)).then_some(value)
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
    /// Two layers that both retry three times send a request sixteen times. Whoever gets `None` sends it once; so does the
    /// second of two requests that an outer layer has put into one context and that go on at the same time.
    pub fn own_retries(&self) -> Option<RetryOwner> {
        let taken = self
            .0
            .retries_owned
            .compare_exchange(false, true, AcqRel, Acquire);
        taken.ok().map(|_| RetryOwner(Arc::clone(&self.0)))
    }
}

/// In place of a moment that has not come.
const NEVER: u64 = u64::MAX;

fn read(moment: &AtomicU64) -> Option<Instant> {
    let nanos = moment.load(Relaxed);
    (nanos != NEVER).then_some(Instant::from_nanos(nanos))
}

fn add(total: &AtomicU64, wait: Duration) {
    let wait = (Instant::ORIGIN + wait).as_nanos();
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
            Failure::DeadlineTooSoon,
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
        context.retract_attempt();
        assert_eq!(context.attempts(), 1);
    }

    struct Fixed(u64);

    impl Clock for Fixed {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.0)
        }
        fn unix_time(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn the_time_is_known_during_a_call_and_not_after_it() {
        let context = RequestContext::join(&mut Extensions::new());
        let clock = Fixed(9);
        let now = || context.now(&clock).as_nanos();
        assert_eq!(now(), 9);
        let seen = context.during(Instant::from_nanos(3), || {
            let outer = now();
            let inner = context.during(Instant::from_nanos(5), now);
            [outer, inner, now()]
        });
        assert_eq!(
            seen,
            [3, 5, 9],
            "after an inner call nobody is sure any more"
        );
        assert_eq!(now(), 9);
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn a_call_that_panics_leaves_no_time_behind() {
        let context = RequestContext::join(&mut Extensions::new());
        let call = std::panic::AssertUnwindSafe(|| {
            context.during(Instant::from_nanos(3), || panic!("an inner service may"))
        });
        std::panic::catch_unwind(call).expect_err("it panics");
        assert_eq!(context.now(&Fixed(9)).as_nanos(), 9);
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn two_calls_that_overlap_on_two_threads_leave_no_time_behind() {
        let context = RequestContext::join(&mut Extensions::new());
        let (both, done) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                context.during(Instant::from_nanos(10), || both.wait());
                done.wait();
            });
            threads.spawn(|| {
                context.during(Instant::from_nanos(20), || {
                    both.wait();
                    done.wait();
                });
            });
        });
        assert_eq!(context.now(&Fixed(99)).as_nanos(), 99);
    }

    #[test]
    fn a_note_is_for_who_has_its_key_and_of_one_request_alone() {
        let mut extensions = Extensions::new();
        RequestContext::note(&extensions, 7, 3);
        assert_eq!(
            RequestContext::noted(&extensions, 7),
            None,
            "nobody holds it"
        );
        let _context = RequestContext::join(&mut extensions);
        assert_eq!(RequestContext::noted(&extensions, u32::MAX), None);
        RequestContext::note(&extensions, 7, 3);
        assert_eq!(RequestContext::noted(&extensions, 7), Some(3));
        assert_eq!(RequestContext::noted(&extensions, 8), None);
        let copy = extensions.clone();
        RequestContext::note(&copy, 8, 0);
        assert_eq!(RequestContext::noted(&copy, 8), Some(0));
        assert_eq!(RequestContext::noted(&extensions, 7), Some(3));
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
