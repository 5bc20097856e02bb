//! A folder for what is measured with.

use crate::failure::Failure;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A folder of this process, gone when it is dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Self, Failure> {
        let path =
            std::env::temp_dir().join(format!("repo-scanner-measure-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| unwritable(&path, error))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file into it.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        fs::write(&path, text).map_err(|error| unwritable(&path, error))?;
        Ok(path)
    }

    /// Deletes a database, if it is there.
    pub(super) fn delete_database(&self, name: &str) {
        for end in ["", "-wal", "-shm", "-lock"] {
            // It may not be there.
            let _ = fs::remove_file(self.path(&format!("{name}{end}")));
        }
    }
}

fn unwritable(path: &Path, error: io::Error) -> Failure {
    Failure::failed(format!("cannot write to {}", path.display()), error)
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
