//! What each fault looks like on the wire.

use std::time::Duration;

use http::{
    HeaderName, Response, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use serde_json::json;

use crate::{
    Api, FaultKind, FaultPlan,
    clock::{Moment, ceil},
    content::{self, Content},
    dates, dialect, errors,
    returns::Told,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Writes the response of a fault that has one of its own, and the wait that it asks for.
pub(crate) fn respond(
    kind: FaultKind,
    api: Api,
    plan: &FaultPlan,
    now: Moment,
) -> (Response<Content>, Option<Told>) {
    let back = now.at.saturating_add(plan.wait());
    let seconds = ceil(plan.wait()).max(1);
    let epoch = now.epoch(back);
    let in_seconds = Some(now.at.saturating_add(Duration::from_secs(seconds)));
    let at_epoch = Some(now.at_epoch(epoch));
    let everyone = |until: Option<Duration>| {
        until.map(|until| Told {
            until,
            everyone: true,
        })
    };
    let throttle = |headers: &[(HeaderName, String)]| {
        let message = "Too many requests. Slow down.";
        with(
            errors::error(api, StatusCode::TOO_MANY_REQUESTS, message),
            headers,
        )
    };
    let unavailable = |hint: &str| {
        let response = errors::error(api, StatusCode::SERVICE_UNAVAILABLE, "Service unavailable.");
        with(response, &[(RETRY_AFTER, hint.to_owned())])
    };
    let named = HeaderName::from_static;
    match kind {
        FaultKind::SecondaryLimit => dialect::secondary(api, Some(plan.wait()), now),
        FaultKind::SecondaryLimitSilent => dialect::secondary(api, None, now),
        FaultKind::RetryAfterSeconds => (
            throttle(&[(RETRY_AFTER, seconds.to_string())]),
            everyone(in_seconds),
        ),
        FaultKind::RetryAfterImfDate => (
            throttle(&[(RETRY_AFTER, dates::imf(epoch))]),
            everyone(at_epoch),
        ),
        FaultKind::RetryAfterRfc850Date => (
            throttle(&[(RETRY_AFTER, dates::rfc850(epoch))]),
            everyone(at_epoch),
        ),
        FaultKind::RetryAfterAsctimeDate => (
            throttle(&[(RETRY_AFTER, dates::asctime(epoch))]),
            everyone(at_epoch),
        ),
        FaultKind::RetryAfterMs => {
            let millis = plan.wait().as_micros().div_ceil(1_000).max(1);
            let wait = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
            let until = now.at.saturating_add(wait);
            (
                throttle(&[(named("retry-after-ms"), millis.to_string())]),
                everyone(Some(until)),
            )
        }
        FaultKind::EpochReset => (throttle(&used_up(epoch)), everyone(at_epoch)),
        FaultKind::DeltaReset => (throttle(&used_up(seconds)), everyone(in_seconds)),
        FaultKind::Rfc3339Reset => {
            let headers = [
                (
                    named("anthropic-ratelimit-requests-remaining"),
                    "0".to_owned(),
                ),
                (
                    named("anthropic-ratelimit-requests-reset"),
                    dates::rfc3339(epoch),
                ),
            ];
            (throttle(&headers), everyone(at_epoch))
        }
        FaultKind::IetfRateLimit => {
            let hint = format!("\"default\";r=0;t={seconds}");
            (
                throttle(&[(named("ratelimit"), hint)]),
                everyone(in_seconds),
            )
        }
        FaultKind::ClockAhead | FaultKind::ClockBehind => {
            let skewed = |epoch: u64| match kind {
                FaultKind::ClockAhead => epoch.saturating_add(HOUR.as_secs()),
                _ => epoch.saturating_sub(HOUR.as_secs()),
            };
            let mut headers = vec![(DATE, dates::imf(skewed(now.unix.as_secs())))];
            match api.is_github() {
                true => headers.extend(used_up(skewed(epoch))),
                false => headers.push((RETRY_AFTER, dates::imf(skewed(epoch)))),
            }
            (throttle(&headers), everyone(at_epoch))
        }
        FaultKind::SpendLimit => {
            let body = json!({
                "type": "error",
                "error": {
                    "type": "rate_limit_error",
                    "message": "You have reached your specified API usage limits.",
                    "details": { "error_code": "enforced_spend_limit_reached" },
                },
            });
            (content::json(StatusCode::TOO_MANY_REQUESTS, &body), None)
        }
        FaultKind::BadGateway => (
            errors::error(api, StatusCode::BAD_GATEWAY, "Bad gateway."),
            None,
        ),
        FaultKind::Unavailable => (
            errors::error(api, StatusCode::SERVICE_UNAVAILABLE, "Service unavailable."),
            None,
        ),
        FaultKind::UnavailableRetryAfter => {
            let told = in_seconds.map(|until| Told {
                until,
                everyone: false,
            });
            (unavailable(&seconds.to_string()), told)
        }
        FaultKind::Overloaded => {
            let status = StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            (errors::error(api, status, "Overloaded"), None)
        }
        FaultKind::LargeError => {
            let mut response = Response::new(Content::filling(plan.error_size()));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            (response, None)
        }
        FaultKind::NegativeRetryAfter => (unavailable("-1"), None),
        FaultKind::GarbageRetryAfter => (unavailable("soon"), None),
        FaultKind::HugeRetryAfter => (unavailable(&"9".repeat(40)), None),
        FaultKind::ZeroRetryAfter => (unavailable("0"), None),
        FaultKind::PastRetryAfter => {
            let past = now.unix.saturating_sub(HOUR).as_secs();
            (unavailable(&dates::imf(past)), None)
        }
        // What is left is 500; the kinds that serve or hang up have no response of their own.
        _ => (
            errors::error(api, StatusCode::INTERNAL_SERVER_ERROR, "Server error."),
            None,
        ),
    }
}

fn used_up(reset: u64) -> [(HeaderName, String); 2] {
    [
        (
            HeaderName::from_static("x-ratelimit-remaining"),
            "0".to_owned(),
        ),
        (
            HeaderName::from_static("x-ratelimit-reset"),
            reset.to_string(),
        ),
    ]
}

fn with(mut response: Response<Content>, headers: &[(HeaderName, String)]) -> Response<Content> {
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, content::text(value.as_str()));
    }
    response
}
