//! What an invocation may ask of its platform.

mod database;
mod service;

pub use self::{
    database::BudgetedDatabase,
    service::{Budgeted, BudgetedFuture},
};

use futures_util::task::AtomicWaker;
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::Poll,
};

/// How many operations something takes, or may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    /// Requests that are sent, each attempt and each redirection one.
    pub fetches: u32,
    /// Statements of SQL, each of a transaction one.
    pub statements: u32,
}

/// How many operations are left to whoever works: an invocation of a Worker has so many and no more.
///
/// Clones are handles on the same. A [`Budgeted`] client spends fetches and a [`BudgetedDatabase`] spends statements; a
/// [`Job`](crate::Job) that is [told of it](crate::Job::with_budget) takes nothing up any more when little is left, and ends its
/// slice when a fetch is wanted and there is none. What is left undone is the next slice's.
///
/// ```
/// use repo_scanner_core::{Budget, Operations};
///
/// let budget = Budget::unlimited();
/// budget.refill(Operations { fetches: 50, statements: 50 });
/// assert_eq!(budget.left(), Operations { fetches: 50, statements: 50 });
/// ```
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fetches: AtomicU32,
    statements: AtomicU32,
    /// Whether a fetch was wanted and there was none.
    is_short: AtomicBool,
    /// Of whoever is to end then.
    ends: AtomicWaker,
}

impl Operations {
    /// More than anybody needs.
    pub const UNLIMITED: Self = Self {
        fetches: u32::MAX,
        statements: u32::MAX,
    };
}

impl Budget {
    /// Makes one that is not spent in a life.
    pub fn unlimited() -> Self {
        Self(Arc::new(Inner {
            fetches: AtomicU32::new(u32::MAX),
            statements: AtomicU32::new(u32::MAX),
            is_short: AtomicBool::new(false),
            ends: AtomicWaker::new(),
        }))
    }

    /// Begins anew, with so much.
    pub fn refill(&self, operations: Operations) {
        self.0.fetches.store(operations.fetches, Relaxed);
        self.0.statements.store(operations.statements, Relaxed);
        self.0.is_short.store(false, Relaxed);
    }

    /// Returns what is left.
    pub fn left(&self) -> Operations {
        Operations {
            fetches: self.0.fetches.load(Relaxed),
            statements: self.0.statements.load(Relaxed),
        }
    }

    /// Resolves when a fetch was wanted and there was none left. One task at a time can wait for it.
    pub async fn spent(&self) {
        poll_fn(|cx| {
            self.0.ends.register(cx.waker());
            match self.0.is_short.load(Relaxed) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Takes a fetch, if there is one.
    fn take_fetch(&self) -> bool {
        let took = self
            .0
            .fetches
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        if took.is_err() {
            self.0.is_short.store(true, Relaxed);
            self.0.ends.wake();
        }
        took.is_ok()
    }

    /// Takes statements. Below zero it does not stop anybody: what was fetched has to be stored, and the database says itself
    /// what it does not take.
    fn take_statements(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let less = |left: u32| Some(left.saturating_sub(count));
        let _ = self.0.statements.fetch_update(Relaxed, Relaxed, less);
    }
}
