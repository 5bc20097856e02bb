//! Who is woken when a slot becomes earlier.

use crate::{ledger::Ledger, tree::Tree};
use std::task::Waker;

/// Wakers that have left the list. They are woken and dropped once the lock is free: either may run code that comes back
/// here.
#[derive(Debug, Default)]
#[must_use = "somebody may have to be woken"]
pub(crate) struct Wakes {
    wake: Vec<Waker>,
    discard: Vec<Waker>,
}

impl Wakes {
    /// Wakes and drops them. The lock must be free.
    pub(crate) fn settle(self) {
        self.wake.into_iter().for_each(Waker::wake);
    }
}

/// The sleepers of a bucket whose waiters live in one runtime.
///
/// A cancel makes everybody behind earlier, but only the first of them can make use of it now. So only the first who
/// sleeps here is woken, when its timer is later than its slot. It need not be the head: that may sleep in another bucket, or
/// was forgotten. Whoever was woken keeps its place in the list until it comes, so nobody behind it is woken in vain.
#[derive(Debug)]
pub(crate) struct Wakers {
    enabled: bool,
    /// By their tickets. They weigh nothing.
    sleepers: Tree<Sleeper>,
    /// Those whose sleepers need them no longer, until they are collected.
    discard: Vec<Waker>,
    /// Up to which delay of everybody those have been told.
    delays: u64,
}

#[derive(Debug)]
struct Sleeper {
    /// None when it was woken and has not come yet.
    waker: Option<Waker>,
    alarm: Alarm,
}

/// How long somebody sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm {
    /// When its own timer wakes it.
    pub(crate) until: u64,
    /// It is of no use to it to depart after this.
    pub(crate) latest: u64,
}

impl Wakers {
    pub(crate) const fn new(enabled: bool) -> Self {
        Self {
            enabled,
            sleepers: Tree::new(),
            discard: Vec::new(),
            delays: 0,
        }
    }

    pub(crate) const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// A ticket's owner goes to sleep. Returns false if its waker is another than before, and it has no `spare` of that to
    /// leave here.
    pub(crate) fn sleeps(
        &mut self,
        id: u64,
        waker: &Waker,
        spare: &mut Option<Waker>,
        alarm: Alarm,
    ) -> bool {
        if let Some(sleeper) = self.sleepers.get_mut(id)
            && sleeper.waker.as_ref().is_some_and(|it| it.will_wake(waker))
        {
            sleeper.alarm = alarm;
            return true;
        }
        let Some(waker) = spare.take() else {
            return false;
        };
        self.forget(id);
        let waker = Some(waker);
        self.sleepers.insert(id, 0, Sleeper { waker, alarm });
        true
    }

    pub(crate) fn forget(&mut self, id: u64) {
        if !self.sleepers.is_empty() {
            let forgotten = self.sleepers.remove(id);
            self.discard
                .extend(forgotten.and_then(|sleeper| sleeper.waker));
        }
    }

    /// Collects those who must know what has changed in the ledger, and what they left behind who need not.
    pub(crate) fn collect(&mut self, ledger: &mut Ledger, wakes: &mut Wakes) {
        if self.delays != ledger.delays() {
            self.delays = ledger.delays();
            self.collect_too_late(ledger, wakes);
        }
        if !self.discard.is_empty() {
            wakes.discard.append(&mut self.discard);
        }
        if self.sleepers.is_empty() {
            return;
        }
        let next = ledger.next();
        // Those before the head have their slot. This also forgets whoever never came for it.
        while let Some((first, _)) = self.sleepers.first()
            && next.is_none_or(|(head, _)| first < head)
            && let Some(sleeper) = self.sleepers.remove(first)
        {
            if sleeper.alarm.until > ledger.now() {
                wakes.wake.extend(sleeper.waker);
            } else {
                wakes.discard.extend(sleeper.waker);
            }
        }
        // While a probe is out, no slot is sure; its outcome brings everybody here again.
        if !ledger.is_probing()
            && let Some((first, _)) = self.sleepers.first()
            && let Some(at) = ledger.slot(first)
            && let Some(sleeper) = self.sleepers.get_mut(first)
            && sleeper.alarm.until > at
        {
            wakes.wake.extend(sleeper.waker.take());
        }
    }

    /// A pause or another quota has moved everybody: some need not wait any longer.
    fn collect_too_late(&mut self, ledger: &mut Ledger, wakes: &mut Wakes) {
        let is_too_late =
            |id, sleeper: &Sleeper| (ledger.slot(id)).is_some_and(|at| at > sleeper.alarm.latest);
        let wake = |sleeper: Sleeper| wakes.wake.extend(sleeper.waker);
        self.sleepers.extract(is_too_late, wake);
    }
}
