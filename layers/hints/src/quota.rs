//! A quota as the server describes it.

use std::{fmt, str, time::Duration};

/// Describes what a server says is left of one quota.
///
/// # Defaults
///
/// - nothing is known: every field is `None`, and the unit is [`Unit::Requests`]
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerQuota {
    /// How much there is per window.
    pub limit: Option<u64>,
    /// How much of it is left.
    pub remaining: Option<u64>,
    /// How long until it is renewed, from the receipt of the response. Zero if that time has
    /// passed.
    pub reset_after: Option<Duration>,
    /// When it is renewed, since the Unix epoch **by the server's clock** and as the server wrote
    /// it.
    ///
    /// Good for telling one window from the next, not for measuring: that is what `reset_after` is
    /// for. A server that writes "in 30 seconds" gives a time that wobbles by a second or two
    /// between replies.
    pub resets_at: Option<Duration>,
    /// How long the window is.
    pub window: Option<Duration>,
    /// What is counted.
    pub unit: Unit,
    /// What the server calls it: `search` (GitHub), `input-tokens` (Anthropic), the name of an IETF
    /// policy.
    pub resource: Option<Resource>,
}

impl ServerQuota {
    /// Nothing is left and only time helps. Free slots among concurrent requests come back by
    /// themselves.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.remaining == Some(0) && self.unit != Unit::ConcurrentRequests
    }

    /// What is left as a share of the limit, in 2⁻³²; an unknown remainder counts as plenty.
    pub(crate) fn share(&self) -> u128 {
        let Some(remaining) = self.remaining else {
            return u128::MAX;
        };
        let limit = self.limit.unwrap_or(remaining).max(1);
        (u128::from(remaining) << 32) / u128::from(limit)
    }
}

/// Names what a quota counts.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests, or whatever the server charges per request.
    #[default]
    Requests,
    /// Tokens of a language model.
    Tokens,
    /// Bytes of content.
    ContentBytes,
    /// Requests at the same time. None left means that some must end, not that time must pass.
    ConcurrentRequests,
    /// A unit of the server's own.
    Other,
}

/// Names what a server's quota is about, without allocating.
///
/// It keeps the first 31 bytes; bytes that are not visible ASCII become `?`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resource {
    len: u8,
    bytes: [u8; Self::CAPACITY],
}

impl Resource {
    const CAPACITY: usize = 31;

    pub(crate) fn new(name: &[u8]) -> Option<Self> {
        let name = name.trim_ascii();
        let mut resource = Self {
            len: 0,
            bytes: [0; Self::CAPACITY],
        };
        for (slot, &byte) in resource.bytes.iter_mut().zip(name) {
            *slot = if byte.is_ascii_graphic() || byte == b' ' {
                byte
            } else {
                b'?'
            };
            resource.len += 1;
        }
        (resource.len > 0).then_some(resource)
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        // All bytes are ASCII, so neither step can fail.
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|name| str::from_utf8(name).ok())
            .unwrap_or_default()
    }
}

impl AsRef<str> for Resource {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Resource {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Resource {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_name_is_kept_cut_and_cleaned() {
        assert_eq!(Resource::new(b" core "), Resource::new(b"core"));
        assert_eq!(Resource::new(b"core").unwrap(), "core");
        assert_eq!(Resource::new("größe".as_bytes()).unwrap(), "gr????e");
        assert_eq!(Resource::new(&[b'a'; 40]).unwrap().as_str(), "a".repeat(31));
        assert_eq!(Resource::new(b"  "), None);
        let core = Resource::new(b"core").unwrap();
        assert_eq!(
            format!("{core} {core:?} [{core:>6}]"),
            "core \"core\" [  core]"
        );
    }

    #[test]
    fn the_share_orders_quotas_by_scarcity() {
        let quota = |remaining, limit| ServerQuota {
            remaining,
            limit,
            ..ServerQuota::default()
        };
        assert!(quota(Some(200), Some(40_000)).share() < quota(Some(4_999), Some(5_000)).share());
        assert!(quota(Some(0), None).share() < quota(Some(1), Some(u64::MAX)).share() + 1);
        assert!(quota(Some(u64::MAX), Some(0)).share() < quota(None, Some(1)).share());
    }

    #[test]
    fn defaults_know_nothing() {
        let quota = ServerQuota::default();
        assert_eq!(
            (quota.limit, quota.remaining, quota.unit),
            (None, None, Unit::Requests)
        );
        assert!(!quota.is_exhausted());
    }
}
