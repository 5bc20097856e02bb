//! For whom a flag is on.

use std::{borrow::Borrow, collections::BTreeMap};

/// Of 2<sup>32</sup>.
pub(super) const ALL: u64 = 1 << 32;

/// For whom a flag is on: a share of all keys, and keys by name.
///
/// ```
/// use tower_egress::flags::Rule;
///
/// let rule = Rule::share(12.5)?.on_for("tower-rs/tower").off_for("acme");
/// assert_eq!(rule.percent(), 12.5);
/// assert_eq!(Rule::from(true), Rule::on());
/// # Ok::<_, tower_egress::flags::InvalidPercent>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Below it a hash is in the share.
    pub(super) threshold: u64,
    /// For whom it is on, or off, whatever the share.
    keys: BTreeMap<Box<str>, bool>,
}

/// A percentage is not between 0 and 100.
///
/// ```
/// use tower_egress::flags::Rule;
///
/// let error = Rule::share(f64::NAN).unwrap_err();
/// assert_eq!(error.to_string(), "a share of NaN per cent is not between 0 and 100");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a share of {0} per cent is not between 0 and 100")]
pub struct InvalidPercent(pub f64);

impl Rule {
    const fn new(threshold: u64) -> Self {
        Self {
            threshold,
            keys: BTreeMap::new(),
        }
    }

    /// On for all.
    pub const fn on() -> Self {
        Self::new(ALL)
    }

    /// Off for all.
    pub const fn off() -> Self {
        Self::new(0)
    }

    /// On for a share of all keys, in per cent.
    ///
    /// # Errors
    ///
    /// If it is not between 0 and 100.
    pub fn share(percent: f64) -> Result<Self, InvalidPercent> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(InvalidPercent(percent));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 2^32"
        )]
        let threshold = (percent * (4_294_967_296.0 / 100.0)).round() as u64;
        // Only all is all, and only none is none.
        Ok(Self::new(if percent == 0.0 {
            0
        } else if percent == 100.0 {
            ALL
        } else {
            threshold.clamp(1, ALL - 1)
        }))
    }

    /// Turns it on for a key, whatever its share.
    #[must_use]
    pub fn on_for(mut self, key: impl Into<Box<str>>) -> Self {
        self.keys.insert(key.into(), true);
        self
    }

    /// Turns it off for a key, whatever its share.
    #[must_use]
    pub fn off_for(mut self, key: impl Into<Box<str>>) -> Self {
        self.keys.insert(key.into(), false);
        self
    }

    /// Tells whether keys are named.
    pub(super) fn names_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Names keys, for the first time. If some are both on and off, that is the first of these.
    pub(super) fn name_keys<K: Into<Box<str>> + Borrow<str>>(
        &mut self,
        on: impl IntoIterator<Item = K>,
        off: impl IntoIterator<Item = K>,
    ) -> Result<(), Box<str>> {
        self.keys
            .extend(on.into_iter().map(|key| (key.into(), true)));
        let mut both: Option<Box<str>> = None;
        for key in off {
            if self.named(key.borrow()) == Some(true) {
                let key = key.into();
                both = Some(both.map_or_else(|| key.clone(), |both| both.min(key.clone())));
            } else {
                self.keys.insert(key.into(), false);
            }
        }
        both.map_or(Ok(()), Err)
    }

    /// Tells whether it is on for a key because that is named.
    pub(super) fn named(&self, key: &str) -> Option<bool> {
        self.keys.get(key).copied()
    }

    /// Returns for how many keys it is on, or off, because they are named.
    pub(super) fn count_named(&self, is_on: bool) -> usize {
        self.keys.values().filter(|named| **named == is_on).count()
    }

    /// Returns the share, in per cent.
    pub const fn percent(&self) -> f64 {
        percent(self.threshold)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "up to 2^32 every integer is a float"
)]
pub(super) const fn percent(threshold: u64) -> f64 {
    threshold as f64 * 100.0 / 4_294_967_296.0
}

impl From<bool> for Rule {
    fn from(on: bool) -> Self {
        if on { Self::on() } else { Self::off() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_share_is_between_none_and_all() {
        for percent in [-1.0, 100.1, f64::NAN, f64::INFINITY] {
            assert!(Rule::share(percent).is_err(), "{percent}");
        }
        for (percent, threshold) in [
            (0.0, 0),
            (-0.0, 0),
            (1e-300, 1),
            (25.0, ALL / 4),
            (99.999_999_999_999, ALL - 1),
            (100.0, ALL),
        ] {
            assert_eq!(Rule::share(percent).unwrap().threshold, threshold);
        }
        assert_eq!(Rule::share(12.5).unwrap().percent(), 12.5);
    }

    #[test]
    fn what_is_said_last_of_a_key_holds() {
        let rule = Rule::on().off_for("a").on_for("a").off_for("b");
        assert_eq!(
            ["a", "b", "c"].map(|key| rule.named(key)),
            [Some(true), Some(false), None]
        );
    }
}
