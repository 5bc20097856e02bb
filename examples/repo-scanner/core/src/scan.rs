//! The scan itself.

use crate::{GitHub, RepoName, Repository};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};
use tower_egress::{Error, ErrorKind, FetchExt, SleepUntil, Timer};

/// How a scan goes about it.
///
/// # Defaults
///
/// - 16 repositories at a time: enough to keep six connections and a rate limit busy
/// - up to an hour of patience with a rate limit, for each repository
/// - a response that breaks off is asked for again twice
/// - the scan stops after 24 failures of the connection in a row
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanOptions {
    /// How many repositories are worked on at a time; most of them wait for the rate limit.
    pub at_once: NonZeroUsize,
    /// How long a repository may wait in all when the rate limit says "later".
    pub patience: Duration,
    /// How often a response that breaks off is asked for again. (A response that does not come is the stack's to retry.)
    pub broken_bodies: u32,
    /// After how many failures of the connection in a row the server is taken to be gone.
    pub give_up_after: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            at_once: NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN),
            patience: Duration::from_secs(3600),
            broken_bodies: 2,
            give_up_after: 24,
        }
    }
}

/// What became of one repository.
#[derive(Debug)]
pub enum Outcome {
    /// It was fetched.
    Scanned(Repository),
    /// It was not.
    Failed(Failed),
}

/// A repository that could not be scanned, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Its name.
    pub name: RepoName,
    /// Why, in few words that are the same for the same cause.
    pub reason: String,
}

/// Why a scan ended before its list did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped<L, K> {
    /// The list could not be read on.
    #[error("{0}")]
    List(L),
    /// What was found could not be kept.
    #[error("{0}")]
    Keep(K),
    /// The server is gone.
    #[error("{failures} failures of the connection in a row; the last was: {last}")]
    ServerGone {
        /// How many in a row.
        failures: usize,
        /// The last of them.
        last: String,
    },
}

/// What a scan came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Repositories fetched and kept.
    pub scanned: u64,
    /// Repositories that failed.
    pub failed: u64,
    /// How many failed for which reason.
    pub reasons: BTreeMap<String, u64>,
}

/// Scans repositories through a client.
#[derive(Clone, Debug)]
pub struct Scanner<C, T> {
    github: GitHub<C>,
    timer: T,
    options: ScanOptions,
}

impl<C: FetchExt, T: Timer> Scanner<C, T> {
    /// Makes a scanner.
    pub const fn new(github: GitHub<C>, timer: T, options: ScanOptions) -> Self {
        Self {
            github,
            timer,
            options,
        }
    }

    /// Scans the repositories of a list and hands each outcome to `keep`, in the order in which they come.
    ///
    /// Every repository of the list is handed over once, unless the scan is stopped. What was handed over by then is
    /// in the summary.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the requests under way. Outcomes that were handed to `keep` are kept if it keeps them.
    pub async fn scan<L, K>(
        &self,
        list: impl IntoIterator<Item = Result<RepoName, L>>,
        keep: impl AsyncFn(Outcome) -> Result<(), K>,
    ) -> (Summary, Result<(), Stopped<L, K>>) {
        let mut list = list.into_iter().fuse();
        let mut summary = Summary::default();
        let mut under_way = FuturesUnordered::new();
        let mut broken_in_a_row = 0;
        // Set to end the scan; what is under way is finished first, so that nothing fetched is lost.
        let mut stopped = None;
        loop {
            while stopped.is_none() && under_way.len() < self.options.at_once.get() {
                match list.next() {
                    Some(Ok(name)) => under_way.push(self.one(name, &keep)),
                    Some(Err(error)) => stopped = Some(Stopped::List(error)),
                    None => break,
                }
            }
            let Some(done) = under_way.next().await else {
                break;
            };
            match done {
                Ok(None) => {
                    broken_in_a_row = 0;
                    summary.scanned += 1;
                }
                Ok(Some((reason, broken))) => {
                    broken_in_a_row = if broken { broken_in_a_row + 1 } else { 0 };
                    summary.failed += 1;
                    *summary.reasons.entry(reason.clone()).or_default() += 1;
                    if broken_in_a_row >= self.options.give_up_after && stopped.is_none() {
                        stopped = Some(Stopped::ServerGone {
                            failures: broken_in_a_row,
                            last: reason,
                        });
                    }
                }
                Err(error) => {
                    stopped.get_or_insert(Stopped::Keep(error));
                }
            }
        }
        (summary, stopped.map_or(Ok(()), Err))
    }

    /// Fetches one repository and hands it over: inside the same future, so that nobody who waits for a
    /// connection waits for the database.
    async fn one<K>(
        &self,
        name: RepoName,
        keep: &impl AsyncFn(Outcome) -> Result<(), K>,
    ) -> Result<Option<(String, bool)>, K> {
        match self.fetch(&name).await {
            Ok(repository) => keep(Outcome::Scanned(repository)).await.map(|()| None),
            Err(error) => {
                let broken = error.kind() == ErrorKind::Transport;
                let reason = reason(&error);
                let failed = Failed {
                    name,
                    reason: reason.clone(),
                };
                keep(Outcome::Failed(failed)).await?;
                Ok(Some((reason, broken)))
            }
        }
    }

    /// Fetches, and asks again when the rate limit says "later" and there is patience left, or the response breaks off.
    async fn fetch(&self, name: &RepoName) -> Result<Repository, Error> {
        let until = self.timer.now() + self.options.patience;
        let mut broken_bodies = 0;
        loop {
            let result = self.github.repository(name).await;
            match result.as_ref().map_err(Error::kind) {
                Err(ErrorKind::RateLimited { retry_after }) => {
                    let again = self.timer.now() + retry_after;
                    if again > until {
                        return result;
                    }
                    SleepUntil::new(self.timer.clone(), again).await;
                }
                Err(ErrorKind::Body) if broken_bodies < self.options.broken_bodies => {
                    broken_bodies += 1;
                }
                _ => return result,
            }
        }
    }
}

/// Says why in few words, without what differs from one repository to the next.
fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Status(status) => format!("the server answered {status}"),
        ErrorKind::RateLimited { .. } => "rate limited for too long".to_owned(),
        ErrorKind::Queue => "no connection became free".to_owned(),
        ErrorKind::TimedOut => "timed out".to_owned(),
        ErrorKind::DeadlineExceeded => "the deadline has passed".to_owned(),
        ErrorKind::InvalidRequest => "the request could not be built".to_owned(),
        ErrorKind::Body => "the response broke off".to_owned(),
        ErrorKind::Decode => "the response is not a repository".to_owned(),
        _ => format!("the connection failed: {}", root_cause(error)),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let root = std::iter::successors(Some(error), |&error| error.source()).last();
    root.unwrap_or(error).to_string()
}
