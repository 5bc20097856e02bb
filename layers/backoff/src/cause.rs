//! Why a request is tried again.

/// Why a request is tried again: it decides how long the first wait may be and what a retry costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Something broke that may be whole a moment later: a 5xx, a lost connection, an attempt that took too long.
    Transient,
    /// The server asks for fewer requests: a 429, a 403 that means a rate limit, an overload.
    Throttled,
}
