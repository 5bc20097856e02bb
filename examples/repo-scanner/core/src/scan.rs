//! The scan itself.

use crate::{
    Failed, Fetched, GitHub, NotFetched, Outcome, ScanOptions, Scanned, Stopped, Summary, Target,
    reason::{Reason, ServerIs},
};
use futures_util::{Stream, StreamExt, stream::FuturesUnordered};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tower_egress::{ErrorKind, FetchExt, GaveUp, SleepUntil, Timer};

/// How long is waited at least when a server says "later" and means "now".
const AT_LEAST: Duration = Duration::from_secs(1);

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

    /// Returns how many repositories it works on at a time.
    pub(crate) const fn at_once(&self) -> usize {
        self.options.at_once.get()
    }

    /// Scans the repositories of a list and hands each outcome to `keep`, in the order in which they come.
    ///
    /// The list is read as there is room, so it may be of any length. Every repository of it is handed over once, unless
    /// the scan is stopped. What was handed over by then is in the summary. When `stop` is done, requests under way are
    /// dropped, and what was fetched is handed over; so they are when outcomes cannot be kept, or the server is gone: some
    /// of them may wait for an hour. What nobody answered for in a row before the server was taken to be gone is not handed
    /// over, but for the first of it: it is still to do.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the requests under way. Outcomes that were handed to `keep` are kept if it keeps them.
    pub async fn scan<N: Into<Target>, L, K>(
        &self,
        list: impl Stream<Item = Result<N, L>>,
        keep: impl AsyncFn(Outcome) -> Result<(), K>,
        stop: impl Future<Output = ()>,
    ) -> (Summary, Result<(), Stopped<L, K>>) {
        self.scan_to_last(list, keep, stop, || {}).await
    }

    /// Does the same, and calls `last` when nothing is going to be handed over any more: it may not be kept yet.
    pub(crate) async fn scan_to_last<N: Into<Target>, L, K>(
        &self,
        list: impl Stream<Item = Result<N, L>>,
        keep: impl AsyncFn(Outcome) -> Result<(), K>,
        stop: impl Future<Output = ()>,
        last: impl FnOnce(),
    ) -> (Summary, Result<(), Stopped<L, K>>) {
        let mut last = Some(last);
        let mut list = pin!(list.fuse().peekable());
        let mut stop = pin!(stop);
        let mut summary = Summary::default();
        // Apart, so that what is told to end can end without what was fetched, and nobody who waits for a connection
        // waits for the database.
        let (mut fetching, mut keeping) = (FuturesUnordered::new(), FuturesUnordered::new());
        let hand_over = async |(outcome, became)| keep(outcome).await.map(|()| became);
        // Failures in a row for which nobody answered. They are their repositories' when the server answers for another one.
        let (mut in_doubt, mut known) = (Vec::new(), Vec::new());
        let mut answered = false;
        // Set to end the scan; what was fetched is handed over first.
        let mut stopped = None;
        let mut interrupted = false;
        loop {
            let next = poll_fn(|cx| {
                let mut moves = true;
                while std::mem::take(&mut moves) {
                    if stopped.is_none() && self.has_room(fetching.len(), keeping.len()) {
                        match list.as_mut().poll_next(cx) {
                            Poll::Ready(Some(Ok(target))) => {
                                fetching.push(self.one(target.into()));
                                moves = true;
                            }
                            Poll::Ready(Some(Err(error))) => stopped = Some(Stopped::List(error)),
                            Poll::Ready(None) | Poll::Pending => {}
                        }
                    }
                    while let Poll::Ready(Some(fetched)) = fetching.poll_next_unpin(cx) {
                        moves = true;
                        match fetched.1.server() {
                            ServerIs::Gone => in_doubt.push(fetched),
                            ServerIs::Unknown => known.push(fetched),
                            ServerIs::There => {
                                answered = true;
                                known.append(&mut in_doubt);
                                known.push(fetched);
                            }
                        }
                        if in_doubt.len() >= self.options.give_up_after {
                            fetching.clear();
                        }
                    }
                    let ended = fetching.is_empty()
                        && !in_doubt.is_empty()
                        && matches!(list.as_mut().poll_peek(cx), Poll::Ready(None));
                    // A list may be a slice of a longer one, and shorter than what is waited for otherwise.
                    let none_of_it = ended && !answered && in_doubt.len() > 1;
                    if stopped.is_some() {
                        // What is in doubt is still to do.
                    } else if none_of_it || in_doubt.len() >= self.options.give_up_after {
                        // The rest is still to do. One is done with: a scan gets on although the server answers for
                        // none of what is next.
                        stopped = in_doubt.last().map(|(_, last)| gone(in_doubt.len(), last));
                        known.extend(in_doubt.drain(..).take(1));
                    } else if ended {
                        known.append(&mut in_doubt);
                    }
                    for fetched in known.drain(..) {
                        keeping.push(hand_over(fetched));
                    }
                }
                if !interrupted && stop.as_mut().poll(cx).is_ready() {
                    interrupted = true;
                    // Who is told to end when there is only something left to keep has done it all.
                    let more = !matches!(list.as_mut().poll_peek(cx), Poll::Ready(None));
                    if !fetching.is_empty() || more {
                        fetching.clear();
                        stopped.get_or_insert(Stopped::Interrupted);
                    }
                }
                if last.is_some()
                    && fetching.is_empty()
                    && (stopped.is_some()
                        || matches!(list.as_mut().poll_peek(cx), Poll::Ready(None)))
                    && let Some(last) = last.take()
                {
                    last();
                }
                match keeping.poll_next_unpin(cx) {
                    Poll::Ready(None) if !fetching.is_empty() => Poll::Pending,
                    Poll::Ready(None) if stopped.is_none() => match list.as_mut().poll_peek(cx) {
                        Poll::Ready(None) => Poll::Ready(None),
                        Poll::Pending => Poll::Pending,
                        // It has come just now.
                        Poll::Ready(Some(_)) => {
                            cx.waker().wake_by_ref();
                            Poll::Pending
                        }
                    },
                    kept => kept,
                }
            });
            let Some(kept) = next.await else {
                break;
            };
            match kept {
                Ok(Became::Scanned) => summary.scanned += 1,
                Ok(Became::Unchanged) => summary.unchanged += 1,
                Ok(Became::Failed(Reason { text, .. })) => {
                    summary.failed += 1;
                    *summary.reasons.entry(text).or_default() += 1;
                }
                Err(error) => {
                    fetching.clear();
                    stopped.get_or_insert(Stopped::Keep(error));
                }
            }
        }
        (summary, stopped.map_or(Ok(()), Err))
    }

    const fn has_room(&self, fetching: usize, keeping: usize) -> bool {
        fetching < self.options.at_once.get() && keeping < self.options.backlog.get()
    }

    /// Fetches one repository, or says why that did not work.
    async fn one(&self, target: Target) -> (Outcome, Became) {
        match self.fetch(&target).await {
            Ok(Fetched::New { repository, etag }) => {
                let scanned = Scanned {
                    target,
                    repository,
                    etag,
                };
                (Outcome::Scanned(scanned), Became::Scanned)
            }
            Ok(Fetched::Unchanged) => (Outcome::Unchanged(target), Became::Unchanged),
            Err(error) => {
                let reason = Reason::of(&error);
                let failed = Failed {
                    target,
                    reason: reason.text.clone(),
                };
                (Outcome::Failed(failed), Became::Failed(reason))
            }
        }
    }

    /// Fetches, and asks again when it is told "later" and there is patience left, or the response breaks off.
    async fn fetch(&self, target: &Target) -> Result<Fetched, NotFetched> {
        let until = self.timer.now() + self.options.patience;
        let (mut broken_bodies, mut put_off) = (0, 0);
        loop {
            let fetched = self
                .github
                .repository(&target.name, target.etag.as_deref())
                .await;
            let error = match fetched {
                Ok(fetched) => return Ok(fetched),
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

/// What became of a repository, for the summary.
enum Became {
    Scanned,
    Unchanged,
    Failed(Reason),
}

impl Became {
    /// What it says about the server.
    const fn server(&self) -> ServerIs {
        match self {
            Self::Scanned | Self::Unchanged => ServerIs::There,
            Self::Failed(reason) => reason.server,
        }
    }
}

fn gone<L, K>(failures: usize, last: &Became) -> Stopped<L, K> {
    let last = match last {
        Became::Failed(reason) => reason.text.clone(),
        Became::Scanned | Became::Unchanged => String::new(),
    };
    Stopped::ServerGone { failures, last }
}
