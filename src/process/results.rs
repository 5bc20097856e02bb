//! What was worked out and nobody has consumed yet.

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

/// The result of one item, or of one chunk.
pub(super) struct Finished<R, E> {
    /// The number of the first item.
    pub(super) index: u64,
    pub(super) items: u64,
    pub(super) result: Result<R, E>,
}

/// Results on their way from the work to the consumer.
///
/// There are no wakers in it: both are polled by one future, after whatever woke that. The lock has it stay `Send`.
pub(super) struct Results<R, E>(Mutex<State<R, E>>);

struct State<R, E> {
    ready: VecDeque<Finished<R, E>>,
    /// In order: those whose turn has not come.
    early: BTreeMap<u64, Finished<R, E>>,
    /// In order: whose turn it is.
    turn: Option<u64>,
    is_closed: bool,
    taken: u64,
}

impl<R, E> Results<R, E> {
    pub(super) fn new(in_order: bool) -> Self {
        Self(Mutex::new(State {
            ready: VecDeque::new(),
            early: BTreeMap::new(),
            turn: in_order.then_some(0),
            is_closed: false,
            taken: 0,
        }))
    }

    pub(super) fn put(&self, finished: Finished<R, E>) {
        let mut state = self.lock();
        let Some(mut turn) = state.turn else {
            state.ready.push_back(finished);
            return;
        };
        state.early.insert(finished.index, finished);
        while let Some(finished) = state.early.remove(&turn) {
            turn += finished.items;
            state.ready.push_back(finished);
        }
        state.turn = Some(turn);
    }

    pub(super) fn len(&self) -> usize {
        let state = self.lock();
        state.ready.len() + state.early.len()
    }

    /// How many were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// No more will come.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Waits for the next one.
    pub(super) async fn next(&self) -> Option<Finished<R, E>> {
        poll_fn(|_| {
            let mut state = self.lock();
            match state.ready.pop_front() {
                Some(finished) => {
                    state.taken += 1;
                    Poll::Ready(Some(finished))
                }
                None if state.is_closed => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State<R, E>> {
        // There is no foreign code under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
