//! A database that spends statements.

use super::Budget;
use tower_egress::sql::{Changes, Database, Limits, Outcome, Row, SqlError, Statement};

/// A database that takes each statement from a budget, or from none.
///
/// What is beyond is sent all the same: see [`Budget`].
#[derive(Clone, Debug)]
pub struct BudgetedDatabase<D> {
    inner: D,
    budget: Option<Budget>,
}

impl<D> BudgetedDatabase<D> {
    /// Makes one.
    pub const fn new(inner: D, budget: Option<Budget>) -> Self {
        Self { inner, budget }
    }

    fn take(&self, statements: usize) {
        if let Some(budget) = &self.budget {
            budget.take_statements(statements);
        }
    }
}

impl<D: Database> Database for BudgetedDatabase<D> {
    async fn run(&self, statement: Statement) -> Result<Changes, SqlError> {
        self.take(1);
        self.inner.run(statement).await
    }

    async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
        self.take(1);
        self.inner.first(statement).await
    }

    async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        self.take(1);
        self.inner.all(statement).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        self.take(statements.len());
        self.inner.batch(statements).await
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }
}
