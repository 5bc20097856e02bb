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
    /// That of a database, which is there: under whatever name it is opened, SQLite follows a link to the same file.
    pub(crate) fn of(database: &Path) -> Self {
        let path = database.canonicalize();
        let mut path = path
            .unwrap_or_else(|_| database.to_owned())
            .into_os_string();
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    /// Two processes worked on one scan, each with a lock of its own.
    #[test]
    fn a_database_with_two_names_has_one_lock() {
        let folder = std::env::temp_dir().join(format!("repo-scanner-lock-{}", std::process::id()));
        fs::create_dir_all(folder.join("other")).unwrap();
        let (real, link) = (folder.join("scan.db"), folder.join("other/link.db"));
        fs::write(&real, "").unwrap();
        symlink(&real, &link).unwrap();
        let held = Lock::of(&real).take().unwrap();
        assert!(held.is_some());
        assert!(Lock::of(&link).take().unwrap().is_none());
        drop(held);
        assert!(Lock::of(&link).take().unwrap().is_some());
        fs::remove_dir_all(folder).unwrap();
    }
}
