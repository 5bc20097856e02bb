//! What there is, in numbers.

use super::{Store, StoreError};
use serde::Deserialize;
use tower_egress::{
    Timer,
    sql::{Database, DatabaseExt, Statement},
};

/// What there is, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Business {
    /// Repositories that are known.
    pub repositories: u64,
    /// Repositories that could not be fetched when it was last tried.
    pub failures: u64,
    /// Repositories that a language model has described.
    pub analysed: u64,
    /// Repositories that were scanned in the last hour.
    pub scanned_last_hour: u64,
}

impl<D: Database, T: Timer> Store<D, T> {
    /// Counts what there is.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn business(&self) -> Result<Business, StoreError> {
        let count = Statement::new(
            "SELECT (SELECT count(*) FROM repositories) AS repositories, \
             (SELECT count(*) FROM failures) AS failures, \
             (SELECT count(analysis) FROM repositories) AS analysed, \
             (SELECT count(*) FROM repositories WHERE scanned_at > ?) AS scanned_last_hour",
        );
        let count = count.bind(self.now().saturating_sub(3_600_000));
        let counted = self.database.first_as(count);
        let counted = self.monitored("db: count", counted).await?;
        Ok(counted.unwrap_or_default())
    }
}
