//! How a database is opened.

use super::{Sqlite, connection::Connection, thread};
use crate::sql::SqlError;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How a [`Sqlite`] is opened.
///
/// # Defaults
///
/// - busy timeout: 5 seconds
/// - durable: yes
///
/// ```
/// use std::time::Duration;
/// use tower_egress::sql::sqlite::SqliteOptions;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_egress::sql::SqlError> {
/// let options = SqliteOptions::new().with_busy_timeout(Duration::from_secs(1));
/// let database = options.open_in_memory().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    pub(super) busy_timeout: Duration,
    pub(super) durable: bool,
}

impl SqliteOptions {
    /// Starts with the defaults.
    pub const fn new() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            durable: true,
        }
    }

    /// Sets how long to wait for another connection, as of another process, that writes. After that the statement fails
    /// with [`Overloaded`](crate::sql::SqlErrorKind::Overloaded). It counts in whole milliseconds, up to 24 days.
    #[must_use]
    pub const fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets whether what was answered survives a power failure. Without it writes are many times faster, each that is
    /// not in a batch; a power failure may undo the last of them, and leaves the file whole. SQLite calls it
    /// `synchronous`, `FULL` and `NORMAL`.
    #[must_use]
    pub const fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Opens a file, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, is no database, or is held by others for longer than the busy timeout; or if no
    /// thread can be started.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<Sqlite, SqlError> {
        let path: PathBuf = path.as_ref().to_owned();
        thread::start(move || Connection::open(&path, self)).await
    }

    /// Makes a database in memory, which is gone with its last handle.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub async fn open_in_memory(self) -> Result<Sqlite, SqlError> {
        thread::start(move || Connection::open_in_memory(self)).await
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self::new()
    }
}
