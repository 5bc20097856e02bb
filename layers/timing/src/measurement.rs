//! The guard that records a request exactly once.

use crate::{Label, Outcome, Recorder, Tally, sample::Sample};
use egress_body_end::{BodyEnd, BodyRule, OnBodyEnd};
use egress_context::{Failure, RequestContext, RequestHead};
use egress_time::{Clock, Instant};
use http::{Request, Response, StatusCode};
use http_body::Body;
use std::{fmt, time::Duration};

/// Measures one request; records it when told how it ended, or else when dropped.
///
/// The future carries it until the response is there, then the body does. Both are moved often: it is kept small.
pub(crate) struct Measurement<T: Clock> {
    clock: T,
    recorder: Recorder,
    tally: Option<Tally>,
    context: RequestContext,
    start: Instant,
    /// What the context had counted before, if an outer layer had made it for more than this request.
    before: Option<Box<Waits>>,
    label: u32,
    rule: BodyRule,
    recorded: bool,
    response: Option<Headers>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Waits {
    rate: Duration,
    queue: Duration,
    attempts: u32,
}

#[derive(Clone, Copy, Debug)]
struct Headers {
    at: Instant,
    sent: Instant,
    status: StatusCode,
}

impl<T: Clock> Measurement<T> {
    pub(crate) fn start<B>(
        clock: T,
        recorder: Recorder,
        tally: Option<Tally>,
        label: &impl Label,
        request: &mut Request<B>,
    ) -> Self {
        let context = RequestContext::join(request.extensions_mut());
        let label = label.label(&RequestHead::of(request));
        let before = Waits::of(&context);
        Self {
            // An index that does not fit is beyond all labels.
            label: label
                .and_then(|label| label.try_into().ok())
                .unwrap_or(u32::MAX),
            rule: BodyRule::of(request.method()),
            before: (before != Waits::default()).then(|| Box::new(before)),
            start: context.now(&clock),
            context,
            recorder,
            tally,
            clock,
            response: None,
            recorded: false,
        }
    }

    /// Calls what is measured.
    pub(crate) fn during<R>(&self, call: impl FnOnce() -> R) -> R {
        self.context.during(self.start, call)
    }

    /// Takes note of the response's headers, and records the request if nothing comes after them.
    pub(crate) fn on_response<B: Body>(&mut self, response: &Response<B>) {
        let status = response.status();
        let at = self.clock.now();
        self.response = Some(Headers {
            at,
            sent: self.sent().unwrap_or(self.start),
            status,
        });
        if let Some(tally) = &self.tally {
            let sample = self.sample(at, BodyEnd::Complete);
            tally.answer(&self.recorder, self.label(), &sample);
        }
        if response.body().is_end_stream() || !self.rule.allows(status) {
            self.record(at, BodyEnd::Complete);
        }
    }

    /// Records the request, which ends without a response.
    pub(crate) fn on_error(&mut self) {
        self.record(self.clock.now(), BodyEnd::Failed);
    }

    fn record(&mut self, now: Instant, end: BodyEnd) {
        self.recorded = true;
        let (label, sample) = (self.label(), self.sample(now, end));
        self.recorder.record(label, now, &sample);
        if let Some(tally) = &self.tally {
            if self.response.is_none() {
                tally.answer(&self.recorder, label, &sample);
            }
            tally.end(&self.recorder, label, &sample);
        }
    }

    fn sample(&self, now: Instant, end: BodyEnd) -> Sample {
        let outcome = self.outcome(end);
        let waits = Waits::of(&self.context);
        let before = self.before.as_deref().copied().unwrap_or_default();
        let headers = match self.response {
            Some(response) => Some(response.at - response.sent),
            // What is refused waits for no answer, even if an earlier attempt was sent.
            None if outcome == Outcome::Refused => None,
            None => self.sent().map(|sent| now - sent),
        };
        Sample {
            outcome,
            abandoned: outcome == Outcome::Cancelled && self.response.is_some(),
            attempts: match waits.attempts.saturating_sub(before.attempts) {
                // Nobody counts; what was answered, or not refused, was sent.
                0 if self.response.is_some()
                    || !self.context.failure().is_some_and(Failure::is_unsent) =>
                {
                    1
                }
                attempts => attempts,
            },
            rate_wait: waits.rate.saturating_sub(before.rate),
            queue_wait: waits.queue.saturating_sub(before.queue),
            headers,
            body: self.response.map(|response| now - response.at),
            total: now - self.start,
        }
    }

    fn label(&self) -> Option<usize> {
        usize::try_from(self.label).ok()
    }

    fn outcome(&self, end: BodyEnd) -> Outcome {
        // Callers look at the status of an error and drop the rest. That is no cancel, and the status says more.
        if self
            .response
            .is_some_and(|headers| headers.status.as_u16() >= 400)
        {
            return Outcome::HttpError;
        }
        match (end, self.context.failure()) {
            (BodyEnd::Complete, _) => Outcome::Ok,
            (BodyEnd::Dropped, _) => Outcome::Cancelled,
            (_, Some(Failure::Refused)) => Outcome::Refused,
            (_, Some(Failure::TimedOut | Failure::DeadlineExceeded | Failure::DeadlineTooSoon)) => {
                Outcome::TimedOut
            }
            _ => Outcome::Failed,
        }
    }

    /// Returns when the last attempt of this request went out, if a layer inside has said so.
    fn sent(&self) -> Option<Instant> {
        self.context.dispatched().filter(|at| *at >= self.start)
    }
}

impl<T: Clock> OnBodyEnd for Measurement<T> {
    fn on_body_end(mut self, end: BodyEnd) {
        if !self.recorded {
            self.record(self.clock.now(), end);
        }
    }
}

impl<T: Clock> Drop for Measurement<T> {
    fn drop(&mut self) {
        if !self.recorded {
            self.record(self.clock.now(), BodyEnd::Dropped);
        }
    }
}

impl<T: Clock> fmt::Debug for Measurement<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measurement")
            .field("start", &self.start)
            .field("response", &self.response)
            .field("recorded", &self.recorded)
            .finish_non_exhaustive()
    }
}

impl Waits {
    fn of(context: &RequestContext) -> Self {
        Self {
            rate: context.rate_wait(),
            queue: context.queue_wait(),
            attempts: context.attempts(),
        }
    }
}
