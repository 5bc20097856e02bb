//! One error to match on.

use crate::BoxError;
use bytes::Bytes;
use egress_backoff::{BodyFailed, ErrorClass, GaveUp, RetryError, RetryInfo, WrongLength};
use egress_body_end::CapturedBody;
use egress_concurrency_limit::ConcurrencyLimitError;
use egress_time::Instant;
use egress_timeout::{Phase, TimedOut};
use egress_token_bucket::RateLimited;
use http::{HeaderMap, Method, Response, StatusCode, Uri, header::LOCATION};
use std::{error::Error as StdError, fmt, time::Duration};

/// What went wrong, for a caller to match on.
///
/// [`ErrorKind::of`] finds it in whatever error a stack returned, however deeply it is wrapped.
///
/// ```
/// use tower_egress::{Error, ErrorKind};
///
/// /// What a job does about a request that did not work.
/// fn what_now(error: &Error) -> &'static str {
///     match error.kind() {
///         ErrorKind::RateLimited { .. } => "come back when it says",
///         ErrorKind::Status(status) if status.is_client_error() => "leave it",
///         ErrorKind::Queue | ErrorKind::BodiesHeld => "look who holds the connections",
///         _ => "try again later",
///     }
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request could not be built: a bad URL, header or body, a body that failed or is of another length than it
    /// states. Nothing was sent.
    InvalidRequest,
    /// A rate limit of ours, or a pause that the server asked for, would have made the request wait too long.
    /// Nothing was sent by the attempt that failed.
    RateLimited {
        /// When it is worth trying again, from the moment of the error.
        retry_after: Duration,
    },
    /// No connection became free in time, or too many requests waited for one. Nothing was sent.
    Queue,
    /// No connection became free because responses that nobody reads hold them all: a mistake in this program, which the
    /// error names with method, host and path. Nothing was sent.
    BodiesHeld,
    /// An attempt took too long.
    TimedOut,
    /// The request's deadline has passed, or would have before it could be sent.
    DeadlineExceeded,
    /// The connection failed: not made, reset, closed.
    Transport,
    /// The server answered with another status than a successful one.
    Status(StatusCode),
    /// The response's body broke off, was cancelled because nobody read it, or is larger than was allowed.
    Body,
    /// The response's body is not what was asked for: no JSON, no UTF-8, other fields.
    Decode,
}

impl ErrorKind {
    /// Finds the kind of an error that came out of a stack.
    ///
    /// Reasons of the stack's own layers are found anywhere in the chain of sources; everything else came from
    /// the transport.
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        std::iter::successors(Some(error), |&error| error.source())
            .find_map(Self::of_one)
            .unwrap_or(Self::Transport)
    }

    fn of_one(error: &(dyn StdError + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<Error>() {
            return Some(error.kind());
        }
        if let Some(ConcurrencyLimitError::BodiesHeld { .. }) = error.downcast_ref() {
            return Some(Self::BodiesHeld);
        }
        if error.is::<WrongLength>() || error.is::<BodyFailed>() {
            return Some(Self::InvalidRequest);
        }
        crate::egress::kind_of_layer_error(error)
    }
}

/// Tells what an error of the transport says about another attempt; the default of an [`EgressBuilder`].
///
/// It knows what [`ErrorClass::of`] knows, which goes by [`std::io::Error`]. With the feature `hyper` it also asks the error of
/// hyper-util's client, on which reqwest's is built: whatever went wrong before there was a connection – a name that is
/// not found, a connect timeout, a handshake – came [before the request was sent](ErrorClass::BeforeSend), so that it can
/// be repeated whatever its method, and nothing else did.
///
/// That holds for a client that sends what it is given once. One that follows redirections by itself, as reqwest's does
/// unless it is told not to, fails to connect *after* it has sent a request elsewhere: switch that off.
///
/// [`EgressBuilder`]: crate::EgressBuilder
///
/// ```
/// use std::io;
/// use tower_egress::{BoxError, ErrorClass, classify};
///
/// let refused: BoxError = io::Error::from(io::ErrorKind::ConnectionRefused).into();
/// assert_eq!(classify(&refused), ErrorClass::BeforeSend); // a POST may be repeated, too
/// ```
pub fn classify(error: &BoxError) -> ErrorClass {
    match (ErrorClass::of(error), is_connect(&**error)) {
        (ErrorClass::Transient, Some(true)) => ErrorClass::BeforeSend,
        (ErrorClass::BeforeSend, Some(false)) => ErrorClass::Transient,
        (class, _) => class,
    }
}

/// Tells whether there was no connection yet, if that can be said.
#[cfg(all(feature = "hyper", not(target_arch = "wasm32")))]
fn is_connect(error: &(dyn StdError + 'static)) -> Option<bool> {
    use hyper_util::client::legacy;
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref::<legacy::Error>())
        .map(legacy::Error::is_connect)
}

#[cfg(not(all(feature = "hyper", not(target_arch = "wasm32"))))]
fn is_connect(_: &(dyn StdError + 'static)) -> Option<bool> {
    None
}

/// An error of the [fetch helpers](crate::FetchExt): what was asked for, what went wrong, and why.
///
/// Its text has the method, the host and the path of the request, never the query, a header or a body. What
/// the server said is in [`Error::body`]. Its `Debug` output has the transport's error too, and that may say more: reqwest's
/// has the URL with its query, unless the adapter calls `without_url`.
///
/// ```
/// use http::{Response, StatusCode};
/// use tower_egress::{ErrorKind, ResponseExt};
///
/// let mut response = Response::new(http_body_util::Empty::<bytes::Bytes>::new());
/// *response.status_mut() = StatusCode::NOT_FOUND;
/// let error = response.error_for_status().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Status(StatusCode::NOT_FOUND));
/// assert_eq!(error.retry_after(), None);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    target: Option<(Method, String)>,
    tried: Tried,
    location: Option<String>,
    body: Option<Bytes>,
    source: Option<BoxError>,
}

/// How a request was tried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tried {
    attempts: u32,
    gave_up: Option<GaveUp>,
    retry_after: Option<Duration>,
}

impl Tried {
    /// Reads what a response says; one that says nothing was sent for once.
    pub(crate) fn of_response<B>(response: &Response<B>) -> Self {
        let once = Self {
            attempts: 1,
            ..Self::default()
        };
        let info = response.extensions().get::<RetryInfo>();
        info.map_or(once, |info| Self {
            attempts: info.attempts,
            gave_up: info.gave_up,
            retry_after: info.retry_after,
        })
    }

    /// Reads what is in the chain of an error.
    fn of_error(error: &(dyn StdError + 'static)) -> Self {
        let mut tried = Self::default();
        let mut retried = None;
        let mut unsent = false;
        for error in std::iter::successors(Some(error), |&error| error.source()) {
            if let Some(error) = error.downcast_ref::<RetryError>() {
                retried = Some(error.attempts);
                tried.gave_up = error.gave_up;
            }
            if let Some(limited) = error.downcast_ref::<RateLimited>()
                && limited.retry_at < Instant::FAR_FUTURE
            {
                tried.retry_after = Some(limited.retry_after);
            }
            unsent |= error.is::<RateLimited>()
                || error.is::<ConcurrencyLimitError>()
                || error.is::<WrongLength>()
                || error.is::<BodyFailed>()
                || error
                    .downcast_ref::<TimedOut>()
                    .is_some_and(|timed_out| timed_out.phase() == Phase::Queue);
        }
        tried.attempts = retried.unwrap_or(u32::from(!unsent));
        tried
    }
}

impl Error {
    /// Makes an error of a request that was not sent.
    pub(crate) fn invalid(source: impl Into<BoxError>) -> Self {
        let kind = ErrorKind::InvalidRequest;
        Self::make(kind, Tried::default(), Some(source.into()))
    }

    /// Makes an error of a response that has arrived and cannot be used.
    pub(crate) fn of_body(kind: ErrorKind, tried: Tried, source: impl Into<BoxError>) -> Self {
        Self::make(kind, tried, Some(source.into()))
    }

    /// Wraps what a service returned.
    pub(crate) fn of_service(source: BoxError) -> Self {
        match source.downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => {
                let (kind, tried) = (ErrorKind::of(&*source), Tried::of_error(&*source));
                Self::make(kind, tried, Some(source))
            }
        }
    }

    /// Makes an error of a response whose status says that it is not what was asked for.
    pub(crate) fn of_status<B>(response: &Response<B>) -> Self {
        let tried = Tried::of_response(response);
        let mut error = Self::make(ErrorKind::Status(response.status()), tried, None);
        let captured = response.extensions().get::<CapturedBody>();
        error.0.body = captured.map(|captured| captured.bytes().clone());
        if response.status().is_redirection() {
            error.0.location = location(response.headers());
        }
        error
    }

    fn make(kind: ErrorKind, tried: Tried, source: Option<BoxError>) -> Self {
        Self(Box::new(Inner {
            kind,
            target: None,
            tried,
            location: None,
            body: None,
            source,
        }))
    }

    pub(crate) fn with_target(mut self, method: &Method, uri: &Uri) -> Self {
        let place = format!("{}{}", uri.host().unwrap_or_default(), uri.path());
        self.0.target.get_or_insert_with(|| (method.clone(), place));
        self
    }

    /// Returns what went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the status, if it is the reason.
    pub fn status(&self) -> Option<StatusCode> {
        match self.0.kind {
            ErrorKind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Returns where a redirection points to, without user, query and fragment: those may hold secrets.
    ///
    /// It is as the server wrote it, so it may be relative. Who wants to follow redirections takes the `Location` header
    /// from the response of [`send`](crate::RequestBuilder::send).
    pub fn location(&self) -> Option<&str> {
        self.0.location.as_deref()
    }

    /// Returns the first part of what the server said, if its status is the reason.
    ///
    /// It may hold what the server echoes of the request; think before you log it.
    pub fn body(&self) -> Option<&Bytes> {
        self.0.body.as_ref()
    }

    /// Returns how often the request was sent, the first time included; 0 if it never was.
    ///
    /// It takes an [`Egress`](crate::Egress) to know that of more than the last time. A deadline that passes while the
    /// request is under way does not know of the times before: then it is 1.
    pub fn attempts(&self) -> u32 {
        self.0.tried.attempts
    }

    /// Returns why the request was not tried again, if another attempt might have fared better.
    pub fn gave_up(&self) -> Option<GaveUp> {
        self.0.tried.gave_up
    }

    /// Returns when it is worth trying again: as the server said it, or a rate limit of ours, counted from the error.
    ///
    /// A server is asked only about statuses that call for another attempt, like 429 or 503; a `Retry-After` on a 404 is in
    /// the response's headers. `None` means that nobody said so, or that no time will help.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.tried.retry_after
    }
}

/// Returns where a response points to, and no more of it than may be told: nothing, where readers of URLs do not agree
/// on what is a user and what a path.
fn location(headers: &HeaderMap) -> Option<String> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    let is_odd = |character: char| character <= ' ' || character == '\\';
    if location.contains(is_odd) {
        return None;
    }
    let (place, behind) = location.split_at(location.find(['?', '#']).unwrap_or(location.len()));
    // For so short a text, a search that is quick in a long one is not worth its code.
    let slashes = place.as_bytes().windows(2).position(|two| two == b"//");
    let (scheme, rest) = match slashes.map(|at| (&place[..at], &place[at + 2..])) {
        Some((scheme, rest)) if scheme.is_empty() || scheme.ends_with(':') => (scheme, rest),
        _ => {
            let first = place.split('/').next()?;
            let is_plain = !place.is_empty() && !first.contains([':', '@']);
            return is_plain.then(|| place.to_owned());
        }
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // A user and a password stand before the last `@` of the authority.
    let host = authority.rsplit('@').next()?;
    let port = match host.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port,
        _ => "",
    };
    // What is no port may be the beginning of a password that has a `/`, `?` or `#` in it; and what is behind a first `@`
    // the rest of one.
    let is_host = !host.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    let is_cut = (host.len() < authority.len() || host.contains(':'))
        && (path.contains('@') || behind.contains('@'));
    (is_host && !is_cut).then(|| format!("{scheme}//{host}{path}"))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((method, place)) = &self.0.target {
            write!(f, "{method} {place}: ")?;
        }
        match self.0.kind {
            ErrorKind::InvalidRequest => f.write_str("the request could not be built"),
            ErrorKind::RateLimited { retry_after } => {
                write!(f, "rate limited; try again in {retry_after:?}")
            }
            ErrorKind::Queue => f.write_str("no connection became free"),
            ErrorKind::BodiesHeld => {
                f.write_str("responses that nobody reads hold all connections")
            }
            ErrorKind::TimedOut => f.write_str("timed out"),
            ErrorKind::DeadlineExceeded => f.write_str("the deadline has passed"),
            ErrorKind::Transport => f.write_str("the connection failed"),
            ErrorKind::Status(status) => write!(f, "the server answered {status}"),
            ErrorKind::Body => f.write_str("the response's body could not be read"),
            ErrorKind::Decode => f.write_str("the response's body is not what was expected"),
        }?;
        if let Some(location) = &self.0.location {
            write!(f, ", see {location}")?;
        }
        if self.0.tried.attempts > 1 {
            write!(f, " after {} attempts", self.0.tried.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("target", &self.0.target)
            .field("tried", &self.0.tried)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
#[cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::unwrap_used,
        reason = "clippy does not see that these are tests"
    )
)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_location_is_told_without_what_may_be_secret() {
        for (sent, told) in [
            ("https://h/a/b", "https://h/a/b"),
            ("https://h/a?token=x#y", "https://h/a"),
            ("https://h?token=x", "https://h"),
            ("https://h/a@b", "https://h/a@b"),
            ("https://user:x@h/a", "https://h/a"),
            ("https://a@b:x@h:1/", "https://h:1/"),
            ("//user@h/a", "//h/a"),
            ("/repositories/1", "/repositories/1"),
            ("/a//b@c?x", "/a//b@c"),
        ] {
            let headers = [(LOCATION, sent.parse().unwrap())].into_iter().collect();
            assert_eq!(location(&headers).as_deref(), Some(told), "{sent}");
        }
        for sent in [
            "?x",
            "https:user:x@h/a",
            "https:/user:x@h",
            "https:///user:x@h",
            r"https:\\user:x@h",
            r"/\user:x@h",
            "/\t/user:x@h/",
            "\t//user:x@h",
            " //user:x@h",
            "https://user:x?y@h/",
            "https://user:x#y@h/",
            "https://user:p/w@h/",
            "https://user:1/w@h/",
            "https://u@corp:1/w@h/",
            "https://u:p@1/w@h/",
            "https://user:x@y?z@h/",
            "https://user:x@h/a@b",
        ] {
            let headers = [(LOCATION, sent.parse().unwrap())].into_iter().collect();
            assert_eq!(location(&headers), None, "{sent}");
        }
        assert_eq!(location(&HeaderMap::new()), None);
    }
}
