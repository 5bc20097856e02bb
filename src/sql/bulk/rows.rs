//! What is to be written, or the keys of what is to be read.

use crate::sql::{Limits, SqlError, SqlErrorKind, Value, limits};
use std::{mem, ops::Range};

/// What is a row: a value for each column, in their order.
///
/// Arrays, `Vec`s and tuples are, of anything that is a [`Value`]; and so is a single value, for one column. Of one
/// column a blob is `(bytes,)`: a `Vec<u8>` would be a row of numbers.
///
/// ```
/// use tower_egress::sql::{IntoRow, Value};
///
/// struct Repo { id: i64, name: String }
///
/// impl IntoRow for Repo {
///     fn append_to(self, values: &mut Vec<Value>) {
///         (self.id, self.name).append_to(values);
///     }
/// }
/// # let mut values = Vec::new();
/// # Repo { id: 1, name: "tower".into() }.append_to(&mut values);
/// # assert_eq!(values, [1.into(), "tower".into()]);
/// ```
pub trait IntoRow {
    /// Adds the values of the row to others.
    fn append_to(self, values: &mut Vec<Value>);
}

impl<V: Into<Value>, const N: usize> IntoRow for [V; N] {
    fn append_to(self, values: &mut Vec<Value>) {
        values.extend(self.into_iter().map(Into::into));
    }
}

impl<V: Into<Value>> IntoRow for Vec<V> {
    fn append_to(self, values: &mut Vec<Value>) {
        values.extend(self.into_iter().map(Into::into));
    }
}

macro_rules! one {
    ($($value:ty),*) => {
        $(impl IntoRow for $value {
            fn append_to(self, values: &mut Vec<Value>) {
                values.push(self.into());
            }
        })*
    };
}

one!(
    Value,
    bool,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    f32,
    f64,
    &str,
    String,
    &String,
    bytes::Bytes
);

macro_rules! tuples {
    ($($part:ident)*) => {
        tuples!(@ [] $($part)*);
    };
    (@ [$($done:ident)*] $next:ident $($part:ident)*) => {
        impl<$($done: Into<Value>,)* $next: Into<Value>> IntoRow for ($($done,)* $next,) {
            fn append_to(self, values: &mut Vec<Value>) {
                #[allow(non_snake_case, reason = "a variable for each type")]
                let ($($done,)* $next,) = self;
                $(values.push($done.into());)*
                values.push($next.into());
            }
        }
        tuples!(@ [$($done)* $next] $($part)*);
    };
    (@ [$($done:ident)*]) => {};
}

tuples!(A B C D E F G H I J K L M N O P);

/// Rows of one width, all of which a database takes.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    width: usize,
    values: Vec<Value>,
}

impl Rows {
    /// Collects rows for some columns.
    pub(crate) fn collect<R: IntoRow>(
        rows: impl IntoIterator<Item = R>,
        columns: &[&str],
        limits: &Limits,
    ) -> Result<Self, SqlError> {
        let rows = rows.into_iter();
        let mut collected = Self::new(columns, limits, rows.size_hint().0)?;
        for row in rows {
            let start = collected.values.len();
            row.append_to(&mut collected.values);
            collected.check_from(start, columns, limits)?;
        }
        Ok(collected)
    }

    // What is not `collect` is compiled once, and not for each type of row.

    fn new(columns: &[&str], limits: &Limits, expected: usize) -> Result<Self, SqlError> {
        let width = columns.len();
        if width > limits.columns.min(limits.values) {
            let most = limits.columns.min(limits.values);
            return Err(limits::too_large(format!(
                "{width} columns, and the database takes {most}"
            )));
        }
        Ok(Self {
            width,
            values: Vec::with_capacity(expected.saturating_mul(width)),
        })
    }

    /// Checks a row that was added, whose values are those from `start` on.
    fn check_from(&self, start: usize, columns: &[&str], limits: &Limits) -> Result<(), SqlError> {
        let (row, width) = (&self.values[start..], self.width);
        // Nothing can have been added of no columns.
        let n = start.checked_div(width).unwrap_or(0);
        if row.len() != width {
            let message = format!("the row {n} has {} values for {width} columns", row.len());
            return Err(SqlError::new(SqlErrorKind::InvalidStatement, message));
        }
        for (value, column) in row.iter().zip(columns) {
            limits.check_value(value, || format!("the row {n}, column `{column}`,"))?;
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn row(&self, n: usize) -> &[Value] {
        &self.values[self.range(n)]
    }

    /// Returns all values; those that were taken are NULL.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// Returns the values of a row; they are needed no more.
    pub(super) fn take(&mut self, n: usize) -> impl Iterator<Item = Value> {
        let range = self.range(n);
        self.values[range].iter_mut().map(mem::take)
    }

    fn range(&self, n: usize) -> Range<usize> {
        n * self.width..(n + 1) * self.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn values(row: impl IntoRow) -> Vec<Value> {
        let mut values = Vec::new();
        row.append_to(&mut values);
        values
    }

    #[test]
    fn what_has_values_is_a_row() {
        let expected = [Value::from(1), "a".into()];
        assert_eq!(values((1, "a")), expected);
        assert_eq!(values([Value::from(1), "a".into()]), expected);
        assert_eq!(values(vec![Value::from(1), "a".into()]), expected);
        assert_eq!(values(1), expected[..1]);
        assert_eq!(values("a"), expected[1..]);
        assert_eq!(values((b"a",)), [b"a".into()]);
        assert_eq!(
            values((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)).len(),
            16
        );
    }

    #[test]
    fn what_a_database_does_not_take_is_told_by_row_and_column() {
        let limits = Limits::D1.with_value_bytes(3).with_columns(2);
        let message = |rows: Vec<Vec<Value>>, columns: &[&str]| {
            Rows::collect(rows, columns, &limits)
                .map(|rows| rows.len())
                .map_err(|error| error.to_string())
        };
        let row = |second: Value| vec![vec![1.into(), "a".into()], vec![2.into(), second]];
        assert_eq!(message(row("abc".into()), &["id", "n"]), Ok(2));
        assert_eq!(
            message(row("4711".into()), &["id", "n"]).unwrap_err(),
            "that is too large for the database: the row 1, column `n`, has 4 bytes, and the database takes 3"
        );
        assert!(
            message(row(f64::NAN.into()), &["id", "n"])
                .unwrap_err()
                .contains("the row 1, column `n`, is NaN")
        );
        for (rows, has) in [(vec![vec![1.into()]], 1), (vec![vec![1.into(); 3]], 3)] {
            let error = message(rows, &["id", "n"]).unwrap_err();
            assert!(
                error.ends_with(&format!("the row 0 has {has} values for 2 columns")),
                "{error}"
            );
        }
        assert!(
            message(vec![], &["a", "b", "c"])
                .unwrap_err()
                .contains("3 columns")
        );
    }
}
