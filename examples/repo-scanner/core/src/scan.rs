//! The scan itself.

use crate::{GitHub, RepoName, Repository};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};
use tower_egress::{Error, ErrorKind, FetchExt, GaveUp, SleepUntil, Timer};

/// How long is waited at least when a server says "later" and means "now".
const AT_LEAST: Duration = Duration::from_secs(1);

/// How a scan goes about it.
///
/// # Defaults
///
/// - 16 repositories at a time: enough to keep six connections and a rate limit busy
/// - up to 65 minutes of patience with rate limits, for each repository: GitHub's own window is an hour, and what is
///   given up a second before its end is lost
/// - a repository that the server puts off, after all the stack's retries, is asked for again five times
/// - a response that breaks off is asked for again twice
/// - the scan stops after 24 failures of the connection in a row
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanOptions {
    /// How many repositories are worked on at a time; most of them wait for the rate limit.
    pub at_once: NonZeroUsize,
    /// How long a repository may wait in all when a rate limit or the server says "later".
    pub patience: Duration,
    /// How often a repository is asked for again that the server refuses with a time to come back.
    pub put_off: u32,
    /// How often a response that breaks off is asked for again. (A response that does not come is the stack's to retry.)
    pub broken_bodies: u32,
    /// After how many failures of the connection in a row the server is taken to be gone.
    pub give_up_after: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            at_once: NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN),
            patience: Duration::from_secs(3900),
            put_off: 5,
            broken_bodies: 2,
            give_up_after: 24,
        }
    }
}

/// What became of one repository.
#[derive(Debug)]
pub enum Outcome {
    /// It was fetched.
    Scanned(Scanned),
    /// It was not.
    Failed(Failed),
}

/// A repository that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The name that was asked for. Since then it may have got [another](Repository::full_name).
    pub name: RepoName,
    /// What it is today.
    pub repository: Repository,
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
            Ok(repository) => {
                let scanned = Outcome::Scanned(Scanned { name, repository });
                keep(scanned).await.map(|()| None)
            }
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

    /// Fetches, and asks again when it is told "later" and there is patience left, or the response breaks off.
    async fn fetch(&self, name: &RepoName) -> Result<Repository, Error> {
        let until = self.timer.now() + self.options.patience;
        let (mut broken_bodies, mut put_off) = (0, 0);
        loop {
            let error = match self.github.repository(name).await {
                Ok(repository) => return Ok(repository),
                Err(error) => error,
            };
            let wait = match error.kind() {
                ErrorKind::RateLimited { .. } => error.retry_after(),
                // A month's quota is not there again in an hour.
                ErrorKind::Status(_)
                    if put_off < self.options.put_off && error.gave_up() != Some(GaveUp::Final) =>
                {
                    put_off += 1;
                    error.retry_after().map(|wait| wait.max(AT_LEAST))
                }
                ErrorKind::Body if broken_bodies < self.options.broken_bodies => {
                    broken_bodies += 1;
                    Some(Duration::ZERO)
                }
                _ => None,
            };
            let Some(wait) = wait else {
                return Err(error);
            };
            let again = self.timer.now() + wait;
            if again > until {
                return Err(error);
            }
            SleepUntil::new(self.timer.clone(), again).await;
        }
    }
}

/// Says why in few words, without what differs from one repository to the next.
fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Status(status) => format!("the server answered {status}"),
        ErrorKind::RateLimited { .. } => "rate limited for too long".to_owned(),
        ErrorKind::Queue => "no connection became free".to_owned(),
        ErrorKind::BodiesHeld => "responses that nobody reads hold all connections".to_owned(),
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
