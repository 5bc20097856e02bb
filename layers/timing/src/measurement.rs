//! The guard that records a request exactly once.

use crate::{Outcome, Recorder, sample::Sample};
use egress_body_end::{BodyEnd, OnBodyEnd, has_body};
use egress_context::{Failure, RequestContext};
use egress_time::{Clock, Instant};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use std::{fmt, time::Duration};

/// Measures one request; records it when told how it ended, or else when dropped.
///
/// The future carries it until the response is there, then the body does.
pub(crate) struct Measurement<T: Clock> {
    clock: T,
    recorder: Recorder,
    label: Option<usize>,
    method: Method,
    context: RequestContext,
    /// What the context had counted before: an outer layer may have made it, for more than this request.
    before: Waits,
    start: Instant,
    response: Option<Headers>,
    recorded: bool,
}

#[derive(Clone, Copy)]
struct Waits {
    rate: Duration,
    queue: Duration,
    attempts: u32,
}

#[derive(Clone, Copy, Debug)]
struct Headers {
    at: Instant,
    after: Duration,
    status: StatusCode,
}

impl<T: Clock> Measurement<T> {
    pub(crate) fn start<B>(
        clock: T,
        recorder: Recorder,
        label: Option<usize>,
        request: &mut Request<B>,
    ) -> Self {
        let context = RequestContext::join(request.extensions_mut());
        Self {
            label,
            method: request.method().clone(),
            before: Waits::of(&context),
            context,
            start: clock.now(),
            recorder,
            clock,
            response: None,
            recorded: false,
        }
    }

    /// Takes note of the response's headers, and records the request if nothing comes after them.
    pub(crate) fn on_response<B: Body>(&mut self, response: &Response<B>) {
        let status = response.status();
        let at = self.clock.now();
        self.response = Some(Headers {
            at,
            after: at - self.sent().unwrap_or(self.start),
            status,
        });
        if response.body().is_end_stream() || !has_body(&self.method, status) {
            self.record(at, BodyEnd::Complete);
        }
    }

    /// Records the request, which ends without a response.
    pub(crate) fn on_error(&mut self) {
        self.record(self.clock.now(), BodyEnd::Failed);
    }

    fn record(&mut self, now: Instant, end: BodyEnd) {
        self.recorded = true;
        let outcome = self.outcome(end);
        let waits = Waits::of(&self.context);
        let headers = match self.response {
            Some(response) => Some(response.after),
            // What is refused waits for no answer, even if an earlier attempt was sent.
            None if outcome == Outcome::Refused => None,
            None => self.sent().map(|sent| now - sent),
        };
        let sample = Sample {
            outcome,
            abandoned: outcome == Outcome::Cancelled && self.response.is_some(),
            attempts: waits.attempts.saturating_sub(self.before.attempts).max(1),
            rate_wait: waits.rate.saturating_sub(self.before.rate),
            queue_wait: waits.queue.saturating_sub(self.before.queue),
            headers,
            body: self.response.map(|response| now - response.at),
            total: now - self.start,
        };
        self.recorder.record(self.label, now, &sample);
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
            (_, Some(Failure::TimedOut | Failure::DeadlineExceeded)) => Outcome::TimedOut,
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
