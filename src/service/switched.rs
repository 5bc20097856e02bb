//! The stacks in which something is switched off.

use super::{Cleanup, Stack, cleanup, stack};
use crate::{
    Switch,
    egress::Handles,
    switch::{Decide, Off},
};
use egress_time::Timer;
use std::sync::{Arc, Mutex, PoisonError};

/// The stacks for requests that something is switched off for.
///
/// The clones of a service share them: most callers clone it for each request, and each would make them anew.
pub(super) struct Switched<S, B, T: Timer, X> {
    pub(super) switches: Arc<dyn Decide>,
    pub(super) timer: T,
    stacks: Mutex<Stacks<S, B, T, X>>,
}

struct Stacks<S, B, T: Timer, X> {
    handles: Handles<T, X>,
    /// Forgotten bodies are found whatever else is off.
    cleanup: Cleanup<B, T, X>,
    /// Those that were needed last, the newest at the end, and what is off in each. None has a tally.
    made: Vec<(Off, Stack<S, B, T, X>)>,
}

/// How many stacks are kept beside the one with everything on: what two flags that are on for a share need, and one more.
const MAX_STACKS: usize = 4;

impl<S, B, T: Timer, X: Clone> Switched<S, B, T, X> {
    /// Has no stack yet.
    pub(super) fn new(
        switches: Arc<dyn Decide>,
        handles: &Handles<T, X>,
        cleanup: &Cleanup<B, T, X>,
    ) -> Self {
        Self {
            switches,
            timer: handles.timer.clone(),
            stacks: Mutex::new(Stacks {
                handles: handles.clone(),
                cleanup: cleanup.clone(),
                made: Vec::new(),
            }),
        }
    }
}

impl<S: Clone, B, T: Timer, X: Clone> Switched<S, B, T, X> {
    /// Returns one of its own to whoever sends a request. The lock is held for as long as it takes to clone or to make one.
    pub(super) fn stack(&self, off: Off, client: &S) -> Stack<S, B, T, X> {
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        let known = stacks.made.iter().position(|(of, _)| *of == off);
        if let Some(place) = known {
            let needed = &mut stacks.made[place..];
            needed.rotate_left(1);
            return needed[needed.len() - 1].1.clone();
        }
        let stack = stacks.make(off, client);
        let oldest = (stacks.made.len() == MAX_STACKS).then(|| stacks.made.remove(0));
        stacks.made.push((off, stack.clone()));
        // Outside the lock: it holds a client, which is foreign code.
        drop(stacks);
        drop(oldest);
        stack
    }
}

impl<S: Clone, B, T: Timer, X: Clone> Stacks<S, B, T, X> {
    fn make(&self, off: Off, client: &S) -> Stack<S, B, T, X> {
        let handles = self.handles.without(off);
        if off.has(Switch::Cleanup) {
            stack(&handles, &cleanup(&handles), client.clone())
        } else {
            stack(&handles, &self.cleanup, client.clone())
        }
    }
}
