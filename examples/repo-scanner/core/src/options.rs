//! How patient a scan is, and how much it does at a time.

use std::{num::NonZeroUsize, time::Duration};

/// How a scan goes about it.
///
/// # Defaults
///
/// - 16 repositories at a time: enough to keep six connections and a rate limit busy
/// - no more than 512 that are fetched and not kept yet
/// - up to 65 minutes of patience with rate limits, for each repository: GitHub's own window is an hour, and what is
///   given up a second before its end is lost
/// - a repository that the server puts off, after all the stack's retries, is asked for again five times
/// - a response that breaks off or takes too long is asked for again twice
/// - the scan stops after 24 failures of the connection, timeouts or refusals of the token in a row, or when it
///   has come to nothing else; the first of these has failed, the others are still to do
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanOptions {
    /// How many repositories are worked on at a time; most of them wait for the rate limit.
    pub at_once: NonZeroUsize,
    /// How many may be fetched and not kept yet; beyond, no more are fetched.
    pub backlog: NonZeroUsize,
    /// How long a repository may wait in all when a rate limit or the server says "later".
    pub patience: Duration,
    /// How often a repository is asked for again that the server refuses with a time to come back.
    pub put_off: u32,
    /// How often a response that breaks off or takes too long is asked for again. (A response that does not come is the stack's to retry.)
    pub broken_bodies: u32,
    /// After how many failures of the connection, timeouts or refusals of the token in a row the server is taken to be gone.
    pub give_up_after: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            at_once: NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN),
            backlog: NonZeroUsize::new(512).unwrap_or(NonZeroUsize::MIN),
            patience: Duration::from_secs(3900),
            put_off: 5,
            broken_bodies: 2,
            give_up_after: 24,
        }
    }
}
