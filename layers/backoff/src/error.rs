//! The errors of this layer, and what is made of those of others.

use crate::{BoxError, GaveUp};
use std::{error::Error, io};
use thiserror::Error;

/// What an error of the inner service says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Nothing of the request was sent: any method may be tried again.
    BeforeSend,
    /// The request may have been sent, and another attempt may fare better: idempotent methods are tried again.
    Transient,
    /// Another attempt would fail as well.
    Fatal,
}

impl ErrorClass {
    /// Classifies an error by the [`io::Error`]s among its sources.
    ///
    /// A connection that was refused, or for which there was no address, was not opened, so nothing was sent. A host or
    /// network that is not reachable proves nothing: a connection that is in use may learn that as well. A lack of
    /// permission, and what the system does not support, does not pass. All else is transient, errors without an
    /// [`io::Error`] among them.
    pub fn of(error: &BoxError) -> Self {
        use io::ErrorKind as Kind;
        let first: &(dyn Error + 'static) = &**error;
        std::iter::successors(Some(first), |&error| error.source())
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .find_map(|error| match error.kind() {
                Kind::ConnectionRefused | Kind::AddrNotAvailable => Some(Self::BeforeSend),
                Kind::PermissionDenied | Kind::Unsupported | Kind::InvalidInput => {
                    Some(Self::Fatal)
                }
                _ => None,
            })
            .unwrap_or(Self::Transient)
    }
}

/// The last error of a request that was to be sent more than once; its [`source`](Error::source) says what was wrong in the end.
///
/// An error of a request that was to be sent once is returned as it is.
#[derive(Debug, Error)]
#[error("gave up after {attempts} attempt{}", if *.attempts == 1 { "" } else { "s" })]
#[non_exhaustive]
pub struct RetryError {
    /// How often it was sent, the first time included. What was refused before it was sent does not count.
    pub attempts: u32,
    /// Why there was no other; `None` if another would not have helped.
    pub gave_up: Option<GaveUp>,
    /// What the last attempt failed with.
    pub source: BoxError,
}

/// A request body was shorter or longer than its exact size hint said. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the request body is not of the {stated} bytes that it says it has")]
#[non_exhaustive]
pub struct WrongLength {
    /// The length in bytes that the body stated.
    pub stated: usize,
}

impl WrongLength {
    pub(crate) const fn new(stated: usize) -> Self {
        Self { stated }
    }
}

/// A request body failed while it was read into memory. Nothing was sent.
#[derive(Debug, Error)]
#[error("the request body failed before the request was sent")]
#[non_exhaustive]
pub struct BodyFailed {
    /// The body's own error.
    pub source: BoxError,
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[derive(Debug, Error)]
    #[error("client error")]
    struct Outer(#[source] BoxError);

    /// B2
    #[test]
    fn errors_are_classified_by_their_sources() {
        for (kind, class) in [
            (io::ErrorKind::ConnectionRefused, ErrorClass::BeforeSend),
            (io::ErrorKind::AddrNotAvailable, ErrorClass::BeforeSend),
            (io::ErrorKind::HostUnreachable, ErrorClass::Transient),
            (io::ErrorKind::NetworkUnreachable, ErrorClass::Transient),
            (io::ErrorKind::ConnectionReset, ErrorClass::Transient),
            (io::ErrorKind::BrokenPipe, ErrorClass::Transient),
            (io::ErrorKind::TimedOut, ErrorClass::Transient),
            (io::ErrorKind::UnexpectedEof, ErrorClass::Transient),
            (io::ErrorKind::PermissionDenied, ErrorClass::Fatal),
        ] {
            let direct: BoxError = io::Error::from(kind).into();
            assert_eq!(ErrorClass::of(&direct), class, "{kind:?}");
            let nested: BoxError = Outer(Outer(direct).into()).into();
            assert_eq!(ErrorClass::of(&nested), class, "{kind:?}, nested");
        }
        assert_eq!(
            ErrorClass::of(&"no io::Error at all".into()),
            ErrorClass::Transient
        );
    }
}
