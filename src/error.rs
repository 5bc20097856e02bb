//! One error to match on.

use crate::BoxError;
use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use std::{error::Error as StdError, fmt, time::Duration};

/// What went wrong, for a caller to match on.
///
/// [`ErrorKind::of`] finds it in whatever error a stack returned, however deeply it is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request could not be built: a bad URL, header or body. Nothing was sent.
    InvalidRequest,
    /// A rate limit of ours, or a pause that the server asked for, would have made the request wait too long.
    /// Nothing was sent by the attempt that failed.
    RateLimited {
        /// When it is worth trying again, from the moment of the error.
        retry_after: Duration,
    },
    /// No connection became free in time, or too many requests waited for one. Nothing was sent.
    Queue,
    /// An attempt took too long.
    TimedOut,
    /// The request's deadline has passed, or would have before it could be sent.
    DeadlineExceeded,
    /// The connection failed: not made, reset, closed.
    Transport,
    /// The server answered with an error status.
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
        crate::egress::kind_of_layer_error(error)
    }
}

/// An error of the [fetch helpers](crate::FetchExt): what was asked for, what went wrong, and why.
///
/// Its text has the method, the host and the path of the request, never the query, a header or a body. What
/// the server said is in [`Error::body`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    target: Option<(Method, String)>,
    attempts: u32,
    body: Option<Bytes>,
    source: Option<BoxError>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        Self::make(kind, Some(source.into()))
    }

    /// Wraps what a service returned.
    pub(crate) fn of_service(source: BoxError) -> Self {
        match source.downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => Self::make(ErrorKind::of(&*source), Some(source)),
        }
    }

    pub(crate) fn status_error(status: StatusCode, body: Option<Bytes>, attempts: u32) -> Self {
        let mut error = Self::make(ErrorKind::Status(status), None);
        error.0.body = body;
        error.0.attempts = attempts;
        error
    }

    fn make(kind: ErrorKind, source: Option<BoxError>) -> Self {
        Self(Box::new(Inner {
            kind,
            target: None,
            attempts: 0,
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

    /// Returns the status, if the server answered with an error.
    pub fn status(&self) -> Option<StatusCode> {
        match self.0.kind {
            ErrorKind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Returns the first part of what the server said, if it answered with an error.
    ///
    /// It may hold what the server echoes of the request; think before you log it.
    pub fn body(&self) -> Option<&Bytes> {
        self.0.body.as_ref()
    }

    /// Returns how often the request was sent, where that is known to be more than once; else 0.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
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
            ErrorKind::TimedOut => f.write_str("timed out"),
            ErrorKind::DeadlineExceeded => f.write_str("the deadline has passed"),
            ErrorKind::Transport => f.write_str("the connection failed"),
            ErrorKind::Status(status) => write!(f, "the server answered {status}"),
            ErrorKind::Body => f.write_str("the response's body could not be read"),
            ErrorKind::Decode => f.write_str("the response's body is not what was expected"),
        }?;
        if self.0.attempts > 1 {
            write!(f, " after {} attempts", self.0.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("target", &self.0.target)
            .field("attempts", &self.0.attempts)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
