//! What has become of rows.

use crate::sql::SqlError;
use std::{error::Error, fmt, ops::Range};

/// What a bulk write has done.
///
/// ```
/// use tower_egress::sql::{BulkError, Database, Table};
///
/// /// Updates stars, and says how many repositories are not known.
/// async fn unknown(database: &impl Database, stars: Vec<(i64, i64)>) -> Result<u64, BulkError> {
///     let table = Table::new("repos", ["id", "stars"]).with_key(["id"]);
///     let written = table.update(database, stars).await?;
///     println!("{} rows in {} statements", written.rows_changed, written.statements);
///     Ok(written.keys_missing)
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// How many rows the database says it changed. Of rows with one key each is counted, as it is written over; those
    /// of triggers may count too.
    pub rows_changed: u64,
    /// How many keys of an update were not found. Where a key is not unique, or triggers write, it is too low.
    pub keys_missing: u64,
    /// How many statements it took.
    pub statements: usize,
    /// How many batches they went in, each a transaction.
    pub batches: usize,
}

/// Why a bulk write failed, and what has become of each row.
///
/// Rows are counted from 0, in the order in which they were given. Those that are in neither range are surely not
/// written.
///
/// ```
/// use tower_egress::sql::{Database, SqlError, Table};
///
/// /// Inserts rows, and returns those that are surely not written.
/// async fn insert(database: &impl Database, rows: Vec<(i64, String)>) -> Result<Vec<(i64, String)>, SqlError> {
///     let table = Table::new("repos", ["id", "name"]);
///     match table.insert(database, rows.clone()).await {
///         Ok(_) => Ok(Vec::new()),
///         // All of these are written, or none of them is.
///         Err(error) if !error.unknown.is_empty() => Err(error.error),
///         Err(error) => Ok(rows[error.done.end..].to_vec()),
///     }
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkError {
    /// What went wrong.
    pub error: SqlError,
    /// The rows that are surely written.
    pub done: Range<usize>,
    /// The rows of which nobody knows, because the connection was lost or the database was stopped: all of them are
    /// written, or none.
    pub unknown: Range<usize>,
}

impl BulkError {
    /// Of rows of which nothing was sent.
    pub(crate) fn unsent(error: SqlError) -> Self {
        Self {
            error,
            done: 0..0,
            unknown: 0..0,
        }
    }
}

impl fmt::Display for BulkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            error,
            done,
            unknown,
        } = self;
        write!(f, "{error}; ")?;
        match done.len() {
            0 => f.write_str("no row is surely written")?,
            _ => write!(f, "the rows {} to {} are written", done.start, done.end - 1)?,
        }
        match unknown.len() {
            0 => Ok(()),
            _ => write!(
                f,
                ", of {} to {} it is unknown",
                unknown.start,
                unknown.end - 1
            ),
        }
    }
}

impl Error for BulkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::SqlErrorKind;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn its_text_says_what_has_become_of_which_rows() {
        let error = SqlError::new(SqlErrorKind::ConnectionLost, "gone");
        let unsent = BulkError::unsent(error.clone()).to_string();
        assert!(
            unsent.ends_with("gone; no row is surely written"),
            "{unsent}"
        );
        let half = BulkError {
            error,
            done: 0..500,
            unknown: 500..900,
        }
        .to_string();
        assert!(
            half.ends_with("the rows 0 to 499 are written, of 500 to 899 it is unknown"),
            "{half}"
        );
    }
}
