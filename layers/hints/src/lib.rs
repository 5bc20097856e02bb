//! Reads what one HTTP response says about coming back, in one place.
//!
//! [`read`] takes a status, the headers, optionally the first bytes of an error body and the
//! wall-clock time, and answers with [`Hints`]: how long the server asks to be left alone, what is
//! left of a quota, whether a retry is welcome, and what kind of refusal this was. It decides
//! nothing else. Caps, deadlines, jitter and doubling belong to the caller.
//!
//! ```
//! use std::time::Duration;
//! use egress_hints::{Dialect, Limit, Source, read};
//! use http::{HeaderMap, HeaderValue, StatusCode};
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("date", HeaderValue::from_static("Sun, 22 Nov 2026 12:00:00 GMT"));
//! headers.insert("x-ratelimit-limit", HeaderValue::from_static("30"));
//! headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
//! headers.insert("x-ratelimit-reset", HeaderValue::from_static("1795348830"));
//! headers.insert("x-ratelimit-resource", HeaderValue::from_static("search"));
//!
//! // This program's clock is two minutes fast. The server's own `Date` puts that right.
//! let now = Duration::from_secs(1_795_348_920);
//! let hints = read(StatusCode::FORBIDDEN, &headers, None, now, Dialect::GitHub);
//!
//! let wait = hints.wait.expect("nothing remains until the reset");
//! // 30 s by the server's clock, and one more because the reset is in whole seconds.
//! assert_eq!(wait.after, Duration::from_secs(31));
//! assert_eq!(wait.source, Source::Reset);
//! assert_eq!(hints.limit, Some(Limit::Primary));
//! let quota = hints.quota.expect("the server described one");
//! assert_eq!((quota.limit, quota.remaining), (Some(30), Some(0)));
//! assert_eq!(quota.resource.expect("named").as_str(), "search");
//! ```
//!
//! # What decides the wait
//!
//! The first of these that says something:
//!
//! 1. `retry-after-ms`;
//! 2. `Retry-After`: seconds, with or without a fraction, or one of the three HTTP dates. It wins
//!    over every rate-limit header, as draft-ietf-httpapi-ratelimit-headers demands. On 201, 202
//!    and 3xx it speaks of one resource (an operation under way, a redirect) and is no wait;
//! 3. the reset of a quota of which nothing remains, on any status, success included; and on a
//!    refusal that leaves open which quota it was, the reset of the scarcest one;
//! 4. for GitHub only, [`SECONDARY_LIMIT_WAIT`].
//!
//! # Which headers are understood
//!
//! Every dialect reads all of them:
//!
//! - `x-ratelimit-*` and `x-rate-limit-*` (GitHub, Discord, Okta and many others);
//! - `x-ratelimit-*-requests` and `-tokens` (OpenAI);
//! - `anthropic-ratelimit-*` and `anthropic-priority-*`;
//! - the IETF draft, today's `RateLimit: "default";r=50;t=30` with its `RateLimit-Policy`, and its
//!   forerunners `RateLimit: limit=100, remaining=50, reset=30` and `RateLimit-Limit`, `-Remaining`,
//!   `-Reset`. A malformed `RateLimit` field is ignored whole, as the draft demands.
//!
//! A reset may be a number, an RFC 3339 time, an HTTP date or a duration such as `6m0s`. A number
//! below 10⁹ is seconds from now, one below 10¹² an epoch in seconds, a larger one an epoch in
//! milliseconds: nobody's reset lies before September 2001, and none is 30 years away.
//!
//! # Never early
//!
//! - A value that cannot be read is ignored. Digits too many to count are not: they saturate to
//!   [`Duration::MAX`], because a server that asks for 10⁴⁰ seconds does not ask for now.
//! - Of repeated headers the longest wait, the smallest remainder and the smallest limit count, and
//!   so does the longest of several delays and dates joined by commas in `Retry-After`. Lists in other
//!   headers are read by column: with `x-ratelimit-remaining: 0, 14523` and
//!   `x-ratelimit-reset: 1, 1419704` the short window is exhausted for one second.
//! - Fractions round up. A reset time in whole seconds may have been cut short, so one second is
//!   added to it (a millisecond to one in milliseconds). A `Retry-After` date is taken at its word.
//! - Times are measured against the response's own `Date`, which takes a wrong clock on either side
//!   out of the sum. When that differs by more than a day from the caller's clock, one of the two
//!   is broken: it is the caller's if the time lies within a day after the `Date`, and else the longer
//!   wait counts.
//! - A reset that has already passed asks for nothing. `Retry-After: 0` and a `Retry-After` date
//!   that has passed say "now", which is a wait of zero.
//! - A reply with an `Age` above zero was kept by a cache: what it says of waits and quotas is old
//!   and left out.
//!
//! # Cost
//!
//! One pass over the headers, in which a reply without rate limits meets little more than a look at two letters
//! of each name. [`says_nothing`] is that look alone, for whoever has still to get the time. Nothing allocates.
//!
//! [`Duration::MAX`]: std::time::Duration::MAX

mod hints;
mod quota;
mod read;

mod body;
mod json;

mod families;
mod family;
mod policy;
mod retry_after;
mod table;
mod tally;

mod civil;
mod clocks;
mod cursor;
mod decimal;
mod http_date;
mod rfc3339;
mod structured;
mod when;

pub use self::{
    hints::{Dialect, Hints, Limit, SECONDARY_LIMIT_WAIT, Source, Wait},
    quota::{Resource, ServerQuota, Unit},
    read::{read, says_nothing},
};
