//! The rules for retrying a request.

use crate::{BoxError, ErrorClass, Schedule};
use egress_context::RequestHead;
use egress_hints::Dialect;
use http::{HeaderName, Method, StatusCode};
use std::{fmt, sync::Arc, time::Duration};

/// The rules for retrying a request; clones share them and cost next to nothing.
///
/// # What is retried
///
/// The methods that are idempotent ([RFC 9110, 9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)) – `GET`,
/// `HEAD`, `OPTIONS`, `TRACE`, `PUT`, `DELETE`, and `QUERY` – on a status below, on an error of the transport, and on an
/// attempt that timed out. All others only if they carry an idempotency key, if the failure came before anything was
/// sent, or if the server says `x-should-retry: true`. `x-should-retry: false` wins over everything, and so does a
/// spending limit: what is spent for the month is not there a minute later. 501 and 505 are never retried.
///
/// # Defaults
///
/// - at most 3 retries, on the waits of [`Schedule`]
/// - statuses 408, 425, 429, 500, 502, 503, 504; 529 in Anthropic's dialect; 403 when headers or body say rate limit
/// - the idempotency key is `Idempotency-Key`
/// - a server may ask for waits of up to 65 s, which is a window of a minute and what rounding and the way add to it; a
///   longer one fails at once
/// - bodies of up to 64 KiB are kept for another attempt
/// - the generic dialect of hints
/// - errors are classified by [`ErrorClass::of`]
#[derive(Clone)]
pub struct Policy(Arc<Rules>);

#[derive(Clone)]
struct Rules {
    max_retries: u32,
    schedule: Schedule,
    statuses: Vec<StatusCode>,
    idempotent: Vec<Method>,
    idempotency_key: HeaderName,
    max_hint_wait: Duration,
    max_buffered: usize,
    dialect: Dialect,
    /// None where nobody has set one.
    classify: Option<fn(&BoxError) -> ErrorClass>,
}

impl Default for Policy {
    fn default() -> Self {
        let statuses = [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        Self(Arc::new(Rules {
            max_retries: 3,
            schedule: Schedule::default(),
            statuses: statuses.into(),
            idempotent: Vec::new(),
            idempotency_key: HeaderName::from_static("idempotency-key"),
            max_hint_wait: Duration::from_secs(65),
            max_buffered: 64 * 1024,
            dialect: Dialect::Generic,
            classify: None,
        }))
    }
}

impl Policy {
    /// Makes the default policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how often a request is sent again at most; with 0 it is sent once.
    pub fn with_max_retries(self, max_retries: u32) -> Self {
        self.with(|rules| rules.max_retries = max_retries)
    }

    /// Sets the waits between attempts.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        self.with(|rules| rules.schedule = schedule)
    }

    /// Sets the statuses on which a request is sent again, instead of the default ones.
    ///
    /// A 403 that means a rate limit is treated as 429 is.
    pub fn with_statuses(self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.with(|rules| rules.statuses = statuses.into_iter().collect())
    }

    /// Treats one more method as idempotent: for an API that does no harm by doing it twice.
    pub fn with_idempotent(self, method: Method) -> Self {
        self.with(|rules| rules.idempotent.push(method))
    }

    /// Sets the header that makes any request idempotent.
    pub fn with_idempotency_key(self, header: HeaderName) -> Self {
        self.with(|rules| rules.idempotency_key = header)
    }

    /// Sets the longest wait that a server may ask for; if it asks for more, its response is returned at once.
    pub fn with_max_hint_wait(self, wait: Duration) -> Self {
        self.with(|rules| rules.max_hint_wait = wait)
    }

    /// Sets the size in bytes up to which a body is kept for another attempt.
    ///
    /// Only bodies that state their exact size are; they are read whole before anything is sent. The default of 64 KiB
    /// holds what programs say to an API, as opposed to the files that they upload, and a thousand waiting requests
    /// keep 64 MB at most.
    pub fn with_max_buffered(self, bytes: usize) -> Self {
        self.with(|rules| rules.max_buffered = bytes)
    }

    /// Sets how the server speaks of its limits.
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        self.with(|rules| rules.dialect = dialect)
    }

    /// Sets how the transport's errors are classified.
    pub fn with_classify(self, classify: fn(&BoxError) -> ErrorClass) -> Self {
        self.with(|rules| rules.classify = Some(classify))
    }

    /// Sets how the transport's errors are classified, unless that is set.
    ///
    /// For whoever knows the transport and takes the rest from a policy of the caller's.
    pub fn with_default_classify(self, classify: fn(&BoxError) -> ErrorClass) -> Self {
        self.with(|rules| _ = rules.classify.get_or_insert(classify))
    }

    fn with(mut self, set: impl FnOnce(&mut Rules)) -> Self {
        set(Arc::make_mut(&mut self.0));
        self
    }

    /// Returns how often a request is sent again at most.
    pub fn max_retries(&self) -> u32 {
        self.0.max_retries
    }

    /// Returns the waits between attempts.
    pub fn schedule(&self) -> &Schedule {
        &self.0.schedule
    }

    /// Returns the statuses on which a request is sent again, apart from the dialect's own.
    pub fn statuses(&self) -> &[StatusCode] {
        &self.0.statuses
    }

    /// Returns the header that makes any request idempotent.
    pub fn idempotency_key(&self) -> &HeaderName {
        &self.0.idempotency_key
    }

    /// Returns the longest wait that a server may ask for.
    pub fn max_hint_wait(&self) -> Duration {
        self.0.max_hint_wait
    }

    /// Returns the size in bytes up to which a body is kept for another attempt.
    pub fn max_buffered(&self) -> usize {
        self.0.max_buffered
    }

    /// Returns how the server speaks of its limits.
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// Tells whether the request may be repeated when nobody knows if the server acted on it.
    pub fn is_idempotent(&self, request: &RequestHead<'_>) -> bool {
        let method = request.method;
        method.is_idempotent()
            // Older versions of `http` do not know it.
            || method.as_str() == "QUERY"
            || self.0.idempotent.contains(method)
            || request
                .headers
                .get(&self.0.idempotency_key)
                .is_some_and(|key| !key.is_empty())
    }

    pub(crate) fn classify(&self, error: &BoxError) -> ErrorClass {
        self.0.classify.unwrap_or(ErrorClass::of)(error)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("max_retries", &self.0.max_retries)
            .field("schedule", &self.0.schedule)
            .field("statuses", &self.0.statuses)
            .field("max_hint_wait", &self.0.max_hint_wait)
            .field("max_buffered", &self.0.max_buffered)
            .field("dialect", &self.0.dialect)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// B1, B2
    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let policy = Policy::default();
        assert_eq!(policy.max_retries(), 3);
        assert_eq!(*policy.schedule(), Schedule::default());
        let statuses: Vec<_> = policy.statuses().iter().map(StatusCode::as_u16).collect();
        assert_eq!(statuses, [408, 425, 429, 500, 502, 503, 504]);
        assert_eq!(policy.idempotency_key(), "idempotency-key");
        assert_eq!(policy.max_hint_wait(), Duration::from_secs(65));
        assert_eq!(policy.max_buffered(), 64 * 1024);
        assert_eq!(policy.dialect(), Dialect::Generic);
    }

    #[test]
    fn a_setting_leaves_the_other_clones_alone() {
        let policy = Policy::default();
        let once = policy.clone().with_max_retries(0);
        assert_eq!((policy.max_retries(), once.max_retries()), (3, 0));
    }

    /// B2
    #[test]
    fn idempotent_is_what_the_method_or_a_key_says() {
        let policy = Policy::default().with_idempotent(Method::from_bytes(b"REPORT").unwrap());
        let idempotent = |method: &str, key: Option<&str>| {
            let mut request = http::Request::builder().method(method);
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            policy.is_idempotent(&RequestHead::of(&request.body(()).unwrap()))
        };
        for method in [
            "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "REPORT",
        ] {
            assert!(idempotent(method, None), "{method}");
        }
        for method in ["POST", "PATCH", "CONNECT", "LINK"] {
            assert!(!idempotent(method, None), "{method}");
            assert!(!idempotent(method, Some("")), "{method} with an empty key");
            assert!(idempotent(method, Some("8e03978e")), "{method} with a key");
        }
    }
}
