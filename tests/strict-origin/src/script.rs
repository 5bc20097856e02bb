//! Scripted answers: what a path says first, second, third.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::FaultKind;

/// Says what requests are answered, one after the other.
///
/// A script names a path (`/repos/a/b`), with its query if that matters, and with a method before
/// it if that matters (`POST /items/1`). The most exact name wins. When its answers are used up the
/// path is served as usual; the
/// [`FaultPlan`](crate::FaultPlan) never touches a path that has a script.
///
/// ```
/// use http::StatusCode;
/// use strict_origin::{Answer, FaultKind, Reply, Script};
///
/// let script = Script::new()
///     .on("/repos/a/b", [StatusCode::SERVICE_UNAVAILABLE])
///     .on("/repos/a/c", [FaultKind::RetryAfterSeconds, FaultKind::TruncatedBody])
///     .on("/repos/a/d", [Answer::Serve, Reply::new(StatusCode::NOT_FOUND).body("gone").into()]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Script {
    answers: HashMap<String, Vec<Answer>>,
}

impl Script {
    /// Returns a script that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds answers for `path`.
    #[must_use]
    pub fn on<A: Into<Answer>>(
        mut self,
        path: impl Into<String>,
        answers: impl IntoIterator<Item = A>,
    ) -> Self {
        let lines = self.answers.entry(path.into()).or_default();
        lines.extend(answers.into_iter().map(Into::into));
        self
    }

    /// Returns the name under which a request has a script, with its answers.
    pub(crate) fn find(
        &self,
        method: &str,
        path: &str,
        query: Option<&str>,
    ) -> Option<(&str, &[Answer])> {
        let full = query.map(|query| format!("{path}?{query}"));
        let full = full.as_deref().unwrap_or(path);
        [
            format!("{method} {full}"),
            format!("{method} {path}"),
            full.to_owned(),
            path.to_owned(),
        ]
        .iter()
        .find_map(|name| self.answers.get_key_value(name))
        .map(|(name, answers)| (name.as_str(), answers.as_slice()))
    }
}

/// One answer of a [`Script`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Answer {
    /// Serves the request as usual, at the cost of one unit of quota.
    Serve,
    /// Does what the fault does, whether it fits the API or not.
    Fault(FaultKind),
    /// Gives a reply of the script's own, which costs no quota.
    Reply(Reply),
}

impl From<FaultKind> for Answer {
    fn from(kind: FaultKind) -> Self {
        Self::Fault(kind)
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<StatusCode> for Answer {
    fn from(status: StatusCode) -> Self {
        Self::Reply(Reply::new(status))
    }
}

/// A reply of a [`Script`]'s own.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) delay: Duration,
    pub(crate) wait: Option<Duration>,
}

impl Reply {
    /// Returns a reply with no headers and no body.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            delay: Duration::ZERO,
            wait: None,
        }
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// Panics if `name` is no header name or `value` no header value.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        let value: HeaderValue = value.parse().expect("a header value");
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Delays the head.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Has the score hold everyone to a wait from now on. The origin does not read the headers of a
    /// scripted reply.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_name_wins() {
        let script = Script::new()
            .on("/a", [Answer::Serve])
            .on("/a?x=1", [Answer::Serve])
            .on("POST /a", [Answer::Serve])
            .on("POST /a?x=1", [Answer::Serve]);
        let name = |method, query| script.find(method, "/a", query).map(|(name, _)| name);
        assert_eq!(name("GET", None), Some("/a"));
        assert_eq!(name("GET", Some("x=1")), Some("/a?x=1"));
        assert_eq!(name("GET", Some("x=2")), Some("/a"));
        assert_eq!(name("POST", None), Some("POST /a"));
        assert_eq!(name("POST", Some("x=1")), Some("POST /a?x=1"));
        assert!(script.find("GET", "/b", None).is_none());
    }
}
