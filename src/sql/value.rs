//! What a placeholder is given and a column holds.

use bytes::Bytes;
use std::borrow::Cow;

/// A value, of one of SQLite's five storage classes.
///
/// A `bool` is 0 or 1, and an `Option` that is `None` is NULL. [`Value::json`] makes a text of what serde can write.
/// There is no conversion from `u64` and `usize`, of which SQLite holds only half: `i64::try_from` says so where it
/// matters.
///
/// ```
/// use tower_egress::sql::Value;
///
/// assert_eq!(Value::from(true), Value::Integer(1));
/// assert_eq!(Value::from("tower"), Value::Text("tower".to_owned()));
/// assert!(Value::from(None::<i64>).is_null());
/// let size: u64 = 7;
/// let size = i64::try_from(size).map(Value::from);
/// assert_eq!(size, Ok(Value::Integer(7)));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// NULL.
    #[default]
    Null,
    /// A signed integer of 64 bits.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Bytes),
}

impl Value {
    /// Tells whether it is NULL.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns how many bytes a text or a blob has; of the others, none counts.
    pub(crate) const fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// Names its storage class, for messages, which never hold the value itself.
    pub(crate) const fn class(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Integer(_) => "an integer",
            Self::Real(_) => "a real number",
            Self::Text(_) => "a text",
            Self::Blob(_) => "a blob",
        }
    }
}

macro_rules! from {
    ($class:ident: $($source:ty),*) => {
        $(impl From<$source> for Value {
            fn from(value: $source) -> Self {
                Self::$class(value.into())
            }
        })*
    };
}

from!(Integer: bool, i8, i16, i32, i64, u8, u16, u32);
from!(Real: f32, f64);
from!(Text: &str, String, Box<str>, Cow<'_, str>);
from!(Blob: Bytes, Vec<u8>);

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        bytes[..].into()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_rust_has_becomes_what_sqlite_has() {
        for (value, expected) in [
            (Value::from(true), Value::Integer(1)),
            (Value::from(i64::MIN), Value::Integer(i64::MIN)),
            (Value::from(u32::MAX), Value::Integer(4_294_967_295)),
            (Value::from(0.5_f32), Value::Real(0.5)),
            (Value::from("a"), Value::Text("a".to_owned())),
            (Value::from(b"a\0"), Value::Blob(Bytes::from_static(b"a\0"))),
            (Value::from(Some(1)), Value::Integer(1)),
            (Value::from(None::<&str>), Value::Null),
        ] {
            assert_eq!(value, expected);
        }
    }
}
