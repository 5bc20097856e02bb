//! How each API says what is left of a quota, and that it is used up.
//!
//! - GitHub ([rate limits for the REST API][github]): `x-ratelimit-limit`, `-remaining`, `-used`,
//!   `-reset` (UTC seconds) and `-resource`; above the primary limit 403 or 429 with nothing
//!   remaining; above a secondary limit 403 with a message that says so.
//! - Anthropic ([rate limits][anthropic]): `anthropic-ratelimit-requests-limit`, `-remaining` and
//!   `-reset` (RFC 3339, when the limit is fully replenished); above it 429 `rate_limit_error` with
//!   `retry-after` in seconds.
//! - Everyone else (draft-ietf-httpapi-ratelimit-headers): `RateLimit-Policy` and `RateLimit`;
//!   above it 429.
//!
//! [github]: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
//! [anthropic]: https://docs.claude.com/en/api/rate-limits

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::RETRY_AFTER};

use crate::{
    Api,
    clock::{Moment, ceil},
    content::{self, Content},
    dates,
    errors::error,
    returns::Told,
};

/// What a response claims about the quota.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    pub(crate) window: Duration,
    /// When one more unit is there.
    pub(crate) next_unit: Duration,
    /// When all units are there.
    pub(crate) all_units: Duration,
}

/// Writes a claim in the API's headers.
///
/// Times are rounded up to the whole seconds that every dialect counts in, so that nobody is asked
/// back too early.
pub(crate) fn describe(api: Api, claim: &Claim, now: Moment, headers: &mut HeaderMap) {
    let mut set = |name: &'static str, value: String| {
        headers.insert(HeaderName::from_static(name), content::text(value));
    };
    match api {
        Api::Github | Api::GithubSearch => {
            set("x-ratelimit-limit", claim.limit.to_string());
            set("x-ratelimit-remaining", claim.remaining.to_string());
            set(
                "x-ratelimit-used",
                claim.limit.saturating_sub(claim.remaining).to_string(),
            );
            set("x-ratelimit-reset", now.epoch(claim.next_unit).to_string());
            set("x-ratelimit-resource", resource(api).to_owned());
        }
        Api::Anthropic => {
            set(
                "anthropic-ratelimit-requests-limit",
                claim.limit.to_string(),
            );
            set(
                "anthropic-ratelimit-requests-remaining",
                claim.remaining.to_string(),
            );
            set(
                "anthropic-ratelimit-requests-reset",
                dates::rfc3339(now.epoch(claim.all_units)),
            );
        }
        Api::External => {
            let (limit, window) = (claim.limit, ceil(claim.window));
            set(
                "ratelimit-policy",
                format!("\"default\";q={limit};w={window}"),
            );
            let (remaining, reset) = (claim.remaining, now.seconds_until(claim.next_unit));
            set("ratelimit", format!("\"default\";r={remaining};t={reset}"));
        }
    }
}

/// Refuses a request above the limit that has room at `back`; `forbid` chooses GitHub's 403 over
/// its 429.
pub(crate) fn over_limit(
    api: Api,
    claim: &Claim,
    back: Duration,
    now: Moment,
    forbid: bool,
) -> (Response<Content>, Told) {
    let claim = Claim {
        remaining: 0,
        next_unit: back,
        ..*claim
    };
    let status = match forbid && api.is_github() {
        true => StatusCode::FORBIDDEN,
        false => StatusCode::TOO_MANY_REQUESTS,
    };
    let mut response = error(api, status, primary_message(api));
    describe(api, &claim, now, response.headers_mut());
    let seconds = now.seconds_until(back);
    let until = match api {
        Api::Github | Api::GithubSearch => now.at_epoch(now.epoch(back)),
        Api::Anthropic | Api::External => now.at.saturating_add(Duration::from_secs(seconds)),
    };
    if api == Api::Anthropic {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    (
        response,
        Told {
            until,
            everyone: true,
        },
    )
}

/// Refuses a request because too many are under way or come too fast; GitHub calls it a secondary
/// limit.
pub(crate) fn secondary(
    api: Api,
    wait: Option<Duration>,
    now: Moment,
) -> (Response<Content>, Option<Told>) {
    let (status, message) = match api.is_github() {
        true => (StatusCode::FORBIDDEN, SECONDARY_MESSAGE),
        false => (
            StatusCode::TOO_MANY_REQUESTS,
            "Number of concurrent connections has exceeded your rate limit.",
        ),
    };
    let mut response = error(api, status, message);
    let told = wait.map(|wait| {
        let seconds = ceil(wait).max(1);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
        Told {
            until: now.at.saturating_add(Duration::from_secs(seconds)),
            everyone: true,
        }
    });
    (response, told)
}

/// The message of GitHub's secondary limit, by which clients recognise it.
const SECONDARY_MESSAGE: &str =
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";

fn primary_message(api: Api) -> &'static str {
    match api {
        Api::Github | Api::GithubSearch => "API rate limit exceeded for user ID 1.",
        Api::Anthropic => {
            "This request would exceed your organization's rate limit of requests per minute."
        }
        Api::External => "Too many requests.",
    }
}

fn resource(api: Api) -> &'static str {
    match api {
        Api::GithubSearch => "search",
        _ => "core",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment {
        at: Duration::from_millis(500),
        unix: Duration::from_millis(784_111_776_300),
    };

    fn claim() -> Claim {
        Claim {
            limit: 5,
            remaining: 3,
            window: Duration::from_millis(1_500),
            next_unit: Duration::from_millis(1_100),
            all_units: Duration::from_millis(1_900),
        }
    }

    fn headers(api: Api) -> HeaderMap {
        let mut headers = HeaderMap::new();
        describe(api, &claim(), NOW, &mut headers);
        headers
    }

    #[test]
    fn every_dialect_rounds_up() {
        let github = headers(Api::Github);
        assert_eq!(github["x-ratelimit-remaining"], "3");
        assert_eq!(github["x-ratelimit-used"], "2");
        assert_eq!(github["x-ratelimit-reset"], "784111777");
        assert_eq!(github["x-ratelimit-resource"], "core");
        assert_eq!(headers(Api::GithubSearch)["x-ratelimit-resource"], "search");
        let anthropic = headers(Api::Anthropic);
        assert_eq!(
            anthropic["anthropic-ratelimit-requests-reset"],
            "1994-11-06T08:49:38Z"
        );
        let external = headers(Api::External);
        assert_eq!(external["ratelimit-policy"], "\"default\";q=5;w=2");
        assert_eq!(external["ratelimit"], "\"default\";r=3;t=1");
    }

    #[test]
    fn nobody_is_asked_back_before_there_is_room() {
        let back = Duration::from_millis(1_101);
        for api in Api::ALL {
            let (response, told) = over_limit(api, &claim(), back, NOW, true);
            assert!(told.until >= back, "{api} tells {:?}", told.until);
            let expected = if api.is_github() { 403 } else { 429 };
            assert_eq!(response.status(), expected);
            assert_eq!(
                response.headers().contains_key(RETRY_AFTER),
                api == Api::Anthropic
            );
        }
        assert_eq!(
            over_limit(Api::Github, &claim(), back, NOW, false)
                .0
                .status(),
            429
        );
    }
}
