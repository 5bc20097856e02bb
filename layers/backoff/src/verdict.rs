//! What an outcome says about another attempt, before any limit is looked at.

use crate::{BoxError, Cause, ErrorClass, Policy};
use egress_body_end::CapturedBody;
use egress_context::Failure;
use egress_hints::{Dialect, Hints, Limit, Wait};
use http::{Response, StatusCode};
use std::time::Duration;

/// What an outcome says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does not call for one.
    Settled,
    /// It would, if the server did not say that it is pointless.
    Final,
    /// It does.
    Retry {
        cause: Cause,
        /// Whether a method that is not idempotent may be repeated as well.
        any_method: bool,
    },
}

impl Verdict {
    /// Judges a response with an error status; also returns the wait that its server asks for.
    pub(crate) fn of_response<R>(
        policy: &Policy,
        response: &Response<R>,
        unix_now: Duration,
    ) -> (Self, Option<Wait>) {
        let captured = response.extensions().get::<CapturedBody>();
        let hints = egress_hints::read(
            response.status(),
            response.headers(),
            captured.map(|body| &body.bytes()[..]),
            unix_now,
            policy.dialect(),
        );
        (
            Self::of_hints(policy, response.status(), &hints),
            hints.wait,
        )
    }

    fn of_hints(policy: &Policy, status: StatusCode, hints: &Hints) -> Self {
        if hints.limit == Some(Limit::SpendCap) {
            return Self::Final;
        }
        // What a server cannot do it cannot do a second later.
        if matches!(
            status,
            StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED
        ) {
            return Self::Settled;
        }
        match (is_listed(policy, status, hints), hints.should_retry) {
            (true, Some(false)) => Self::Final,
            (true, None) | (_, Some(true)) => Self::Retry {
                cause: cause(status, hints),
                any_method: hints.should_retry == Some(true),
            },
            (false, _) => Self::Settled,
        }
    }

    /// Judges an error; `failure` is what a layer further in says of it.
    pub(crate) fn of_error(policy: &Policy, error: &BoxError, failure: Option<Failure>) -> Self {
        let class = match failure {
            None => policy.classify(error),
            Some(Failure::TimedOut) => ErrorClass::Transient,
            // Who refused it has waited for as long as it may, and who ran out of time has no more of it.
            Some(_) => ErrorClass::Fatal,
        };
        match class {
            ErrorClass::Fatal => Self::Settled,
            ErrorClass::BeforeSend | ErrorClass::Transient => Self::Retry {
                cause: Cause::Transient,
                any_method: class == ErrorClass::BeforeSend,
            },
        }
    }
}

fn is_listed(policy: &Policy, status: StatusCode, hints: &Hints) -> bool {
    let listed = |status| policy.statuses().contains(&status);
    match status.as_u16() {
        403 => hints.limit.is_some() && listed(StatusCode::TOO_MANY_REQUESTS),
        529 => policy.dialect() == Dialect::Anthropic || listed(status),
        _ => listed(status),
    }
}

fn cause(status: StatusCode, hints: &Hints) -> Cause {
    // By its status an overload, but a proxy without a backend says the same.
    let vague = status == StatusCode::SERVICE_UNAVAILABLE;
    if hints.wait.is_some() || (hints.limit.is_some() && !vague) {
        Cause::Throttled
    } else {
        Cause::Transient
    }
}
