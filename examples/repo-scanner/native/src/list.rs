//! The list of repositories of one scan.

use crate::failure::Failure;
use repo_scanner_core::{CATALOGUE, CATALOGUE_KEY, ListKey, RepoName, ReposError, repos};
use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Seek},
    path::Path,
};

/// A list that was read once to find what is wrong with it, and how long it is.
pub(crate) struct List {
    names: Box<dyn BufRead>,
    count: u64,
    key: String,
}

impl List {
    /// Checks the list in a file, or the one that ships with the program.
    ///
    /// A file is read twice, a line at a time. What can be read only once, such as a pipe, is read to its end, and its
    /// names are kept: some 25 bytes for each.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self {
                names: Box::new(CATALOGUE.as_bytes()),
                count: repos(CATALOGUE.as_bytes()).fold(0, |count, _| count + 1),
                key: CATALOGUE_KEY.to_owned(),
            });
        };
        let place = path.display();
        let unreadable = |error| Failure::usage(format!("cannot read {place}: {error}"));
        let wrong = |error| Failure::usage(format!("{place}: {error}"));
        let mut file = File::open(path).map_err(unreadable)?;
        let kind = file.metadata().map_err(unreadable)?;
        if kind.is_dir() {
            return Err(Failure::usage(format!(
                "cannot read {place}: it is a folder"
            )));
        }
        let twice = kind.is_file();
        let (mut count, mut kept, mut key) = (0, Vec::new(), ListKey::new());
        for name in repos(BufReader::new(&file)) {
            let name = name.map_err(wrong)?;
            count += 1;
            key.add(&name);
            if !twice {
                kept.extend_from_slice(name.as_str().as_bytes());
                kept.push(b'\n');
            }
        }
        if count == 0 {
            return Err(wrong(ReposError::Empty));
        }
        let names: Box<dyn BufRead> = if twice {
            file.rewind().map_err(unreadable)?;
            Box::new(BufReader::new(file))
        } else {
            Box::new(Cursor::new(kept))
        };
        let key = key.to_string();
        Ok(Self { names, count, key })
    }

    /// Returns how many repositories are in it.
    pub(crate) const fn len(&self) -> u64 {
        self.count
    }

    /// Returns what it is called, by which it is known again.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Returns its names, read one at a time.
    pub(crate) fn names(self) -> impl Iterator<Item = Result<RepoName, ReposError>> {
        repos(self.names)
    }
}
