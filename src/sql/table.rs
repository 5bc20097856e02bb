//! Many rows of a table at once.

use super::{
    BulkError, Database, DatabaseExt, IntoRow, Limits, SqlError, SqlErrorKind, Statement, Written,
    bulk::{self, Operation, Plan, Rows, Shape},
};
use serde::de::DeserializeOwned;

/// A table, some of its columns, and which of them are its key: writes and reads any number of rows in few statements.
///
/// # How many statements
///
/// As few as the database's [`Limits`](super::Limits) allow, in batches; with D1 that is one statement for each 2 MB of
/// rows, with SQLite one for each 512 values, and for each row that
/// is updated. All rows are checked, and held in memory, before anything is sent.
///
/// # What is stored
///
/// To the bit what one `INSERT` with bound values would store, whichever way the rows travel: every `i64`, real number,
/// text and blob. A value that is NaN or infinite, or too large, or a row of another width is an error that names row
/// and column, and nothing is sent.
///
/// # When it fails
///
/// A batch is a transaction: it is done or not done. If all rows fit into one, all of them are or none is; otherwise
/// the [`BulkError`] says which are. Nothing is tried again row by row.
///
/// # Cancel safety
///
/// A future that is dropped sends no further batch. What was sent may still be carried out.
///
/// # Names
///
/// Names are quoted: whatever is in them they are names, and case does not matter to SQLite. But they are part of
/// the statement; take them from the program, not from its users.
///
/// ```
/// use tower_egress::sql::{Database, BulkError, Table, Value};
///
/// async fn store(database: &impl Database, stars: Vec<(i64, i64)>) -> Result<u64, BulkError> {
///     let table = Table::new("repos", ["id", "stars"]).with_key(["id"]);
///     let written = table.upsert(database, stars).await?;
///     Ok(written.rows_changed)
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    shape: Shape,
    names: Vec<String>,
    key: Vec<String>,
}

impl Table {
    /// Names a table and the columns that rows have values for.
    pub fn new<C: Into<String>>(
        name: impl Into<String>,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        Self::of(&name.into(), columns.into_iter().map(Into::into).collect())
    }

    /// Names the columns that say which row it is. They must be among the table's columns, and be its primary key or
    /// have a unique index.
    #[must_use]
    pub fn with_key<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.key = columns.into_iter().map(Into::into).collect();
        self.place_key();
        self
    }

    /// Inserts rows, of as many values as there are columns. No row is nothing to do.
    ///
    /// # Errors
    ///
    /// If a row is there already, or twice in the call: then its batch is not done.
    pub async fn insert<D: Database + ?Sized, R: IntoRow>(
        &self,
        database: &D,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Written, BulkError> {
        self.write(database, Operation::Insert, rows).await
    }

    /// Inserts rows, or writes them over those with the same key. Of rows with the same key the last is left.
    ///
    /// # Errors
    ///
    /// If the key is not unique in the table, or a constraint refuses a row.
    pub async fn upsert<D: Database + ?Sized, R: IntoRow>(
        &self,
        database: &D,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Written, BulkError> {
        self.write(database, Operation::Upsert, rows).await
    }

    /// Writes rows over those with the same key, each with its own values. Keys that are not there are
    /// [counted](Written::keys_missing). Of rows with the same key the last is left.
    ///
    /// # Errors
    ///
    /// If there is no column but the key, or a constraint refuses a row.
    pub async fn update<D: Database + ?Sized, R: IntoRow>(
        &self,
        database: &D,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Written, BulkError> {
        self.write(database, Operation::Update, rows).await
    }

    /// Deletes the rows with these keys; a key has a value for each column of the key, in the order of
    /// [`with_key`](Self::with_key). Keys that are not there, or there twice, are not an error.
    ///
    /// # Errors
    ///
    /// If a constraint, as a foreign key, refuses it.
    pub async fn delete<D: Database + ?Sized, R: IntoRow>(
        &self,
        database: &D,
        keys: impl IntoIterator<Item = R>,
    ) -> Result<Written, BulkError> {
        let mut written = self.write(database, Operation::Delete, keys).await?;
        // Of keys that are there twice one is found.
        written.keys_missing = 0;
        Ok(written)
    }

    /// Reads the rows with these keys, each as a `T` by the rules of [`Row::deserialize`](super::Row::deserialize).
    ///
    /// They come in the order of the keys. A key that is not there has no row, one that is given twice has its row
    /// twice, and NULL is no key. Where there are more keys than fit into one statement (10,000 as JSON, 512 values
    /// otherwise) the rows are read in several, and another may write in between.
    ///
    /// # Errors
    ///
    /// Those of the database, and if a row cannot be read as a `T`.
    pub async fn select<T: DeserializeOwned>(
        &self,
        database: &(impl Database + ?Sized),
        keys: impl IntoIterator<Item = impl IntoRow>,
    ) -> Result<Vec<T>, SqlError> {
        let mut read = Vec::new();
        for part in self.plan(database.limits(), Operation::Select, keys)? {
            read.extend(database.all_as(part.statement).await?);
        }
        Ok(read)
    }

    /// Returns the statements that [`insert`](Self::insert) would send, for a [`Transaction`](super::Transaction) with others.
    ///
    /// ```
    /// use tower_egress::sql::{Database, Table, Transaction, TransactionError};
    ///
    /// /// Both, or neither, however many there are.
    /// async fn store(
    ///     database: &impl Database,
    ///     repos: Vec<(i64, &str)>,
    ///     gone: Vec<i64>,
    /// ) -> Result<(), TransactionError> {
    ///     let limits = database.limits();
    ///     let table = Table::new("repos", ["id", "name"]).with_key(["id"]);
    ///     let mut both = Transaction::new();
    ///     both.push_all(table.delete_statements(&limits, gone)?);
    ///     both.push_all(table.insert_statements(&limits, repos)?);
    ///     both.commit(database).await?;
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// If a row cannot be sent, or the table is none. A transaction that becomes too large for one batch says so when it
    /// is committed.
    pub fn insert_statements<R: IntoRow>(
        &self,
        limits: &Limits,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Vec<Statement>, SqlError> {
        self.statements(limits, Operation::Insert, rows)
    }

    /// Returns the statements that [`upsert`](Self::upsert) would send; see [`insert_statements`](Self::insert_statements).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn upsert_statements<R: IntoRow>(
        &self,
        limits: &Limits,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Vec<Statement>, SqlError> {
        self.statements(limits, Operation::Upsert, rows)
    }

    /// Returns the statements that [`update`](Self::update) would send; see [`insert_statements`](Self::insert_statements).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn update_statements<R: IntoRow>(
        &self,
        limits: &Limits,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Vec<Statement>, SqlError> {
        self.statements(limits, Operation::Update, rows)
    }

    /// Returns the statements that [`delete`](Self::delete) would send; see [`insert_statements`](Self::insert_statements).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn delete_statements<R: IntoRow>(
        &self,
        limits: &Limits,
        keys: impl IntoIterator<Item = R>,
    ) -> Result<Vec<Statement>, SqlError> {
        self.statements(limits, Operation::Delete, keys)
    }

    fn statements<R: IntoRow>(
        &self,
        limits: &Limits,
        operation: Operation,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Vec<Statement>, SqlError> {
        let plan = self.plan(*limits, operation, rows)?;
        Ok(statements(plan))
    }

    async fn write<D: Database + ?Sized, R: IntoRow>(
        &self,
        database: &D,
        operation: Operation,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Written, BulkError> {
        let plan = self.plan(database.limits(), operation, rows);
        let mut written = bulk::write(database, plan.map_err(BulkError::unsent)?).await?;
        if operation != Operation::Update {
            written.keys_missing = 0;
        }
        Ok(written)
    }

    fn plan<R: IntoRow>(
        &self,
        limits: Limits,
        operation: Operation,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Plan<'_>, SqlError> {
        let rows = Rows::collect(rows, &self.columns_of(operation)?, &limits)?;
        Ok(Plan::new(&self.shape, operation, limits, rows))
    }

    fn of(name: &str, names: Vec<String>) -> Self {
        let shape = Shape {
            table: quoted(name),
            columns: names.iter().map(|name| quoted(name)).collect(),
            key: Vec::new(),
        };
        Self {
            shape,
            names,
            key: Vec::new(),
        }
    }

    fn place_key(&mut self) {
        let place = |column| self.names.iter().position(|name| name == column);
        self.shape.key = self.key.iter().filter_map(place).collect();
    }

    /// Returns what a row of it has, if it is one that can be.
    fn columns_of(&self, operation: Operation) -> Result<Vec<&str>, SqlError> {
        self.check(operation)?;
        let columns = self.shape.columns_of(operation);
        Ok(columns.iter().map(|&index| &*self.names[index]).collect())
    }

    /// Refuses what would be no statement.
    fn check(&self, operation: Operation) -> Result<(), SqlError> {
        let invalid = |message: String| Err(SqlError::new(SqlErrorKind::InvalidStatement, message));
        if self.names.is_empty() {
            return invalid("the table has no columns".to_owned());
        }
        if let Some(name) = self.key.iter().find(|name| !self.names.contains(name)) {
            return invalid(format!("the key `{name}` is no column of the table"));
        }
        let twice = |names: &[String]| {
            let is_twice = |(n, name): (usize, &String)| {
                names[..n]
                    .iter()
                    .any(|other| other.eq_ignore_ascii_case(name))
            };
            names.iter().enumerate().any(is_twice)
        };
        if twice(&self.names) || twice(&self.key) {
            return invalid("a column is named twice".to_owned());
        }
        if operation != Operation::Insert && self.key.is_empty() {
            return invalid("the table has no key: see `Table::with_key`".to_owned());
        }
        if operation == Operation::Update && self.key.len() == self.names.len() {
            return invalid("there is no column to update but the key".to_owned());
        }
        Ok(())
    }
}

fn statements(plan: Plan<'_>) -> Vec<Statement> {
    plan.map(|part| part.statement).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
