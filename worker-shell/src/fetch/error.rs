//! Why a fetch failed.

use http::Uri;
use std::{error::Error, fmt, io};
use tower_egress::BoxError;

/// Why a fetch failed, or the body of its response: plain data that can be sent anywhere.
///
/// Its text has the runtime's message, without the query and the user of the request's URL. Its source is a [`std::io::Error`]
/// of the kind that a native client would have met, by which [`ErrorClass::of`](tower_egress::ErrorClass::of) tells what may be
/// tried again; or the error of the request's body.
#[derive(Debug)]
pub struct FetchError {
    kind: FetchErrorKind,
    message: Box<str>,
    source: BoxError,
}

/// Why a fetch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// It was aborted, and not by its future, which would not know: the invocation was ended.
    Aborted,
    /// The runtime has waited long enough.
    TimedOut,
    /// The connection was refused, reset or closed. Which of them, the runtime does not say.
    ConnectionLost,
    /// The host's name is not known.
    Dns,
    /// The request cannot be sent: no absolute URL, a header that is no text, a GET with a body.
    InvalidRequest,
    /// A redirection asks for a body that was streamed and is gone, or leads to no place; or there were too many.
    Redirect,
    /// The body of the request failed.
    RequestBody,
    /// What came back is no response: a status or a header that cannot be.
    InvalidResponse,
    /// Something else.
    Other,
}

/// What the runtime says of redirections. (A scheme that it cannot load is one's: that of a request was looked at.)
const OF_REDIRECTIONS: [&str; 4] = [
    "Too many redirects",
    "one-time-use body",
    "Invalid Location header",
    "cannot load",
];

impl FetchErrorKind {
    /// Tells by the name and the message of a JavaScript error, and by nothing in it that a server has said: the runtime
    /// names URLs of redirections.
    fn of(name: &str, message: &str) -> Self {
        let said = before_url(message);
        let has = |part| find(said, part).is_some();
        match name {
            "AbortError" => Self::Aborted,
            "TimeoutError" => Self::TimedOut,
            "TypeError" if OF_REDIRECTIONS.into_iter().any(has) => Self::Redirect,
            "TypeError" => Self::InvalidRequest,
            _ if has("Network connection lost") || has("disconnected") => Self::ConnectionLost,
            _ if has("DNS") => Self::Dns,
            _ => Self::Other,
        }
    }

    /// What a native client would have met.
    const fn io(self) -> io::ErrorKind {
        match self {
            Self::Aborted => io::ErrorKind::ConnectionAborted,
            Self::TimedOut => io::ErrorKind::TimedOut,
            Self::ConnectionLost => io::ErrorKind::ConnectionReset,
            // Perhaps that of a redirection: what came before it was sent.
            Self::Dns => io::ErrorKind::HostUnreachable,
            Self::InvalidRequest => io::ErrorKind::InvalidInput,
            Self::Redirect => io::ErrorKind::Unsupported,
            Self::InvalidResponse => io::ErrorKind::InvalidData,
            Self::RequestBody | Self::Other => io::ErrorKind::Other,
        }
    }
}

impl FetchError {
    pub(crate) fn new(kind: FetchErrorKind, message: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: io::Error::from(kind.io()).into(),
        }
    }

    /// Makes the error of a request's body.
    pub(crate) fn of_request_body(source: BoxError) -> Self {
        Self {
            kind: FetchErrorKind::RequestBody,
            message: "the body of the request failed".into(),
            source,
        }
    }

    /// Reads what `bridge.js` says of what was thrown.
    pub(crate) fn thrown(described: &str, url: &Uri) -> Self {
        let (name, message) = described.split_once('\n').unwrap_or(("", described));
        Self::new(
            FetchErrorKind::of(name, message),
            without_secrets(message, url),
        )
    }

    /// Reads what was thrown while the body of a response was read: with a request that is nothing to do any more.
    pub(crate) fn thrown_by_body(described: &str, url: &Uri) -> Self {
        let error = Self::thrown(described, url);
        match error.kind {
            FetchErrorKind::InvalidRequest => {
                Self::new(FetchErrorKind::InvalidResponse, error.message)
            }
            _ => error,
        }
    }

    /// Returns why it failed.
    pub const fn kind(&self) -> FetchErrorKind {
        self.kind
    }

    pub(crate) fn is_of_request_body(&self) -> bool {
        self.kind == FetchErrorKind::RequestBody
    }

    /// Returns what the runtime said.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The longest message that is kept, in bytes: a server can make the runtime say as much as it likes.
const LONGEST: usize = 200;

/// Returns what stands before the first URL.
fn before_url(message: &str) -> &str {
    let Some(scheme) = find(message, "://") else {
        return message;
    };
    message[..scheme]
        .trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-'))
}

/// Takes out of a message what may be secret in a URL: the runtime likes to name them, those of redirections too. Where a URL
/// ends, nobody can tell; whose it was, the caller knows.
fn without_secrets(message: &str, url: &Uri) -> String {
    let before = before_url(message);
    let before = before.split('?').next().unwrap_or_default();
    let mut told = before.to_owned();
    told.truncate(told.floor_char_boundary(LONGEST));
    if told.len() < message.len() {
        told.push('…');
    }
    match url.query() {
        Some(query) if !query.is_empty() => without(&told, query),
        _ => told,
    }
}

fn without(mut text: &str, secret: &str) -> String {
    let mut told = String::with_capacity(text.len());
    while let Some(at) = find(text, secret) {
        told.push_str(&text[..at]);
        told.push('…');
        text = &text[at + secret.len()..];
    }
    told + text
}

/// Finds `words`, which are not empty. The search of the standard library is quick in a long text, and more code than all else
/// in this file.
fn find(text: &str, words: &str) -> Option<usize> {
    let mut places = text.as_bytes().windows(words.len());
    places.position(|place| place == words.as_bytes())
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FetchErrorKind::Aborted => "the fetch was aborted",
            FetchErrorKind::TimedOut => "the fetch timed out",
            FetchErrorKind::ConnectionLost => "the connection was lost",
            FetchErrorKind::Dns => "the host is not known",
            FetchErrorKind::InvalidRequest => "the request cannot be sent",
            FetchErrorKind::Redirect => "the redirection cannot be followed",
            FetchErrorKind::RequestBody => return f.write_str(&self.message),
            FetchErrorKind::InvalidResponse => "that is no response",
            FetchErrorKind::Other => "the fetch failed",
        };
        write!(f, "{what}: {}", self.message)
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower_egress::ErrorClass;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn thrown(described: &str) -> FetchError {
        let url = Uri::from_static("https://user:pass@example.com/a?token=secret");
        FetchError::thrown(described, &url)
    }

    #[test]
    fn what_was_thrown_is_sorted() {
        for (described, kind, class) in [
            (
                "AbortError\nThe operation was aborted",
                FetchErrorKind::Aborted,
                ErrorClass::Transient,
            ),
            (
                "TimeoutError\nThe operation was aborted due to timeout",
                FetchErrorKind::TimedOut,
                ErrorClass::Transient,
            ),
            (
                "Error\nNetwork connection lost.",
                FetchErrorKind::ConnectionLost,
                ErrorClass::Transient,
            ),
            (
                "Error\nDNS lookup failed.",
                FetchErrorKind::Dns,
                ErrorClass::Transient,
            ),
            (
                "TypeError\nInvalid URL: x",
                FetchErrorKind::InvalidRequest,
                ErrorClass::Fatal,
            ),
            (
                "Error\ninternal error; reference = abc",
                FetchErrorKind::Other,
                ErrorClass::Transient,
            ),
            (
                "TypeError\nToo many redirects.http://a/DNS, http://a/disconnected",
                FetchErrorKind::Redirect,
                ErrorClass::Fatal,
            ),
            (
                "TypeError\nInvalid Location header; unable to follow redirect.",
                FetchErrorKind::Redirect,
                ErrorClass::Fatal,
            ),
            (
                "TypeError\nFetch API cannot load: ftp://a/",
                FetchErrorKind::Redirect,
                ErrorClass::Fatal,
            ),
            (
                "TypeError\nInvalid URL: ftp://h/redirect/DNS",
                FetchErrorKind::InvalidRequest,
                ErrorClass::Fatal,
            ),
            (
                "Error\ninternal error at http://h/DNS",
                FetchErrorKind::Other,
                ErrorClass::Transient,
            ),
            (
                "\nnothing that is known",
                FetchErrorKind::Other,
                ErrorClass::Transient,
            ),
            ("", FetchErrorKind::Other, ErrorClass::Transient),
        ] {
            let error = thrown(described);
            assert_eq!(error.kind(), kind, "{described}");
            assert_eq!(ErrorClass::of(&error.into()), class, "{described}");
        }
    }

    #[test]
    fn no_secret_is_told() {
        for (said, told) in [
            (
                "Fetch API cannot load: https://user:pass@example.com/a?token=secret.",
                "Fetch API cannot load: …",
            ),
            (
                "Too many redirects.http://a/?a=1,token=secret, http://b:1/c?secret",
                "Too many redirects.…",
            ),
            ("Invalid URL: /a?token='secret'", "Invalid URL: /a…"),
            (
                "Invalid URL: http://us'er:secret@999.1.1.1/",
                "Invalid URL: …",
            ),
            ("://secret", "…"),
            ("Network connection lost.", "Network connection lost."),
        ] {
            let error = thrown(&format!("TypeError\n{said}"));
            assert_eq!(error.message(), told);
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{error:?}"
            );
        }
        let long = thrown(&format!("Error\n{}", "ü".repeat(1000)));
        assert_eq!(long.message().chars().count(), 101);
    }
}
