//! A value as serde's types.

use super::Error;
use crate::sql::Value;
use serde::{
    Deserializer,
    de::{
        Expected, Visitor,
        value::{BorrowedStrDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use std::str::FromStr;

/// A value of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'a> {
    value: &'a Value,
    rounded: bool,
}

impl<'a> Cell<'a> {
    pub(crate) const fn new(value: &'a Value, rounded: bool) -> Self {
        Self { value, rounded }
    }

    fn invalid(self, expected: &dyn Expected) -> Error {
        if self.rounded {
            return Error::rounded();
        }
        let class = self.value.class();
        Error::new(format!("holds {class} where {expected} is wanted"))
    }

    fn integer<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Integer(integer) => visitor.visit_i64(*integer),
            Value::Text(text) => match (text.parse(), text.parse()) {
                (Ok(integer), _) => visitor.visit_i64(integer),
                (_, Ok(integer)) => visitor.visit_u64(integer),
                _ => Err(self.invalid(&visitor)),
            },
            _ => Err(self.invalid(&visitor)),
        }
    }

    /// Reads a text of more than 64 bits, too.
    fn wide<T: FromStr, V: Visitor<'a>>(
        self,
        visitor: V,
        visit: impl FnOnce(V, T) -> Result<V::Value, Error>,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Text(text) => match text.parse() {
                Ok(integer) => visit(visitor, integer),
                Err(_) => Err(self.invalid(&visitor)),
            },
            _ => self.integer(visitor),
        }
    }

    fn real(self) -> Option<f64> {
        match self.value {
            Value::Real(real) => Some(*real),
            Value::Integer(integer) => Some(nearest(*integer)),
            _ => None,
        }
    }
}

/// Returns the nearest `f64`: both halves are exact, and rounded once when they are added.
fn nearest(integer: i64) -> f64 {
    let bytes = integer.to_be_bytes();
    let [a, b, c, d, e, f, g, h] = bytes;
    let high = i32::from_be_bytes([a, b, c, d]);
    let low = u32::from_be_bytes([e, f, g, h]);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            self.integer(visitor)
        })*
    };
}

// serde's own types would take the one for the other.
macro_rules! texts {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.value {
                Value::Text(text) => visitor.visit_borrowed_str(text),
                _ => Err(self.invalid(&visitor)),
            }
        })*
    };
}

macro_rules! blobs {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.value {
                Value::Blob(bytes) => visitor.visit_borrowed_bytes(bytes),
                _ => Err(self.invalid(&visitor)),
            }
        })*
    };
}

impl<'a> Deserializer<'a> for Cell<'a> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Integer(integer) => visitor.visit_i64(*integer),
            Value::Real(_) if self.rounded => Err(Error::rounded()),
            Value::Real(real) => visitor.visit_f64(*real),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Blob(bytes) => visitor.visit_borrowed_bytes(bytes),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Integer(0) => visitor.visit_bool(false),
            Value::Integer(1) => visitor.visit_bool(true),
            Value::Integer(_) => Err(Error::new("holds an integer that is neither 0 nor 1")),
            _ => Err(self.invalid(&visitor)),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_i128<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.wide(visitor, V::visit_i128)
    }

    fn deserialize_u128<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.wide(visitor, V::visit_u128)
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.real() {
            Some(real) if real.is_finite() && real.abs() > f64::from(f32::MAX) => {
                Err(Error::new("holds a number that is beyond an f32"))
            }
            Some(real) => visitor.visit_f64(real),
            None => Err(self.invalid(&visitor)),
        }
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.real() {
            Some(real) => visitor.visit_f64(real),
            None => Err(self.invalid(&visitor)),
        }
    }

    texts! {
        deserialize_char deserialize_str deserialize_string deserialize_identifier
    }

    blobs! {
        deserialize_bytes deserialize_byte_buf
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    // A `Vec<u8>` is a sequence to serde.
    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Blob(bytes) => {
                let mut bytes = SeqDeserializer::new(bytes.iter().copied());
                let sequence = visitor.visit_seq(&mut bytes)?;
                bytes.end()?;
                Ok(sequence)
            }
            _ => Err(self.invalid(&visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Text(text) => visitor.visit_enum(BorrowedStrDeserializer::new(text)),
            _ => Err(self.invalid(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        unit unit_struct tuple_struct map struct
    }
}
