//! Decoding without telling secrets.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Where a body stopped being the JSON that was expected.
///
/// serde_json's own message quotes the value that it did not like; this one only says where it stands, since
/// errors are logged and bodies are not.
///
/// ```
/// use std::error::Error as _;
/// use tower_egress::{DecodeError, Error};
///
/// /// Says in which line a body was wrong, if that is what was wrong.
/// fn line(error: &Error) -> Option<usize> {
///     let decode: &DecodeError = error.source()?.downcast_ref()?;
///     Some(decode.line())
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{what} at line {line}, column {column}")]
pub struct DecodeError {
    what: &'static str,
    line: usize,
    column: usize,
}

const OTHER: &str = "JSON of another shape";

impl DecodeError {
    /// Says of an error of serde_json's where it stands.
    pub(crate) fn new(error: &serde_json::Error) -> Self {
        Self {
            what: match error.classify() {
                Category::Syntax => "not JSON",
                Category::Eof => "JSON that breaks off",
                Category::Data => OTHER,
                Category::Io => "unreadable",
            },
            line: error.line(),
            column: error.column(),
        }
    }

    /// Says the same of JSON, which is of another shape whatever serde_json says.
    pub(crate) fn of_shape(error: &serde_json::Error) -> Self {
        Self {
            what: OTHER,
            ..Self::new(error)
        }
    }

    /// Returns the line of the body, counted from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Returns the column of the body, counted from 1.
    pub const fn column(&self) -> usize {
        self.column
    }
}

pub(super) fn decode<D: DeserializeOwned>(bytes: &[u8]) -> Result<D, DecodeError> {
    serde_json::from_slice(bytes).map_err(|error| DecodeError::new(&error))
}
