//! Errors that a test makes.

use tower_egress::sql::{SqlError, SqlErrorKind};

/// What is said when the connection is lost.
pub(crate) fn lost() -> SqlError {
    SqlError::new(SqlErrorKind::ConnectionLost, "Network connection lost.")
}
