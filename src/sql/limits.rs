//! What a database takes.

use super::{SqlError, SqlErrorKind, Value};

/// What a database takes at once, and how it takes many rows best.
///
/// [`Table`](super::Table), [`Transaction`](super::Transaction) and [`Migrations`](super::Migrations) stay inside.
///
/// ```
/// use tower_egress::sql::Limits;
///
/// let small = Limits::D1.with_statements(50);
/// assert_eq!((small.values, small.statements), (100, 50));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many values a statement may have.
    pub values: usize,
    /// How many bytes of SQL a statement may have.
    pub sql_bytes: usize,
    /// How many bytes a text or a blob may have.
    pub value_bytes: usize,
    /// How many columns a table or a result may have.
    pub columns: usize,
    /// How many statements a batch may have.
    pub statements: usize,
    /// How many bytes of SQL and of values a batch may have.
    pub batch_bytes: usize,
    /// How many rows go fastest.
    pub packing: Packing,
}

/// How many rows are written, or asked for, in one statement.
///
/// ```
/// use tower_egress::sql::{Limits, Packing};
///
/// assert_eq!(Limits::D1.packing, Packing::Json);
/// let by_values = Limits::D1.with_packing(Packing::Values);
/// assert_eq!(by_values.packing, Packing::Values);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packing {
    /// A placeholder for each value, as many rows as fit: `VALUES (?, ?), (?, ?)`. The fastest where a statement costs
    /// next to nothing.
    Values,
    /// All rows as one text of JSON, which `json_each` takes apart: any number of rows for one value. The fastest where
    /// statements are what costs, or are few by contract.
    Json,
}

impl Limits {
    /// D1's, [as documented](https://developers.cloudflare.com/d1/platform/limits/).
    ///
    /// Two are not Cloudflare's. It counts queries per invocation, 1,000 (50 on the free plan), and does not say that a
    /// batch is one: so a batch has at most 1,000 statements. And a batch has at most 8,000,000 bytes, of which a
    /// Worker with its 128 MB holds several copies while it sends them.
    pub const D1: Self = Self {
        values: 100,
        sql_bytes: 100_000,
        value_bytes: 2_000_000,
        columns: 100,
        statements: 1_000,
        batch_bytes: 8_000_000,
        packing: Packing::Json,
    };

    /// SQLite's own defaults. A batch may be as large as memory.
    pub const SQLITE: Self = Self {
        values: 32_766,
        sql_bytes: 1_000_000_000,
        value_bytes: 1_000_000_000,
        columns: 2_000,
        statements: usize::MAX,
        batch_bytes: usize::MAX,
        packing: Packing::Values,
    };

    /// Sets how many values a statement may have.
    #[must_use]
    pub const fn with_values(mut self, values: usize) -> Self {
        self.values = values;
        self
    }

    /// Sets how many bytes of SQL a statement may have.
    #[must_use]
    pub const fn with_sql_bytes(mut self, bytes: usize) -> Self {
        self.sql_bytes = bytes;
        self
    }

    /// Sets how many bytes a text or a blob may have.
    #[must_use]
    pub const fn with_value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = bytes;
        self
    }

    /// Sets how many columns a table or a result may have.
    #[must_use]
    pub const fn with_columns(mut self, columns: usize) -> Self {
        self.columns = columns;
        self
    }

    /// Sets how many statements a batch may have.
    #[must_use]
    pub const fn with_statements(mut self, statements: usize) -> Self {
        self.statements = statements;
        self
    }

    /// Sets how many bytes of SQL and of values a batch may have.
    #[must_use]
    pub const fn with_batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// Sets how many rows go fastest.
    #[must_use]
    pub const fn with_packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    /// Refuses a value that no database stores as it is, or that is too large; `what` says which it is.
    pub(crate) fn check_value(
        &self,
        value: &Value,
        what: impl FnOnce() -> String,
    ) -> Result<(), SqlError> {
        match value {
            Value::Real(real) if !real.is_finite() => {
                let message = format!("{} is NaN or infinite", what());
                Err(SqlError::new(SqlErrorKind::InvalidStatement, message))
            }
            _ if value.bytes() > self.value_bytes => Err(too_large(format!(
                "{} has {} bytes, and the database takes {}",
                what(),
                value.bytes(),
                self.value_bytes
            ))),
            _ => Ok(()),
        }
    }
}

pub(crate) fn too_large(message: String) -> SqlError {
    SqlError::new(SqlErrorKind::TooLarge, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn those_of_d1_are_the_documented_ones() {
        let d1 = Limits::D1;
        assert_eq!((d1.values, d1.sql_bytes), (100, 100_000));
        assert_eq!((d1.value_bytes, d1.columns), (2_000_000, 100));
        assert_eq!((d1.statements, d1.batch_bytes), (1_000, 8_000_000));
    }

    #[test]
    fn a_value_is_refused_by_its_place_and_never_told() {
        let limits = Limits::D1.with_value_bytes(3);
        let check = |value: Value| limits.check_value(&value, || "the value 7".to_owned());
        assert!(check("abc".into()).is_ok() && check(f64::MAX.into()).is_ok());
        let error = check("abcd".into()).unwrap_err();
        assert_eq!(error.kind(), SqlErrorKind::TooLarge);
        assert_eq!(
            error.message(),
            "the value 7 has 4 bytes, and the database takes 3"
        );
        for real in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = check(real.into()).unwrap_err();
            assert_eq!(error.kind(), SqlErrorKind::InvalidStatement);
            assert_eq!(error.message(), "the value 7 is NaN or infinite");
        }
    }
}
