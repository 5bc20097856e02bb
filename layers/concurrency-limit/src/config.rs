//! What a limiter is told when it is made.

use std::time::Duration;

/// Below this, looking for unread bodies would be a busy loop.
const SHORTEST_LOOK: Duration = Duration::from_millis(1);

/// When the permit of a request is given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReleaseAt {
    /// When the headers of the response have arrived: what Cloudflare Workers count.
    Headers,
    /// When the body of the response has ended: as long as its connection is in use.
    #[default]
    BodyEnd,
}

/// Says how a limiter treats those who wait, and when a layer gives its permits back.
///
/// # Defaults
///
/// - [`release_at`](Self::release_at): [`ReleaseAt::BodyEnd`]
/// - [`queue_timeout`](Self::queue_timeout): 30 s
/// - [`max_queued`](Self::max_queued): none, the queue is as long as it gets
/// - [`unread_after`](Self::unread_after): 5 s
/// - [`fail_on_unread`](Self::fail_on_unread): no
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    release_at: ReleaseAt,
    queue_timeout: Option<Duration>,
    max_queued: Option<usize>,
    unread_after: Option<Duration>,
    fail_on_unread: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Makes the configuration with its defaults.
    pub const fn new() -> Self {
        Self {
            release_at: ReleaseAt::BodyEnd,
            queue_timeout: Some(Duration::from_secs(30)),
            max_queued: None,
            unread_after: Some(Duration::from_secs(5)),
            fail_on_unread: false,
        }
    }

    /// Says when a permit is given back.
    pub const fn with_release_at(mut self, release_at: ReleaseAt) -> Self {
        self.release_at = release_at;
        self
    }

    /// Bounds how long one waits for a permit; `None` waits for ever.
    ///
    /// Zero fails at the first poll that finds no permit free.
    pub fn with_queue_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.queue_timeout = timeout.into();
        self
    }

    /// Bounds how many may wait at once; further ones are refused. With zero nobody waits.
    pub fn with_max_queued(mut self, max: impl Into<Option<usize>>) -> Self {
        self.max_queued = max.into();
        self
    }

    /// Says for how long its owner must leave a body alone for it to count as unread; `None` never looks.
    ///
    /// At least one millisecond; less is taken as that.
    pub fn with_unread_after(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.unread_after = after.into().map(|after| after.max(SHORTEST_LOOK));
        self
    }

    /// Says whether one who waits while unread bodies hold all permits fails
    /// ([`ConcurrencyLimitError::BodiesHeld`](crate::ConcurrencyLimitError::BodiesHeld)) instead of waiting on.
    pub const fn with_fail_on_unread(mut self, fail: bool) -> Self {
        self.fail_on_unread = fail;
        self
    }

    /// Returns when a permit is given back.
    pub const fn release_at(&self) -> ReleaseAt {
        self.release_at
    }

    /// Returns how long one waits for a permit at most.
    pub const fn queue_timeout(&self) -> Option<Duration> {
        self.queue_timeout
    }

    /// Returns how many may wait at once.
    pub const fn max_queued(&self) -> Option<usize> {
        self.max_queued
    }

    /// Returns for how long its owner must leave a body alone for it to count as unread.
    pub const fn unread_after(&self) -> Option<Duration> {
        self.unread_after
    }

    /// Tells whether one who waits fails while unread bodies hold all permits.
    pub const fn fail_on_unread(&self) -> bool {
        self.fail_on_unread
    }

    /// Returns after how long one who waits looks for unread bodies, if there can be any.
    pub(crate) fn look_after(&self) -> Option<Duration> {
        self.unread_after
            .filter(|_| self.release_at == ReleaseAt::BodyEnd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = Config::default();
        assert_eq!(config.release_at(), ReleaseAt::BodyEnd);
        assert_eq!(ReleaseAt::default(), ReleaseAt::BodyEnd);
        assert_eq!(config.queue_timeout(), Some(Duration::from_secs(30)));
        assert_eq!(config.max_queued(), None);
        assert_eq!(config.unread_after(), Some(Duration::from_secs(5)));
        assert!(!config.fail_on_unread());
    }

    #[test]
    fn what_is_set_is_what_is_read() {
        let config = Config::new()
            .with_release_at(ReleaseAt::Headers)
            .with_queue_timeout(None)
            .with_max_queued(7)
            .with_unread_after(Duration::ZERO)
            .with_fail_on_unread(true);
        assert_eq!(config.release_at(), ReleaseAt::Headers);
        assert_eq!(config.queue_timeout(), None);
        assert_eq!(config.max_queued(), Some(7));
        assert_eq!(config.unread_after(), Some(SHORTEST_LOOK));
        assert!(config.fail_on_unread());
    }
}
