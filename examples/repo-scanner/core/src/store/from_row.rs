//! What rows are read as.

use tower_egress::sql::{Row, SqlError};

/// Reads itself from a row, column by column. Columns are of a few types, whose readers all of these share; what
/// serde derives is as much code again for each struct, and all of it is sent to a Worker at each start.
pub(super) trait FromRow: Sized + Send {
    fn from_row(row: &Row) -> Result<Self, SqlError>;
}
