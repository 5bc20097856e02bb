//! What there is, in numbers.

use super::{FromRow, Store, StoreError, TIMEOUT};
use serde::Deserialize;
use std::{sync::PoisonError, time::Duration};
use tower_egress::{
    Instant, Timer,
    sql::{Database, Row, SqlError, Statement},
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

impl FromRow for Business {
    fn from_row(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            repositories: row.get_as("repositories")?,
            failures: row.get_as("failures")?,
            analysed: row.get_as("analysed")?,
            scanned_last_hour: row.get_as("scanned_last_hour")?,
        })
    }
}

/// For how long at least what was counted is good enough.
const FRESH: Duration = Duration::from_secs(1);

/// What was counted last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    business: Business,
    good_until: Instant,
}

impl<D: Database, T: Timer> Store<D, T> {
    /// Counts what there is, or says what there was a moment ago: to count takes longer the more there is, and costs
    /// money at some databases. So for a hundred times as long as it took, and a second at least, it is not done again;
    /// and not by two at once, but for the first time.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn business(&self) -> Result<Business, StoreError> {
        let began = self.timer.now();
        let last = || self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = last().as_mut() {
            if began < counted.good_until {
                return Ok(counted.business);
            }
            // Whoever asks meanwhile gets what there was. Not for ever: who counts may be given up.
            counted.good_until = began + TIMEOUT;
        }
        let count = Statement::new(
            "SELECT (SELECT count(*) FROM repositories) AS repositories, \
             (SELECT count(*) FROM failures) AS failures, \
             (SELECT count(analysis) FROM repositories) AS analysed, \
             (SELECT count(*) FROM repositories WHERE scanned_at > ?) AS scanned_last_hour",
        );
        let count = count.bind(self.now().saturating_sub(3_600_000));
        let counted = self.first_as("db: count", count).await;
        let counted: Option<Business> = counted.inspect_err(|_| {
            if let Some(counted) = last().as_mut() {
                counted.good_until = began;
            }
        })?;
        let business = counted.unwrap_or_default();
        let now = self.timer.now();
        let good_for = (now - began).saturating_mul(100).max(FRESH);
        let good_until = now + good_for;
        *last() = Some(Counted {
            business,
            good_until,
        });
        Ok(business)
    }
}
