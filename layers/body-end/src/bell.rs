//! A waker that remembers.

use crate::{is_look, looking};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Stands between a pending body and the task that waits for it, and remembers whether the body has woken the task.
///
/// An owner that polled a body once, got nothing, and then forgot it looks like one that waits. The difference shows
/// when there is something: who waits is woken and comes back, who forgot does not. A body that has rung and is not
/// polled is unread; one that has not is merely slow.
pub struct Bell {
    owner: Waker,
    // Relaxed: it orders nothing, and who reads it looks back over seconds.
    has_rung: AtomicBool,
}

impl Bell {
    /// Polls with a waker that rings `bell`, which is made when it is first needed: when something is pending.
    ///
    /// Until then nothing is allocated: a first poll is a mere [look](looking), and only what is pending is polled once
    /// more. An owner that itself does no more than look hangs no bell, and takes down one that hangs.
    pub fn poll<T>(
        bell: &mut Option<Arc<Self>>,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if is_look(cx) {
            *bell = None;
            return poll(cx);
        }
        if bell.is_none() {
            let ready = poll(&mut Context::from_waker(looking()));
            if ready.is_ready() {
                return ready;
            }
        }
        let bell = match bell {
            Some(bell) if bell.owner.will_wake(cx.waker()) => bell,
            bell => bell.insert(Arc::new(Self {
                owner: cx.waker().clone(),
                has_rung: AtomicBool::new(false),
            })),
        };
        // Before the poll, which may ring itself.
        bell.has_rung.store(false, Relaxed);
        poll(&mut Context::from_waker(&Waker::from(Arc::clone(bell))))
    }

    /// Tells whether the owner was woken since it last polled.
    pub fn has_rung(&self) -> bool {
        self.has_rung.load(Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Relaxed);
        self.owner.wake_by_ref();
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell")
            .field("has_rung", &self.has_rung())
            .finish_non_exhaustive()
    }
}
