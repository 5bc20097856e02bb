//! The bounds of one request, and which of them is over.

use crate::{Bound, Phase, TimedOut};
use egress_context::{Failure, RequestContext};
use egress_time::Instant;
use std::time::Duration;

/// The bounds of one request in one layer.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) start: Instant,
    /// When the attempt or the request must be over; the far future where it need not.
    pub(crate) end: Instant,
    pub(crate) bound: Bound,
    pub(crate) covers_body: bool,
    /// How long the body may stall; `Duration::MAX` where it may for ever.
    pub(crate) body_idle: Duration,
    pub(crate) context: Option<RequestContext>,
    /// Which attempt this is, where they are counted.
    pub(crate) attempt: u32,
}

impl Limits {
    /// Returns those that hold for the body, if any do.
    pub(crate) fn for_body(mut self) -> Option<Self> {
        // Those who count attempts may be inside: only now it is known which one this response is of.
        if let Some(context) = &self.context {
            self.attempt = context.attempts();
        }
        if !self.covers_body {
            self.end = Instant::FAR_FUTURE;
        }
        (self.end < Instant::FAR_FUTURE || self.body_idle < Duration::MAX).then_some(self)
    }

    /// Gives the request up before its headers came, and tells those outside.
    pub(crate) fn expired_before_headers(&self, now: Instant) -> TimedOut {
        self.expired(self.phase_before_headers(), now, true)
    }

    /// Gives the body up because the attempt or the request is over, and tells those outside.
    pub(crate) fn expired_in_body(&self, now: Instant) -> TimedOut {
        self.expired(Phase::Body, now, false)
    }

    /// Gives the body up because it has stalled since `since`, and tells those outside.
    pub(crate) fn stalled(&self, since: Instant, now: Instant) -> TimedOut {
        self.fail(Failure::TimedOut);
        TimedOut {
            bound: Bound::BodyIdle,
            phase: Phase::Body,
            after: now - since,
            limit: self.body_idle,
        }
    }

    fn expired(&self, phase: Phase, now: Instant, is_present: bool) -> TimedOut {
        let failure = match self.bound {
            Bound::Deadline => Failure::DeadlineExceeded,
            Bound::Attempt | Bound::BodyIdle => Failure::TimedOut,
        };
        match &self.context {
            // Whoever waits for headers is the present attempt, or has it inside.
            Some(context) if is_present => context.fail(failure),
            _ => self.fail(failure),
        }
        TimedOut {
            bound: self.bound,
            phase,
            after: now - self.start,
            limit: self.end - self.start,
        }
    }

    fn fail(&self, failure: Failure) {
        // What is left of an old attempt's body may be read while another attempt goes on.
        if let Some(context) = &self.context
            && (self.bound == Bound::Deadline || self.attempt == context.attempts())
        {
            context.fail(failure);
        }
    }

    /// Asks the context what those inside have said of the request.
    fn phase_before_headers(&self) -> Phase {
        match (self.bound, &self.context) {
            (Bound::Deadline, Some(context)) => {
                if context.is_between_attempts() || context.failure().is_some() {
                    Phase::Retry
                } else if context.dispatched().is_some_and(|at| at >= self.start) {
                    Phase::Headers
                } else if context.attempts() > 1 {
                    Phase::Retry
                } else {
                    Phase::Queue
                }
            }
            // An attempt timeout starts when the attempt is sent.
            _ => Phase::Headers,
        }
    }
}
