//! One process at a time works on the scans of a database.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// What is locked while somebody works: an empty file beside the database, `scan.db-lock` beside `scan.db`. It stays there; the lock
/// goes with the process, however that ends.
#[derive(Clone, Debug)]
pub(crate) struct Lock(PathBuf);

/// Somebody works, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

impl Lock {
    /// That of a database.
    pub(crate) fn of(database: &Path) -> Self {
        let mut path = database.to_owned().into_os_string();
        path.push("-lock");
        Self(path.into())
    }

    /// Takes it, unless another process has it.
    pub(crate) fn take(&self) -> io::Result<Option<Held>> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false);
        let file = options.open(&self.0)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Held { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
