//! A database that counts what is sent to it, and takes as much as it is told.

use std::{cell::Cell, sync::Mutex};
use tower_egress::sql::{Changes, Database, Limits, Outcome, Packing, Row, SqlError, Statement};

/// A database that counts what is sent to it, has limits of its own, and fails when it is told to.
#[derive(Debug)]
pub(crate) struct Observed<'a, D> {
    inner: &'a D,
    limits: Limits,
    batches: Cell<usize>,
    statements: Cell<usize>,
    values: Cell<usize>,
    longest: Cell<usize>,
    failure: Mutex<Option<(usize, SqlError, bool)>>,
}

impl<'a, D: Database> Observed<'a, D> {
    pub(crate) fn new(inner: &'a D) -> Self {
        Self {
            inner,
            limits: inner.limits(),
            batches: Cell::new(0),
            statements: Cell::new(0),
            values: Cell::new(0),
            longest: Cell::new(0),
            failure: Mutex::new(None),
        }
    }

    pub(crate) fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Fails after so many batches; the one that fails is done nevertheless, or not.
    pub(crate) fn failing(self, after: usize, error: SqlError, done: bool) -> Self {
        *self.failure.lock().expect("nobody panics") = Some((after, error, done));
        self
    }

    /// Batches, statements, and values of them, since the last time.
    pub(crate) fn sent(&self) -> (usize, usize, usize) {
        (
            self.batches.take(),
            self.statements.take(),
            self.values.take(),
        )
    }

    /// The most bytes of SQL that a statement had.
    pub(crate) fn longest(&self) -> usize {
        self.longest.get()
    }

    async fn send<T>(
        &self,
        statements: &[Statement],
        send: impl Future<Output = Result<T, SqlError>>,
    ) -> Result<T, SqlError> {
        let failure = self.failure.lock().expect("nobody panics").clone();
        let failure = failure.filter(|&(after, ..)| self.batches.get() == after);
        self.batches.set(self.batches.get() + 1);
        self.statements
            .set(self.statements.get() + statements.len());
        let values: usize = statements
            .iter()
            .map(|statement| statement.values().len())
            .sum();
        self.values.set(self.values.get() + values);
        let longest = statements.iter().map(|statement| statement.sql().len());
        self.longest
            .set(longest.max().max(Some(self.longest.get())).unwrap_or(0));
        match failure {
            None => send.await,
            Some((_, error, done)) => {
                if done {
                    send.await?;
                }
                Err(error)
            }
        }
    }
}

impl<D: Database> Database for Observed<'_, D> {
    async fn run(&self, statement: Statement) -> Result<Changes, SqlError> {
        let run = self.inner.run(statement.clone());
        self.send(&[statement], run).await
    }

    async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
        let first = self.inner.first(statement.clone());
        self.send(&[statement], first).await
    }

    async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        let all = self.inner.all(statement.clone());
        self.send(&[statement], all).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        let batch = self.inner.batch(statements.clone());
        self.send(&statements, batch).await
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}

/// The same database by both ways, and with its own limits.
pub(crate) fn every_way<D: Database>(database: &D) -> Vec<Observed<'_, D>> {
    let own = Observed::new(database);
    both_ways(database).into_iter().chain([own]).collect()
}

/// The same database, once for each way that rows travel, with the strictest limits.
pub(crate) fn both_ways<D: Database>(database: &D) -> [Observed<'_, D>; 2] {
    [Packing::Values, Packing::Json]
        .map(|packing| Observed::new(database).with_limits(Limits::D1.with_packing(packing)))
}
