//! What a scan is to fetch.

use crate::RepoName;

/// A repository to scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: RepoName,
    /// Names the state in which it was fetched last, if it was.
    pub etag: Option<String>,
    /// Its place in the list of its scan.
    pub place: i64,
}

impl From<RepoName> for Target {
    fn from(name: RepoName) -> Self {
        Self {
            name,
            etag: None,
            place: 0,
        }
    }
}
