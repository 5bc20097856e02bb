//! What comes of a scan: of one repository, and of all.

use crate::{Repository, Target};
use std::collections::BTreeMap;

/// What became of one repository.
#[derive(Debug)]
pub enum Outcome {
    /// It was fetched.
    Scanned(Scanned),
    /// It is as it was when it was fetched last.
    Unchanged(Target),
    /// It was not.
    Failed(Failed),
}

/// A repository that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// What was asked for. Since then it may have got [another name](Repository::full_name).
    pub target: Target,
    /// What it is today.
    pub repository: Repository,
    /// Names this state of it.
    pub etag: Option<String>,
}

/// A repository that could not be scanned, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What was asked for.
    pub target: Target,
    /// Why, in few words that are the same for the same cause.
    pub reason: String,
}

impl Outcome {
    /// Returns what was asked for.
    pub const fn target(&self) -> &Target {
        match self {
            Self::Scanned(scanned) => &scanned.target,
            Self::Unchanged(target) => target,
            Self::Failed(failed) => &failed.target,
        }
    }
}

/// Why a scan ended before its list did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped<L, K> {
    /// The list could not be read on.
    #[error("{0}")]
    List(L),
    /// What was found could not be kept.
    #[error("{0}")]
    Keep(K),
    /// It was told to end.
    #[error("interrupted")]
    Interrupted,
    /// The server is gone, or does not let us in.
    #[error("no use of the server {failures} times in a row; the last time: {last}")]
    ServerGone {
        /// How many in a row.
        failures: usize,
        /// The last of them.
        last: String,
    },
}

/// What a scan came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Repositories fetched and kept.
    pub scanned: u64,
    /// Repositories that are as they were when they were fetched last.
    pub unchanged: u64,
    /// Repositories that failed.
    pub failed: u64,
    /// How many failed for which reason.
    pub reasons: BTreeMap<String, u64>,
}

impl Summary {
    /// Returns how many repositories something came of.
    pub const fn done(&self) -> u64 {
        self.scanned + self.unchanged + self.failed
    }
}
