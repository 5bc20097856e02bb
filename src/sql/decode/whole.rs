//! A row as serde's types.

use super::{Cell, Error};
use crate::sql::Row;
use serde::{
    Deserializer,
    de::{
        DeserializeSeed, Error as _, Expected, MapAccess, SeqAccess, Visitor,
        value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};
use std::fmt;

/// The cells of a row that are still to be read.
struct Cells<'a, I> {
    left: I,
    current: Option<(&'a str, Cell<'a>)>,
}

impl<'a, I: Iterator<Item = (&'a str, Cell<'a>)>> MapAccess<'a> for Cells<'a, I> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.current = self.left.next();
        let Some((column, _)) = self.current else {
            return Ok(None);
        };
        seed.deserialize(BorrowedStrDeserializer::new(column))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.current.take() {
            Some((column, cell)) => seed.deserialize(cell).map_err(|e| e.in_column(column)),
            None => Err(Error::new("was asked for a value before its column")),
        }
    }
}

impl<'a, I: Iterator<Item = (&'a str, Cell<'a>)>> SeqAccess<'a> for Cells<'a, I> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some((column, cell)) = self.left.next() else {
            return Ok(None);
        };
        seed.deserialize(cell)
            .map(Some)
            .map_err(|e| e.in_column(column))
    }
}

/// A whole row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole<'a>(pub(crate) &'a Row);

impl<'a> Whole<'a> {
    fn parts(self) -> Cells<'a, impl Iterator<Item = (&'a str, Cell<'a>)>> {
        Cells {
            left: self.0.cells(),
            current: None,
        }
    }

    /// Every column in turn; not only the first ones.
    fn sequence<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut parts = self.parts();
        let sequence = visitor.visit_seq(&mut parts)?;
        match parts.left.next() {
            None => Ok(sequence),
            Some(_) => Err(Error::invalid_length(self.0.len(), &"fewer")),
        }
    }

    /// The only cell, for a type that is one value.
    fn only<T>(
        self,
        expected: &dyn Expected,
        read: impl FnOnce(Cell<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut cells = self.0.cells();
        match (cells.next(), cells.next()) {
            (Some((column, cell)), None) => read(cell).map_err(|e| e.in_column(column)),
            _ => Err(Error::invalid_length(self.0.len(), expected)),
        }
    }
}

/// Hands the only cell what is asked of the row.
macro_rules! of_the_only_cell {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'a>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.only(&OneColumn, |cell| cell.$method($($argument,)* visitor))
        })*
    };
}

/// What is wanted of a row that is read as one value.
struct OneColumn;

impl Expected for OneColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one column")
    }
}

impl<'a> Deserializer<'a> for Whole<'a> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        // Of two columns with one name a map would keep one; a struct says so itself.
        let columns = || self.0.columns();
        let twice = |&(n, column): &(usize, &str)| columns().take(n).any(|other| other == column);
        match columns().enumerate().find(twice) {
            None => visitor.visit_map(self.parts()),
            Some((_, column)) => Err(Error::twice(column)),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(self.parts())
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    of_the_only_cell! {
        deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64()
        deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf()
        deserialize_option()
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        unit_struct map identifier
    }
}
