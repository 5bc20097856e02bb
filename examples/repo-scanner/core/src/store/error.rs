//! Why the database could not be used.

use tower_egress::sql::{BulkError, MigrationError, SqlError, TransactionError};

/// Why something was not stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database says so.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A part of many rows was not written.
    #[error(transparent)]
    Bulk(#[from] BulkError),
    /// The tables are not ours, or could not be made.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// It took too long.
    #[error("the database took too long ({operation})")]
    TimedOut {
        /// For what.
        operation: &'static str,
    },
    /// Somebody else has begun a scan.
    #[error("a scan is running")]
    ScanIsRunning,
}

impl From<TransactionError> for StoreError {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Failed(error) => Self::Sql(error),
            // Both guards are about that.
            _ => Self::ScanIsRunning,
        }
    }
}
