//! The scan itself.

use crate::{GitHub, NotFetched, RepoName, Repository};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    num::NonZeroUsize,
    pin::pin,
    task::Poll,
    time::Duration,
};
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
/// - a response that breaks off or takes too long is asked for again twice
/// - the scan stops after 24 failures of the connection or timeouts in a row
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanOptions {
    /// How many repositories are worked on at a time; most of them wait for the rate limit.
    pub at_once: NonZeroUsize,
    /// How long a repository may wait in all when a rate limit or the server says "later".
    pub patience: Duration,
    /// How often a repository is asked for again that the server refuses with a time to come back.
    pub put_off: u32,
    /// How often a response that breaks off or takes too long is asked for again. (A response that does not come is the stack's to retry.)
    pub broken_bodies: u32,
    /// After how many failures of the connection or timeouts in a row the server is taken to be gone.
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
    /// It was told to end.
    #[error("interrupted")]
    Interrupted,
    /// The server is gone.
    #[error("no answer {failures} times in a row; the last time: {last}")]
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
    /// in the summary. When `stop` is done, requests under way are dropped, and what was fetched is handed over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the requests under way. Outcomes that were handed to `keep` are kept if it keeps them.
    pub async fn scan<L, K>(
        &self,
        list: impl IntoIterator<Item = Result<RepoName, L>>,
        keep: impl AsyncFn(Outcome) -> Result<(), K>,
        stop: impl Future<Output = ()>,
    ) -> (Summary, Result<(), Stopped<L, K>>) {
        let mut list = list.into_iter().fuse();
        let mut stop = pin!(stop);
        let mut summary = Summary::default();
        // Apart, so that what is told to end can end without what was fetched, and nobody who waits for a connection
        // waits for the database.
        let (mut fetching, mut keeping) = (FuturesUnordered::new(), FuturesUnordered::new());
        let hand_over = async |(outcome, failure)| keep(outcome).await.map(|()| failure);
        let mut broken_in_a_row = 0;
        // Set to end the scan; what is under way is finished first, so that nothing fetched is lost.
        let mut stopped = None;
        let mut interrupted = false;
        loop {
            while stopped.is_none() && fetching.len() + keeping.len() < self.options.at_once.get() {
                match list.next() {
                    Some(Ok(name)) => fetching.push(self.one(name)),
                    Some(Err(error)) => stopped = Some(Stopped::List(error)),
                    None => break,
                }
            }
            let next = poll_fn(|cx| {
                if !interrupted && stop.as_mut().poll(cx).is_ready() {
                    interrupted = true;
                    fetching.clear();
                    stopped.get_or_insert(Stopped::Interrupted);
                }
                while let Poll::Ready(Some(fetched)) = fetching.poll_next_unpin(cx) {
                    keeping.push(hand_over(fetched));
                }
                match keeping.poll_next_unpin(cx) {
                    Poll::Ready(None) if !fetching.is_empty() => Poll::Pending,
                    kept => kept,
                }
            });
            let Some(kept) = next.await else {
                break;
            };
            match kept {
                Ok(None) => {
                    broken_in_a_row = 0;
                    summary.scanned += 1;
                }
                Ok(Some(Reason { text, server })) => {
                    match server {
                        ServerIs::There => broken_in_a_row = 0,
                        ServerIs::Unknown => {}
                        ServerIs::Gone => broken_in_a_row += 1,
                    }
                    summary.failed += 1;
                    *summary.reasons.entry(text.clone()).or_default() += 1;
                    if broken_in_a_row >= self.options.give_up_after && stopped.is_none() {
                        stopped = Some(Stopped::ServerGone {
                            failures: broken_in_a_row,
                            last: text,
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

    /// Fetches one repository, or says why that did not work.
    async fn one(&self, name: RepoName) -> (Outcome, Option<Reason>) {
        match self.fetch(&name).await {
            Ok(repository) => (Outcome::Scanned(Scanned { name, repository }), None),
            Err(error) => {
                let reason = Reason::of(&error);
                let failed = Failed {
                    name,
                    reason: reason.text.clone(),
                };
                (Outcome::Failed(failed), Some(reason))
            }
        }
    }

    /// Fetches, and asks again when it is told "later" and there is patience left, or the response breaks off.
    async fn fetch(&self, name: &RepoName) -> Result<Repository, NotFetched> {
        let until = self.timer.now() + self.options.patience;
        let (mut broken_bodies, mut put_off) = (0, 0);
        loop {
            let error = match self.github.repository(name).await {
                Ok(repository) => return Ok(repository),
                Err(error) => error,
            };
            let wait = match &error {
                NotFetched::NoResponse(error) => match error.kind() {
                    ErrorKind::RateLimited { .. } => error.retry_after(),
                    // A month's quota is not there again in an hour.
                    ErrorKind::Status(_)
                        if put_off < self.options.put_off
                            && error.gave_up() != Some(GaveUp::Final) =>
                    {
                        put_off += 1;
                        error.retry_after().map(|wait| wait.max(AT_LEAST))
                    }
                    _ => None,
                },
                NotFetched::Body(error)
                    if matches!(error.kind(), ErrorKind::Body | ErrorKind::TimedOut)
                        && broken_bodies < self.options.broken_bodies =>
                {
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

/// Why a repository was not fetched, and what that says about the server.
struct Reason {
    /// In few words, without what differs from one repository to the next.
    text: String,
    server: ServerIs,
}

/// What a failure says about the server.
enum ServerIs {
    There,
    /// Nothing: the request was not sent.
    Unknown,
    Gone,
}

impl Reason {
    fn of(error: &NotFetched) -> Self {
        let (text, kind) = match error {
            NotFetched::NoResponse(error) => (because(error), error.kind()),
            NotFetched::Body(error) if error.kind() == ErrorKind::TimedOut => {
                ("the response took too long".to_owned(), error.kind())
            }
            NotFetched::Body(error) => (because(error), error.kind()),
            NotFetched::TooLarge { .. } => {
                ("the response is too large".to_owned(), ErrorKind::Body)
            }
        };
        let server = match kind {
            ErrorKind::Transport | ErrorKind::TimedOut => ServerIs::Gone,
            ErrorKind::Queue | ErrorKind::BodiesHeld | ErrorKind::RateLimited { .. } => {
                ServerIs::Unknown
            }
            _ => ServerIs::There,
        };
        Self { text, server }
    }
}

fn because(error: &Error) -> String {
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
