//! What a request waited for.

use egress_context::RequestContext;
use egress_time::{Clock, Instant};
use std::time::Duration;

/// Measures the waits of one request and tells its context, also when it is dropped while it waits.
#[derive(Debug)]
pub(crate) struct Waits<C: Clock> {
    context: Option<RequestContext>,
    clock: C,
    present: Option<(For, Instant)>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum For {
    Slot,
    InnerService,
}

impl<C: Clock> Waits<C> {
    pub(crate) const fn new(context: Option<RequestContext>, clock: C) -> Self {
        Self {
            context,
            clock,
            present: None,
        }
    }

    pub(crate) const fn context(&self) -> Option<&RequestContext> {
        self.context.as_ref()
    }

    /// One wait is over and another begins.
    pub(crate) fn begin(&mut self, what: For, now: Instant) {
        self.end(now);
        if self.context.is_some() {
            self.present = Some((what, now));
        }
    }

    /// There is nothing more to wait for.
    pub(crate) fn stop(&mut self) {
        if self.present.is_some() {
            self.end(self.clock.now());
        }
    }

    /// The wait is over.
    pub(crate) fn end(&mut self, now: Instant) {
        let Some((what, since)) = self.present.take() else {
            return;
        };
        let waited = now - since;
        if let Some(context) = &self.context
            && waited > Duration::ZERO
        {
            match what {
                For::Slot => context.add_rate_wait(waited),
                For::InnerService => context.add_queue_wait(waited),
            }
        }
    }
}

impl<C: Clock> Drop for Waits<C> {
    fn drop(&mut self) {
        self.stop();
    }
}
