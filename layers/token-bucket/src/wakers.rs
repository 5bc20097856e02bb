//! Who is woken when a slot becomes earlier.

use crate::ledger::Ledger;
use std::{collections::BTreeMap, task::Waker};

/// Those to wake once the lock is free.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Vec<Waker>);

impl Wakes {
    pub(crate) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

/// The sleepers of a bucket whose waiters live in one runtime.
///
/// A cancel makes everybody behind earlier, but only the head of the queue can make use of it now. So only the head is
/// woken, when its timer is later than its slot; the next one when it becomes the head, by whoever made it so. A
/// cancel and a departure wake one at most, and however many wait, nobody is woken in vain.
#[derive(Debug)]
pub(crate) struct Wakers {
    enabled: bool,
    sleepers: BTreeMap<u64, Sleeper>,
    /// Up to which delay of everybody those have been told.
    delays: u64,
}

#[derive(Debug)]
struct Sleeper {
    waker: Waker,
    /// When its own timer wakes it.
    until: u64,
    /// It is of no use to it to depart after this.
    latest: u64,
}

impl Wakers {
    pub(crate) const fn new(enabled: bool) -> Self {
        Self {
            enabled,
            sleepers: BTreeMap::new(),
            delays: 0,
        }
    }

    pub(crate) const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// A ticket's owner goes to sleep.
    pub(crate) fn sleeps(&mut self, id: u64, waker: &Waker, until: u64, latest: u64) {
        if !self.enabled {
            return;
        }
        let sleeper = self.sleepers.entry(id).or_insert_with(|| Sleeper {
            waker: waker.clone(),
            until,
            latest,
        });
        sleeper.waker.clone_from(waker);
        sleeper.until = until;
    }

    pub(crate) fn forget(&mut self, id: u64) {
        if !self.sleepers.is_empty() {
            self.sleepers.remove(&id);
        }
    }

    /// Collects those who must know what has changed in the ledger.
    pub(crate) fn collect(&mut self, ledger: &mut Ledger, wakes: &mut Wakes) {
        if self.delays != ledger.delays() {
            self.delays = ledger.delays();
            self.collect_too_late(ledger, wakes);
        }
        if self.sleepers.is_empty() {
            return;
        }
        let next = ledger.next();
        // Those before the head have their slot. This also forgets whoever never came for it.
        while let Some(first) = self.sleepers.first_entry()
            && next.is_none_or(|(head, _)| *first.key() < head)
        {
            let sleeper = first.remove();
            if sleeper.until > ledger.now() {
                wakes.0.push(sleeper.waker);
            }
        }
        // While a probe is out, no slot is sure; its outcome brings everybody here again.
        if !ledger.is_probing()
            && let Some((head, at)) = next
            && let Some(sleeper) = self.sleepers.get(&head)
            && sleeper.until > at
            && let Some(sleeper) = self.sleepers.remove(&head)
        {
            wakes.0.push(sleeper.waker);
        }
    }

    /// A pause or another quota has moved everybody: some need not wait any longer.
    fn collect_too_late(&mut self, ledger: &mut Ledger, wakes: &mut Wakes) {
        self.sleepers.retain(|&id, sleeper| {
            let is_too_late = ledger.slot(id).is_some_and(|at| at > sleeper.latest);
            if is_too_late {
                wakes.0.push(sleeper.waker.clone());
            }
            !is_too_late
        });
    }
}
