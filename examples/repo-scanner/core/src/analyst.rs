//! Having repositories described.

use crate::{
    Anthropic, RepoName, Store, StoreError, Summary,
    reason::{Reason, ServerIs},
};
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream,
};
use std::{future::Future, pin::pin};
use tower_egress::{FetchExt, Timer, sql::Database};

/// How many are asked for at a time: the rate limit lets two through at once.
const AT_ONCE: usize = 4;
/// How many are stored at a time, at most, unless batching is switched off.
const BATCH: usize = 32;
/// After how many failures in a row the rest is not tried: a key that is refused is refused again.
const GIVE_UP_AFTER: usize = 8;

/// Has repositories described, and stores what is said.
#[derive(Clone, Debug)]
pub struct Analyst<C, D, T> {
    anthropic: Anthropic<C>,
    store: Store<D, T>,
}

impl<C: FetchExt, D: Database, T: Timer> Analyst<C, D, T> {
    /// Makes one.
    pub const fn new(anthropic: Anthropic<C>, store: Store<D, T>) -> Self {
        Self { anthropic, store }
    }

    /// Has repositories described that are not yet, `at_most` of them, until `stop` is done or eight in a row have failed: those
    /// with the most stars, and after them those for which it was tried before. In the summary, `scanned` are those that
    /// were described.
    ///
    /// # Errors
    ///
    /// Those of the database. What was stored is stored.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the requests under way, and what was said and not stored yet.
    pub async fn work(
        &self,
        at_most: u32,
        stop: impl Future<Output = ()>,
    ) -> Result<Summary, StoreError> {
        let mut summary = Summary::default();
        let mut stop = pin!(stop);
        let repositories = self.store.without_analysis(at_most).await?;
        let asked = stream::iter(repositories).map(async |repository| {
            let analysis = self.anthropic.analyse(&repository).await;
            (RepoName::parse(&repository.name), analysis)
        });
        let mut asked = pin!(asked.buffer_unordered(AT_ONCE).ready_chunks(BATCH));
        let mut failed_in_a_row = 0;
        while failed_in_a_row < GIVE_UP_AFTER {
            let Either::Left((Some(chunk), _)) = select(asked.next(), &mut stop).await else {
                break;
            };
            let (mut analyses, mut tried) = (Vec::new(), Vec::new());
            for (name, analysis) in chunk {
                let reason = match analysis {
                    Ok(Some(analysis)) => {
                        analyses.extend(name.map(|name| (name, analysis)));
                        failed_in_a_row = 0;
                        continue;
                    }
                    Ok(None) => Reason::no_text(),
                    Err(error) => Reason::of(&error),
                };
                failed_in_a_row += 1;
                summary.failed += 1;
                *summary.reasons.entry(reason.text).or_default() += 1;
                // A server that is gone says nothing of a repository.
                tried.extend(
                    name.ok()
                        .filter(|_| matches!(reason.server, ServerIs::There)),
                );
            }
            if !tried.is_empty() {
                self.store.note_tried(&tried).await?;
            }
            let batching = |(name, _): &(RepoName, _)| self.store.switches().batching(name).is_on;
            let (together, alone): (Vec<_>, Vec<_>) = analyses.into_iter().partition(batching);
            let count = together.len() + alone.len();
            if !together.is_empty() {
                self.store.save_analyses(&together).await?;
            }
            for analysis in alone.chunks(1) {
                self.store.save_analyses(analysis).await?;
            }
            summary.scanned += u64::try_from(count).unwrap_or(u64::MAX);
        }
        Ok(summary)
    }
}
