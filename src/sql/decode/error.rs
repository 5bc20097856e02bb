//! Why a value cannot be read: the column is named, the value is not.

use crate::sql::{SqlError, SqlErrorKind};
use serde::de::{self, Expected, Unexpected};
use std::{error::Error as StdError, fmt};

/// Why a value cannot be read.
#[derive(Debug)]
pub(crate) struct Error {
    column: Option<Box<str>>,
    message: Box<str>,
}

impl Error {
    pub(super) fn new(message: impl Into<Box<str>>) -> Self {
        Self {
            column: None,
            message: message.into(),
        }
    }

    pub(crate) fn rounded() -> Self {
        Self::new(
            "holds a number that the database may have rounded: an integer is exact if it is selected as text, CAST(… AS TEXT)",
        )
    }

    pub(crate) fn twice(column: &str) -> Self {
        Self::new(format!("has more than one column `{column}`"))
    }

    /// Names the column, unless a value inside has.
    pub(crate) fn in_column(mut self, column: &str) -> Self {
        self.column.get_or_insert_with(|| column.into());
        self
    }
}

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        Self::new(SqlErrorKind::Decode, error.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "the column `{column}` {}", self.message),
            None => write!(f, "the row {}", self.message),
        }
    }
}

impl StdError for Error {}

/// serde's own messages have the value; these have its class.
impl de::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new("holds what its type refuses")
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let class = match unexpected {
            Unexpected::Unit | Unexpected::Option => "NULL",
            Unexpected::Bool(_) | Unexpected::Signed(_) | Unexpected::Unsigned(_) => "an integer",
            Unexpected::Float(_) => "a real number",
            Unexpected::Str(_) | Unexpected::Char(_) => "a text",
            Unexpected::Bytes(_) => "a blob",
            Unexpected::Seq | Unexpected::Map => "a row",
            _ => "something else",
        };
        Self::new(format!("holds {class} where {expected} is wanted"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match unexpected {
            Unexpected::Signed(_) | Unexpected::Unsigned(_) => {
                Self::new(format!("holds an integer that is no {expected}"))
            }
            _ => Self::new(format!("holds a value that is no {expected}")),
        }
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("has {length} parts where {expected} is wanted"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("holds a text that is none of {expected:?}"))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::new(format!("has a column `{field}` that is not wanted"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("has no column `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::twice(field)
    }
}
