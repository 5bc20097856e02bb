//! Why something was not fetched.

use tower_egress::Error;

/// Why something was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotFetched {
    /// There was no response that could be read: none at all, or one of another status.
    #[error(transparent)]
    NoResponse(Error),
    /// There was one, and its body broke off, took too long, or is not what was asked for.
    #[error(transparent)]
    Body(Error),
    /// There was one, and its body is larger than what is read.
    #[error("the response is larger than {max} bytes")]
    TooLarge {
        /// How much is read.
        max: usize,
    },
}
