//! The bodies that hold a permit, and how long ago their owners last asked for more.

use crate::Holder;
use egress_body_end::Bell;
use egress_time::Instant;
use http::{Method, Request, Uri};
use slab::Slab;
use std::{
    collections::BinaryHeap,
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// How many holders an error or an event names at most.
const MOST_NAMED: usize = 16;

/// What a limiter knows of one open body. The body and the limiter share it.
pub(crate) struct OpenBody {
    method: Method,
    uri: Uri,
    /// When its owner was last given something, in nanoseconds; the far future while the owner waits for more.
    ///
    /// Relaxed: it orders nothing, and who reads it looks back over seconds.
    left_alone_at: AtomicU64,
    /// What the owner waits for, once it has waited.
    bell: Mutex<Option<Arc<Bell>>>,
}

impl OpenBody {
    /// Takes down what is asked for. The owner has not looked at the body yet, and there is none yet.
    pub(crate) fn of<B>(request: &Request<B>) -> Arc<Self> {
        Arc::new(Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            left_alone_at: AtomicU64::new(Instant::FAR_FUTURE.as_nanos()),
            bell: Mutex::new(None),
        })
    }

    pub(crate) const fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn host(&self) -> Option<&str> {
        self.uri.host()
    }

    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// Notes that the owner asks for more.
    pub(crate) fn is_asked(&self) {
        self.left_alone_at
            .store(Instant::FAR_FUTURE.as_nanos(), Relaxed);
    }

    /// Notes that the owner waits until this bell rings. If it does not come back then, it has forgotten the body.
    pub(crate) fn waits(&self, bell: &Arc<Bell>) {
        let mut hung = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        // Once more, and under the lock: somebody may have looked meanwhile, and seen the bell before it was taken down.
        self.is_asked();
        if !hung.as_ref().is_some_and(|hung| Arc::ptr_eq(hung, bell)) {
            let before = hung.replace(Arc::clone(bell));
            // Outside the lock: it holds a waker, which is foreign code.
            drop(hung);
            drop(before);
        }
    }

    /// Notes that the owner has to come back for more by itself.
    pub(crate) fn is_left_alone(&self, now: Instant) {
        self.left_alone_at.store(now.as_nanos(), Relaxed);
    }

    /// Notes what can be seen from outside: that the owner was called, and has not come yet.
    fn look(&self, now: Instant) {
        if self.left_alone_at() != Instant::FAR_FUTURE {
            return;
        }
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        if bell.as_ref().is_some_and(|bell| bell.has_rung()) {
            self.is_left_alone(now);
        }
    }

    pub(crate) fn left_alone_at(&self) -> Instant {
        Instant::from_nanos(self.left_alone_at.load(Relaxed))
    }
}

/// Without the query.
impl fmt::Debug for OpenBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBody")
            .field("method", &self.method)
            .field("host", &self.host())
            .field("path", &self.path())
            .field("left_alone_at", &self.left_alone_at())
            .finish()
    }
}

/// All open bodies of one limiter.
#[derive(Default)]
pub(crate) struct OpenBodies {
    bodies: Slab<Arc<OpenBody>>,
    /// Which episode was last spoken of, and how many were.
    spoken_of: Option<Instant>,
    episodes: u64,
    last_look: Option<LastLook>,
}

/// What the last look found that was in vain. Many wait at the same time, and one search is enough for all of them.
#[derive(Clone, Copy)]
struct LastLook {
    at: Instant,
    limit: usize,
    again_at: Instant,
}

/// What a waiter finds when it looks at the bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Unread bodies hold all permits.
    pub(crate) all_unread: bool,
    /// They do, and nobody has said so yet.
    pub(crate) is_news: bool,
    /// It is no use to look again before this.
    pub(crate) again_at: Instant,
}

impl Look {
    /// What one finds who does not look.
    pub(crate) const NEVER: Self = Self::again(Instant::FAR_FUTURE);

    const fn again(again_at: Instant) -> Self {
        Self {
            all_unread: false,
            is_news: false,
            again_at,
        }
    }
}

impl OpenBodies {
    /// Adds a body, and returns the key to remove it with.
    pub(crate) fn insert(&mut self, body: Arc<OpenBody>) -> usize {
        self.bodies.insert(body)
    }

    /// Returns what was removed, to be dropped outside the lock: a URI may own memory that is not ours.
    pub(crate) fn remove(&mut self, key: usize) -> Arc<OpenBody> {
        self.bodies.remove(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.bodies.len()
    }

    pub(crate) const fn episodes(&self) -> u64 {
        self.episodes
    }

    /// Looks whether as many bodies as there are permits were left alone for `unread_after`, which is always the same.
    pub(crate) fn look(&mut self, now: Instant, limit: usize, unread_after: Duration) -> Look {
        if let Some(last) = self.last_look
            && last.limit == limit
            && (last.at..last.again_at).contains(&now)
        {
            return Look::again(last.again_at);
        }
        let look = self.search(now, limit, unread_after);
        self.last_look = (!look.all_unread).then_some(LastLook {
            at: now,
            limit,
            again_at: look.again_at,
        });
        look
    }

    fn search(&mut self, now: Instant, limit: usize, unread_after: Duration) -> Look {
        let again_at = now + unread_after;
        if self.bodies.len() < limit {
            return Look::again(again_at);
        }
        // It takes `limit` bodies, and the one among them that was read last decides.
        let mut oldest = BinaryHeap::with_capacity(limit + 1);
        for (_, body) in &self.bodies {
            body.look(now);
            oldest.push(body.left_alone_at());
            if oldest.len() > limit {
                oldest.pop();
            }
        }
        let Some(&decisive) = oldest.peek() else {
            return Look::again(again_at);
        };
        if now - decisive < unread_after {
            return Look::again(again_at.min(decisive + unread_after));
        }
        // Once one of the bodies is read or gone, another moment decides: that is another episode.
        let is_news = self.spoken_of.replace(decisive) != Some(decisive);
        self.episodes += u64::from(is_news);
        Look {
            all_unread: true,
            is_news,
            again_at,
        }
    }

    /// Counts the bodies that were left alone for `unread_after`.
    pub(crate) fn count_unread(&self, now: Instant, unread_after: Duration) -> usize {
        self.unread(now, unread_after).count()
    }

    /// Names those that were left alone for `unread_after`, the longest first.
    pub(crate) fn name_unread(&self, now: Instant, unread_after: Duration) -> Vec<Holder> {
        // Each moment is read once: while the bodies are put in order, some may be read.
        let mut oldest = Vec::with_capacity(MOST_NAMED + 1);
        for body in self.unread(now, unread_after) {
            let since = body.left_alone_at();
            let place = oldest.partition_point(|&(other, _)| other <= since);
            oldest.insert(place, (since, body));
            oldest.truncate(MOST_NAMED);
        }
        oldest
            .into_iter()
            .map(|(_, body)| Holder::new(now, body))
            .collect()
    }

    /// All keys are below.
    pub(crate) fn keys_end(&self) -> usize {
        self.bodies.capacity()
    }

    /// Looks at the bodies with these keys, in no order of theirs.
    pub(crate) fn look_at(
        &self,
        keys: Range<usize>,
        now: Instant,
        look: &mut impl FnMut(&Arc<OpenBody>),
    ) {
        for body in keys.filter_map(|key| self.bodies.get(key)) {
            body.look(now);
            look(body);
        }
    }

    fn unread(&self, now: Instant, unread_after: Duration) -> impl Iterator<Item = &Arc<OpenBody>> {
        self.bodies
            .iter()
            .map(|(_, body)| body)
            .filter(move |body| {
                body.look(now);
                now - body.left_alone_at() >= unread_after
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const AFTER: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn all_unread(is_news: bool, again_at: u64) -> Look {
        Look {
            all_unread: true,
            is_news,
            again_at: at(again_at),
        }
    }

    /// Adds a body at each of these seconds.
    fn bodies(seconds: &[u64]) -> (OpenBodies, Vec<Arc<OpenBody>>) {
        let mut bodies = OpenBodies::default();
        let request = Request::new(());
        let all: Vec<_> = seconds.iter().map(|_| OpenBody::of(&request)).collect();
        for (body, second) in all.iter().zip(seconds) {
            body.is_left_alone(at(*second));
            bodies.insert(Arc::clone(body));
        }
        (bodies, all)
    }

    /// C5
    #[test]
    fn the_body_that_was_read_last_decides() {
        let (mut bodies, _all) = bodies(&[10, 13, 11]);
        assert_eq!(bodies.look(at(14), 3, AFTER), Look::again(at(18)));
        assert_eq!(bodies.look(at(18), 3, AFTER), all_unread(true, 23));
        assert_eq!(bodies.look(at(23), 3, AFTER), all_unread(false, 28));
        assert_eq!(bodies.episodes(), 1);
    }

    /// C5
    #[test]
    fn a_body_whose_owner_waits_is_never_unread() {
        let (mut bodies, all) = bodies(&[10, 10]);
        all[1].is_asked();
        assert_eq!(bodies.look(at(1000), 2, AFTER), Look::again(at(1005)));
        assert_eq!(bodies.count_unread(at(1000), AFTER), 1);
        let holder = Holder::new(at(1000), &all[1]);
        assert_eq!(holder.unread_for(), Duration::ZERO);
    }

    /// C5, C6: more bodies than permits, because the limit was lowered.
    #[test]
    fn as_many_unread_bodies_as_permits_are_enough() {
        let (mut bodies, all) = bodies(&[10, 11, 12, 13]);
        all[3].is_asked();
        assert_eq!(bodies.look(at(15), 2, AFTER), Look::again(at(16)));
        assert_eq!(bodies.look(at(16), 2, AFTER), all_unread(true, 21));
    }

    #[test]
    fn fewer_bodies_than_permits_are_no_concern() {
        let (mut bodies, _all) = bodies(&[10]);
        assert_eq!(bodies.look(at(1000), 2, AFTER), Look::again(at(1005)));
    }

    /// C5: everyone who waited searched all bodies, under the lock.
    #[test]
    fn one_search_is_enough_for_all_who_look_before_the_next_makes_sense() {
        let (mut bodies, all) = bodies(&[10, 12]);
        assert_eq!(bodies.look(at(14), 2, AFTER), Look::again(at(17)));
        // As no body does: one that was left alone in the past would be found by a search.
        all[1].is_left_alone(at(1));
        assert_eq!(bodies.look(at(16), 2, AFTER), Look::again(at(17)));
        assert_eq!(bodies.look(at(17), 2, AFTER), all_unread(true, 22));
    }

    /// C5, C6
    #[test]
    fn a_lower_limit_and_a_clock_that_was_set_back_are_searched_for_at_once() {
        let (mut bodies, _all) = bodies(&[10, 14]);
        assert_eq!(bodies.look(at(16), 2, AFTER), Look::again(at(19)));
        assert_eq!(bodies.look(at(16), 1, AFTER), all_unread(true, 21));
        assert_eq!(bodies.look(at(16), 2, AFTER), Look::again(at(19)));
        assert_eq!(bodies.look(at(2), 2, AFTER), Look::again(at(7)));
    }

    #[test]
    fn an_error_names_a_few_and_the_longest_unread_first() {
        let seconds: Vec<u64> = (0..100).rev().collect();
        let (bodies, _all) = bodies(&seconds);
        let named = bodies.name_unread(at(50), AFTER);
        assert_eq!(named.len(), MOST_NAMED);
        assert_eq!(named[0].unread_for(), Duration::from_secs(50));
        assert_eq!(named[15].unread_for(), Duration::from_secs(35));
        assert_eq!(bodies.count_unread(at(50), AFTER), 46);
    }
}
