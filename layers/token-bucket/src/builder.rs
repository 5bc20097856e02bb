//! How a bucket is made.

use crate::{Bucket, Quota};
use egress_hints::Dialect;
use std::{sync::Arc, time::Duration};

/// Makes a [`Bucket`].
///
/// # Defaults
///
/// - name: `bucket`
/// - longest wait: 60 s
/// - bound of the queue: none
/// - longest pause that a server may ask for: 1 h
/// - probe timeout: 10 s
/// - resources: none
/// - dialect: [`Dialect::Generic`]
/// - wakeups: no
#[derive(Clone, Debug)]
#[must_use = "this makes no bucket until `build` is called"]
pub struct BucketBuilder {
    quota: Quota,
    config: Config,
}

/// What does not change.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) name: Arc<str>,
    pub(crate) max_wait: Duration,
    pub(crate) max_queued: Option<usize>,
    pub(crate) max_pause: Duration,
    pub(crate) probe_timeout: Duration,
    pub(crate) resources: Vec<Box<str>>,
    pub(crate) dialect: Dialect,
    pub(crate) wakeups: bool,
}

impl BucketBuilder {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            quota,
            config: Config {
                name: Arc::from("bucket"),
                max_wait: Duration::from_secs(60),
                max_queued: None,
                max_pause: Duration::from_secs(3600),
                probe_timeout: Duration::from_secs(10),
                resources: Vec::new(),
                dialect: Dialect::Generic,
                wakeups: false,
            },
        }
    }

    /// Names the bucket, for errors and status.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.config.name = Arc::from(name.as_ref());
        self
    }

    /// Refuses whoever would have to wait longer than this.
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.config.max_wait = max_wait;
        self
    }

    /// Refuses whoever would have to wait while so many wait.
    pub const fn max_queued(mut self, max_queued: usize) -> Self {
        self.config.max_queued = Some(max_queued);
        self
    }

    /// Believes a server that asks for a longer pause only so far; then one request finds out.
    pub const fn max_pause(mut self, max_pause: Duration) -> Self {
        self.config.max_pause = max_pause;
        self
    }

    /// Takes the one request that goes first after a pause as lost when it has said nothing for so long.
    pub const fn probe_timeout(mut self, probe_timeout: Duration) -> Self {
        self.config.probe_timeout = probe_timeout;
        self
    }

    /// Answers to what a server calls its limit, as in `x-ratelimit-resource: search`. May be used more than once.
    ///
    /// When a request belongs to several buckets and a reply names a resource that one of them answers to, what
    /// the reply says concerns that bucket only.
    pub fn resource(mut self, resource: impl Into<Box<str>>) -> Self {
        self.config.resources.push(resource.into());
        self
    }

    /// Reads replies as this server means them.
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.config.dialect = dialect;
        self
    }

    /// Wakes the head of the queue as soon as its slot becomes earlier.
    ///
    /// One is woken at a time, and the next one when that has come. If it never does, because its task is stuck, the next one
    /// is woken when its slot has passed and anybody uses the bucket, and by its own timer at the latest: when half of its wait
    /// is over, or a second, or at its slot if that is sooner. After a pause nobody's slot is known, and that is when
    /// [`probe_timeout`](Self::probe_timeout) is over.
    ///
    /// For buckets whose waiters live in one runtime, or in one invocation or Durable Object on Workers: a waker of one
    /// request may not be called by another there. Without it, a waiter learns of an earlier slot when it asks
    /// again: when half of its wait is over, every second at the latest and every 20 ms at the most. That costs one lock
    /// and one timer each time, some six for a short wait and one per second for a long one.
    pub const fn wakeups(mut self, wakeups: bool) -> Self {
        self.config.wakeups = wakeups;
        self
    }

    /// Makes the bucket.
    pub fn build(self) -> Bucket {
        Bucket::with_config(self.quota, self.config)
    }
}

impl Config {
    /// Whether the bucket answers to this name of a limit.
    pub(crate) fn answers_to(&self, resource: &str) -> bool {
        self.resources.iter().any(|own| &**own == resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn defaults_are_those_documented() {
        let Config {
            name,
            max_wait,
            max_queued,
            max_pause,
            probe_timeout,
            resources,
            dialect,
            wakeups,
        } = Bucket::builder(Quota::GITHUB).config;
        assert_eq!((&*name, resources.len()), ("bucket", 0));
        assert_eq!((max_wait, max_queued), (Duration::from_secs(60), None));
        assert_eq!(max_pause, Duration::from_secs(3600));
        assert_eq!(probe_timeout, Duration::from_secs(10));
        assert_eq!((dialect, wakeups), (Dialect::Generic, false));
    }
}
