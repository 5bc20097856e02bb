//! The connection, which blocks.

use super::{SqliteOptions, message, wal};
use crate::sql::{
    Changes, Limits, Outcome, Packing, Row, SqlError, SqlErrorKind, Statement, Value,
};
use bytes::Bytes;
use rusqlite::{
    CachedStatement, ToSql,
    limits::Limit,
    types::{ToSqlOutput, ValueRef},
};
use std::{path::Path, slice, sync::Arc};

/// As many prepared statements are kept.
const CACHED: usize = 64;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    inner: rusqlite::Connection,
    limits: Limits,
}

impl Connection {
    pub(super) fn open(path: &Path, options: SqliteOptions) -> Result<Self, SqlError> {
        if path.as_os_str().is_empty() {
            // SQLite would make a file without a name, and remove it when it is closed.
            let message = "the path is empty";
            return Err(SqlError::new(SqlErrorKind::Other, message));
        }
        let connection = Self::of(rusqlite::Connection::open(path), options)?;
        wal::set(&connection.inner, options.busy_timeout)?;
        Ok(connection)
    }

    pub(super) fn open_in_memory(options: SqliteOptions) -> Result<Self, SqlError> {
        Self::of(rusqlite::Connection::open_in_memory(), options)
    }

    fn of(
        opened: rusqlite::Result<rusqlite::Connection>,
        options: SqliteOptions,
    ) -> Result<Self, SqlError> {
        let set_up = || {
            let inner = opened?;
            wal::wait(&inner, options.busy_timeout)?;
            inner.set_prepared_statement_cache_capacity(CACHED);
            inner.execute_batch("PRAGMA foreign_keys = ON")?;
            let synchronous = if options.durable { "FULL" } else { "NORMAL" };
            inner.execute_batch(&format!("PRAGMA synchronous = {synchronous}"))?;
            let limits = limits_of(&inner)?;
            Ok(Self { inner, limits })
        };
        set_up().map_err(|error| message::read(&error, &[]))
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    /// Runs a statement and keeps so many of its rows, at most; if none, all are made nevertheless.
    pub(super) fn run(&mut self, statement: &Statement, keep: usize) -> Result<Outcome, SqlError> {
        self.run_one(statement, keep)
            .map_err(|failure| failure.into_error(slice::from_ref(statement)))
    }

    pub(super) fn batch(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, SqlError> {
        let only_reads = statements.iter().all(Statement::is_read_only);
        // One that reads first and writes later could find that another has written in between.
        let begin = if only_reads {
            "BEGIN DEFERRED"
        } else {
            "BEGIN IMMEDIATE"
        };
        self.transaction(begin, statements).map_err(|error| {
            self.recover();
            match error.kind() {
                // Of a statement by itself it says that it is done. This is undone.
                SqlErrorKind::Decode => error.with_kind(SqlErrorKind::InvalidStatement),
                _ => error,
            }
        })
    }

    fn transaction(
        &mut self,
        begin: &str,
        statements: &[Statement],
    ) -> Result<Vec<Outcome>, SqlError> {
        let failed = |error| message::read(&error, statements);
        self.inner.execute_batch(begin).map_err(failed)?;
        let outcomes = statements.iter().enumerate().map(|(index, statement)| {
            self.run_one(statement, usize::MAX)
                .map_err(|failure| failure.into_error(statements).with_statement(index))
        });
        let outcomes = outcomes.collect::<Result<_, _>>()?;
        self.inner.execute_batch("COMMIT").map_err(failed)?;
        Ok(outcomes)
    }

    /// Undoes what is not committed.
    pub(super) fn recover(&mut self) {
        if !self.inner.is_autocommit() {
            // Where it fails, SQLite has rolled back by itself.
            let _ = self.inner.execute_batch("ROLLBACK");
        }
    }

    fn run_one(&self, statement: &Statement, keep: usize) -> Result<Outcome, Failure> {
        let sql = statement.check(&self.limits)?;
        let mut prepared = self.inner.prepare_cached(sql)?;
        bind(&mut prepared, statement.values())?;
        let mut columns: Option<Arc<[Box<str>]>> = None;
        // A write is committed, or refused, behind its last row.
        let only_reads = prepared.readonly();
        let is_enough = keep == 1 && only_reads;
        let before = self.inner.total_changes();
        let mut rows = prepared.raw_query();
        let mut kept = Vec::new();
        let mut unread = None;
        while let Some(row) = rows.next()? {
            if kept.len() < keep && unread.is_none() {
                // In the first step SQLite prepares it anew, if the schema has changed since.
                let columns = columns
                    .get_or_insert_with(|| row.as_ref().column_names().map(Box::from).collect());
                match read(row, columns) {
                    Ok(row) => kept.push(row),
                    Err(failure) => unread = Some(failure),
                }
            }
            if is_enough || (only_reads && unread.is_some()) {
                break;
            }
        }
        drop(rows);
        if let Some(failure) = unread {
            return Err(failure);
        }
        // What `changes` says is of the last statement that changed anything.
        let changed = match self.inner.total_changes() == before {
            true => 0,
            false => self.inner.changes(),
        };
        let last = Some(self.inner.last_insert_rowid()).filter(|&id| id != 0);
        Ok(Outcome::new(Changes::new(changed, last), kept))
    }

    #[cfg(test)]
    pub(super) fn panic(&mut self) -> Result<Outcome, SqlError> {
        self.inner.execute_batch("BEGIN IMMEDIATE").unwrap();
        panic!("as it was asked to");
    }
}

fn limits_of(connection: &rusqlite::Connection) -> rusqlite::Result<Limits> {
    let limit = |limit| {
        let limit = connection.limit(limit)?;
        Ok::<_, rusqlite::Error>(usize::try_from(limit).unwrap_or(0))
    };
    Ok(Limits::SQLITE
        .with_values(limit(Limit::SQLITE_LIMIT_VARIABLE_NUMBER)?)
        .with_sql_bytes(limit(Limit::SQLITE_LIMIT_SQL_LENGTH)?)
        .with_value_bytes(limit(Limit::SQLITE_LIMIT_LENGTH)?)
        .with_columns(limit(Limit::SQLITE_LIMIT_COLUMN)?)
        .with_packing(Packing::Values))
}

/// Why a statement failed: SQLite's word or ours.
enum Failure {
    Sqlite(rusqlite::Error),
    Ours(SqlError),
}

impl Failure {
    fn into_error(self, statements: &[Statement]) -> SqlError {
        match self {
            Self::Sqlite(error) => message::read(&error, statements),
            Self::Ours(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Ours(error)
    }
}

fn bind(prepared: &mut CachedStatement<'_>, values: &[Value]) -> Result<(), Failure> {
    let invalid = |message: String| SqlError::new(SqlErrorKind::InvalidStatement, message);
    let wanted = prepared.parameter_count();
    for n in 1..=wanted {
        if let Some(name) = prepared.parameter_name(n)
            && !name.starts_with('?')
        {
            let message = format!("placeholders have no names, as {name} is one");
            return Err(invalid(message).into());
        }
    }
    if wanted > values.len() {
        let (n, has) = (values.len() + 1, values.len());
        let message = format!("there is no value for the placeholder ?{n}, of {has} values");
        return Err(invalid(message).into());
    }
    if wanted < values.len() {
        let message = format!("{} values for {wanted} placeholders", values.len());
        return Err(invalid(message).into());
    }
    for (value, n) in values.iter().zip(1..) {
        prepared.raw_bind_parameter(n, Bound(value))?;
    }
    Ok(())
}

/// A value, bound without a copy.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn read(row: &rusqlite::Row<'_>, columns: &Arc<[Box<str>]>) -> Result<Row, Failure> {
    let mut values = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        values.push(match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => Value::Integer(integer),
            ValueRef::Real(real) => Value::Real(real),
            ValueRef::Blob(bytes) => Value::Blob(Bytes::copy_from_slice(bytes)),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => {
                    let message = format!("the column `{column}` holds a text that is not UTF-8");
                    return Err(SqlError::new(SqlErrorKind::Decode, message).into());
                }
            },
        });
    }
    Ok(Row::new(Arc::clone(columns), values))
}
