//! The order in which the parts of a response are asked.

use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};

use crate::{
    Dialect, Hints, Limit, SECONDARY_LIMIT_WAIT, Source, Wait, body as error_body,
    clocks::Clocks,
    families::Families,
    family::{Family, Figure},
    policy::{self, Policies},
    retry_after,
    tally::Tally,
};

/// Reads everything that one response says about coming back.
///
/// `body` is the beginning of an error body, a few KiB, if somebody captured it: it tells GitHub's
/// limits from a missing permission, and an empty purse from a busy minute. Without it a 403 from
/// GitHub is a limit only if the headers say so. `unix_now` is the caller's wall-clock time since the
/// Unix epoch; a believable `Date` in the response takes its place.
///
/// Nothing that a server can send makes it panic or overflow.
pub fn read(
    status: StatusCode,
    headers: &HeaderMap,
    body: Option<&[u8]>,
    unix_now: Duration,
    dialect: Dialect,
) -> Hints {
    let clocks = Clocks::new(headers, unix_now);
    let mut found = Found::nothing(headers);
    found.scan(&clocks);
    if found.is_nothing && body.is_none() && !is_refusal(status) {
        return Hints::default();
    }
    let cached = found.age && retry_after::cached(headers);
    let (told, tally) = match cached {
        true => (None, Tally::default()),
        false => (found.told(status, &clocks), found.tally(&clocks)),
    };

    let said = body.and_then(|body| error_body::limit(status, body, dialect));
    let limit = said.or_else(|| bare_limit(status, tally.is_exhausted(), told.is_some(), dialect));
    // A refusal by a limit that the headers may describe; the others have nothing to do with them.
    let refused = matches!(limit, Some(Limit::Primary | Limit::RateLimit));
    let wait = told
        .or_else(|| tally.wait(refused))
        .or_else(|| unnamed_wait(limit, dialect).filter(|_| !cached));
    Hints {
        wait,
        quota: tally.primary(refused),
        should_retry: found.should_retry(),
        cached,
        limit,
    }
}

/// Tells at next to no cost that a response says nothing about coming back: that [`read`] without a body would find
/// nothing, in any dialect.
///
/// So it is with most replies of servers that have no limits to tell of. It takes one look at each header's name.
pub fn says_nothing(status: StatusCode, headers: &HeaderMap) -> bool {
    !is_refusal(status)
        && !headers
            .keys()
            .map(HeaderName::as_str)
            .any(|name| may_matter(name) && matters(name))
}

/// Tells by a few bytes of a header's name that it is none of those that [`matters`] knows.
fn may_matter(name: &str) -> bool {
    // `age`, `anthropic-`, `ratelimit`, `retry-after`, `x-ratelimit`, `x-rate-limit`, `x-should-retry`
    matches!(
        name.as_bytes(),
        [b'a', b'g' | b'n', ..] | [b'r', b'a' | b'e', ..] | [b'x', _, b'r' | b's', ..]
    )
}

fn matters(name: &str) -> bool {
    matches!(
        name,
        "retry-after"
            | retry_after::RETRY_AFTER_MS
            | retry_after::SHOULD_RETRY
            | "age"
            | policy::RATE_LIMIT
    ) || policy::POLICY_HEADERS.contains(&name)
        || Family::recognise(name).is_some()
}

/// Whether a status says something by itself.
fn is_refusal(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || is_overload(status)
}

/// 503, and 529 of Anthropic's making.
fn is_overload(status: StatusCode) -> bool {
    const OVERLOADED: u16 = 529;
    status == StatusCode::SERVICE_UNAVAILABLE || status.as_u16() == OVERLOADED
}

/// What status and headers say where the body is silent.
fn bare_limit(status: StatusCode, exhausted: bool, told: bool, dialect: Dialect) -> Option<Limit> {
    let unnamed = if dialect == Dialect::GitHub {
        Limit::Secondary
    } else {
        Limit::RateLimit
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN if exhausted => Some(Limit::Primary),
        StatusCode::TOO_MANY_REQUESTS => Some(unnamed),
        StatusCode::FORBIDDEN if told => Some(unnamed),
        _ if is_overload(status) => Some(Limit::Overloaded),
        _ => None,
    }
}

/// GitHub's rule for a refusal that names no time.
fn unnamed_wait(limit: Option<Limit>, dialect: Dialect) -> Option<Wait> {
    let refused =
        dialect == Dialect::GitHub && matches!(limit, Some(Limit::Primary | Limit::Secondary));
    refused.then_some(Wait {
        after: SECONDARY_LIMIT_WAIT,
        source: Source::SecondaryLimit,
    })
}

/// What one pass over the headers finds. Figures are read on the way; the rarer fields are noted and
/// looked up later.
struct Found<'a> {
    headers: &'a HeaderMap,
    is_nothing: bool,
    retry_after: bool,
    should_retry: bool,
    age: bool,
    service_limits: bool,
    families: Families,
    policies: Policies<'a>,
}

impl<'a> Found<'a> {
    fn nothing(headers: &'a HeaderMap) -> Self {
        Self {
            headers,
            is_nothing: true,
            retry_after: false,
            should_retry: false,
            age: false,
            service_limits: false,
            families: Families::default(),
            policies: Policies::default(),
        }
    }

    fn scan(&mut self, clocks: &Clocks<'_>) {
        for (name, value) in self.headers {
            let name = name.as_str();
            if may_matter(name) {
                let known = self.note(name, value.as_bytes(), clocks);
                self.is_nothing &= !known;
            }
        }
    }

    /// Takes one line; returns whether its header means anything here.
    fn note(&mut self, name: &str, line: &'a [u8], clocks: &Clocks<'_>) -> bool {
        match name {
            "retry-after" | retry_after::RETRY_AFTER_MS => self.retry_after = true,
            retry_after::SHOULD_RETRY => self.should_retry = true,
            "age" => self.age = true,
            policy::RATE_LIMIT => self.service_limits = true,
            _ if policy::POLICY_HEADERS.contains(&name) => self.policies.add(line),
            _ => {
                let Some((family, figure)) = Family::recognise(name) else {
                    return false;
                };
                self.families.add(family, figure, line, clocks);
                // Early drafts explain a limit where it stands: `RateLimit-Limit: 100, 100;w=60`.
                if figure == Figure::Limit && line.contains(&b';') {
                    self.policies.add(line);
                }
            }
        }
        true
    }

    fn told(&self, status: StatusCode, clocks: &Clocks<'_>) -> Option<Wait> {
        let asked = self.retry_after && retry_after::speaks_of_the_server(status);
        asked
            .then(|| retry_after::wait(self.headers, clocks))
            .flatten()
    }

    fn tally(&self, clocks: &Clocks<'_>) -> Tally {
        let Self {
            headers, policies, ..
        } = self;
        let mut tally = Tally::default();
        self.families.quotas(policies, |quota| tally.add(quota));
        if self.service_limits {
            // A malformed field counts for nothing, not even for what stands before the mistake.
            let mut whole = tally.clone();
            let read = policy::service_limits(headers, policies, clocks, |quota| whole.add(quota));
            if read.is_some() {
                tally = whole;
            }
        }
        tally
    }

    fn should_retry(&self) -> Option<bool> {
        self.should_retry
            .then(|| retry_after::should_retry(self.headers))
            .flatten()
    }
}
