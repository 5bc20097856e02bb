//! Sends what is planned.

use super::{BulkError, Plan, Written};
use crate::sql::{Database, Fate, Outcome, SqlError};
use std::ops::Range;

/// Sends all batches, one after the other, until one fails.
pub(crate) async fn write<D: Database + ?Sized>(
    database: &D,
    mut plan: Plan<'_>,
) -> Result<Written, BulkError> {
    let mut written = Written::default();
    let mut done = 0..0;
    loop {
        let parts = plan.batch();
        let Some(last) = parts.last() else {
            return Ok(written);
        };
        let rows = done.end..last.rows.end;
        let kept: Vec<usize> = parts.iter().map(|part| part.kept).collect();
        let statements = parts.into_iter().map(|part| part.statement).collect();
        // A single one, too: by itself it would keep some of its rows where the schema says FAIL.
        let outcomes = database.batch(statements).await.map_err(|error| {
            let error = error.without(plan.values());
            failed(&error, done.clone(), rows.clone())
        })?;
        written.batches += 1;
        written.statements += kept.len();
        for (Outcome { changes, .. }, kept) in outcomes.iter().zip(kept) {
            written.rows_changed += changes.rows_changed;
            let kept = u64::try_from(kept).unwrap_or(u64::MAX);
            written.keys_missing += kept.saturating_sub(changes.rows_changed);
        }
        done.end = rows.end;
    }
}

fn failed(error: &SqlError, done: Range<usize>, sent: Range<usize>) -> BulkError {
    let nothing = sent.start..sent.start;
    let (done, unknown) = match error.fate() {
        Fate::NotDone => (done, nothing),
        Fate::Unknown => (done, sent),
        Fate::Done => (done.start..sent.end, nothing),
    };
    // The statements are ours, and their numbers say nothing to the caller.
    let error = SqlError::new(error.kind(), error.message());
    BulkError {
        error,
        done,
        unknown,
    }
}
