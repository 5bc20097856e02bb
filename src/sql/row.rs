//! A row of a result.

use super::{SqlError, SqlErrorKind, Value, decode};
use serde::Deserialize;
use std::sync::Arc;

/// A row: a value for each column. The rows of one result share the names of their columns.
///
/// # Integers that the database has rounded
///
/// D1 hands out every number as a float of 64 bits. So a number from 2<sup>53</sup> to 2<sup>63</sup>, or as far
/// below zero, may be a real number or an integer that was rounded, and there is no telling which. Such a value can
/// be read as an `f64`; whoever asks for an integer, or for the [`Value`] itself, gets an error that names the
/// column. `CAST(id AS TEXT) AS id` selects it exactly: an integer is read from a text, too.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    columns: Arc<[Box<str>]>,
    values: Vec<Value>,
    rounded: Vec<usize>,
}

impl Row {
    /// Makes a row of as many values as there are columns.
    ///
    /// # Panics
    ///
    /// If there are more or fewer.
    pub fn new(columns: Arc<[Box<str>]>, values: Vec<Value>) -> Self {
        assert_eq!(columns.len(), values.len(), "one value for each column");
        Self {
            columns,
            values,
            rounded: Vec::new(),
        }
    }

    /// Says that the real number at an index may be an integer that the database has rounded.
    #[must_use]
    pub fn with_rounded(mut self, index: usize) -> Self {
        self.rounded.push(index);
        self
    }

    /// Returns the names of the columns.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|column| &**column)
    }

    /// Returns how many columns there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Tells whether there is no column.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the value of a column.
    ///
    /// # Errors
    ///
    /// If there is no such column, or more than one, or its value may have been
    /// [rounded](Self#integers-that-the-database-has-rounded).
    pub fn get(&self, column: &str) -> Result<&Value, SqlError> {
        let index = self.find(column)?;
        if self.is_rounded(index) {
            return Err(decode::Error::rounded().in_column(column).into());
        }
        Ok(&self.values[index])
    }

    /// Reads the value of a column as another type.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), and if the value is of another type or out of its range. They name the column,
    /// never the value.
    pub fn get_as<'a, T: Deserialize<'a>>(&'a self, column: &str) -> Result<T, SqlError> {
        let index = self.find(column)?;
        let cell = decode::Cell::new(&self.values[index], self.is_rounded(index));
        T::deserialize(cell).map_err(|error| error.in_column(column).into())
    }

    /// Reads the row as another type: a struct or a map by the names of the columns, a tuple by their order; or, of a
    /// row with one column, the type of its value.
    ///
    /// - a `bool` is read from 0 and 1, an `Option` from NULL and from what is not
    /// - an integer is read from an integer in its range, or from a text that is one
    /// - an `f64` is read from any number, and is the nearest to an integer beyond 2<sup>53</sup>
    /// - a `String` or `&str` is read from a text; so is an enum without data, by its name
    /// - bytes are read from a blob: `Vec<u8>`, `Bytes`, `&[u8]` with `serde_bytes`
    /// - columns that the type does not name are passed over
    ///
    /// What is in a `#[serde(flatten)]`, or an untagged enum, is read before its type is known: there an integer is no
    /// `bool`, and a text no integer.
    ///
    /// # Errors
    ///
    /// They name the column, never the value. Two columns with one name are an error where both are asked for, as by a
    /// map; a tuple reads them.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_egress::sql::{Row, Value};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Repo<'a> {
    ///     name: &'a str,
    ///     archived: bool,
    ///     stars: Option<u32>,
    /// }
    ///
    /// let columns = ["name", "archived", "stars"].map(Box::from);
    /// let row = Row::new(columns.into(), vec!["tower".into(), 0.into(), Value::Null]);
    /// let repo: Repo<'_> = row.deserialize()?;
    /// assert!(repo.name == "tower" && !repo.archived && repo.stars.is_none());
    /// # Ok::<(), tower_egress::sql::SqlError>(())
    /// ```
    pub fn deserialize<'a, T: Deserialize<'a>>(&'a self) -> Result<T, SqlError> {
        T::deserialize(decode::Whole(self)).map_err(Into::into)
    }

    fn find(&self, column: &str) -> Result<usize, SqlError> {
        let mut found = (0..self.columns.len()).filter(|&index| &*self.columns[index] == column);
        let wrong = |what| {
            let message = format!("{what} `{column}`");
            SqlError::new(SqlErrorKind::Decode, message)
        };
        let index = found.next().ok_or_else(|| wrong("there is no column"))?;
        match found.next() {
            None => Ok(index),
            Some(_) => Err(wrong("more than one column is named")),
        }
    }

    fn is_rounded(&self, index: usize) -> bool {
        self.rounded.contains(&index)
    }

    /// The cells with the names of their columns.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (&str, decode::Cell<'_>)> {
        let values = self.values.iter().enumerate();
        self.columns()
            .zip(values.map(|(index, value)| decode::Cell::new(value, self.is_rounded(index))))
    }
}
