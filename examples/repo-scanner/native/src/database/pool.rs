//! Several connections to one database: one that writes, and some that only read beside it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tower_egress::sql::{
    Changes, Database, Limits, Outcome, Row, SqlError, Statement,
    sqlite::{Sqlite, SqliteOptions},
};

/// A handle on the database. What writes goes to the one connection that does; what only reads goes to one of those that
/// are there for it, if there are any: in WAL mode they wait for no writer, and no writer for them.
///
/// What one handle has written, all see. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    writer: Sqlite,
    readers: Arc<[Reader]>,
}

/// A connection that only reads.
#[derive(Clone, Debug)]
struct Reader {
    connection: Sqlite,
    under_way: Arc<AtomicUsize>,
}

impl Pool {
    /// Opens a database with one connection, which does everything.
    pub(super) async fn open(path: &Path, options: SqliteOptions) -> Result<Self, SqlError> {
        Ok(Self {
            writer: options.open(path).await?,
            readers: Arc::default(),
        })
    }

    /// Returns a handle with so many connections of its own for what only reads: whoever reads through others, however
    /// slowly, is in nobody's way there.
    pub(crate) async fn with_readers(&self, path: &Path, count: usize) -> Result<Self, SqlError> {
        let mut readers = Vec::new();
        for _ in 0..count {
            let connection = Sqlite::open(path).await?;
            connection.run("PRAGMA query_only = ON".into()).await?;
            readers.push(Reader {
                connection,
                under_way: Arc::default(),
            });
        }
        Ok(Self {
            writer: self.writer.clone(),
            readers: readers.into(),
        })
    }

    /// The reader with the fewest under way, if there is one and this only reads.
    fn reader_for(&self, statement: &Statement) -> Option<Reading> {
        let fewest = |reader: &&Reader| reader.under_way.load(Relaxed);
        let reader = self.readers.iter().min_by_key(fewest);
        let reader = reader.filter(|_| statement.is_read_only())?;
        reader.under_way.fetch_add(1, Relaxed);
        Some(Reading {
            reader: reader.clone(),
            is_done: false,
        })
    }
}

/// Something is read, until this is dropped, or, where somebody has given it up, until the connection is done with it all
/// the same.
struct Reading {
    reader: Reader,
    is_done: bool,
}

impl Reading {
    async fn done<T>(mut self, read: impl Future<Output = T>) -> T {
        let read = read.await;
        self.is_done = true;
        read
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        let Some(runtime) = runtime.ok().filter(|_| !self.is_done) else {
            self.reader.under_way.fetch_sub(1, Relaxed);
            return;
        };
        let Reader {
            connection,
            under_way,
        } = self.reader.clone();
        #[allow(
            clippy::disallowed_methods,
            reason = "the program itself, not a layer: it owns its runtime"
        )]
        runtime.spawn(async move {
            // It comes behind what was given up.
            let _ = connection.first("SELECT 1".into()).await;
            under_way.fetch_sub(1, Relaxed);
        });
    }
}

impl Database for Pool {
    async fn run(&self, statement: Statement) -> Result<Changes, SqlError> {
        self.writer.run(statement).await
    }

    async fn first(&self, statement: Statement) -> Result<Option<Row>, SqlError> {
        match self.reader_for(&statement) {
            Some(reading) => {
                let connection = reading.reader.connection.clone();
                reading.done(connection.first(statement)).await
            }
            None => self.writer.first(statement).await,
        }
    }

    async fn all(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        match self.reader_for(&statement) {
            Some(reading) => {
                let connection = reading.reader.connection.clone();
                reading.done(connection.all(statement)).await
            }
            None => self.writer.all(statement).await,
        }
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        self.writer.batch(statements).await
    }

    fn limits(&self) -> Limits {
        self.writer.limits()
    }
}

#[cfg(test)]
mod tests;
