//! Declaring flags.

use super::{
    Alert, Flags, Rule,
    config::{Rules, plain, put},
    entry::Entry,
    flag::Hook,
};
use crate::Switch;
use std::{fmt, panic::AssertUnwindSafe};

/// Declares the flags of a set.
///
/// # Defaults
///
/// - the salt is empty
/// - nobody is told of a flag that does worse; the [status](Flags::status) says so all the same
///
/// ```
/// use tower_egress::flags::{Flags, Rule};
///
/// let flags = Flags::builder()
///     .flag("newSearch", Rule::share(10.0)?)
///     .layers()
///     .salt("2026")
///     .on_alert(|alert| eprintln!("{alert}"))
///     .build();
/// assert!(flags.is_on("retries", "any key")); // as all layers are
/// # Ok::<_, tower_egress::flags::InvalidPercent>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct FlagsBuilder {
    salt: Box<str>,
    flags: Rules,
    on_alert: Option<Hook>,
}

impl FlagsBuilder {
    pub(super) fn new() -> Self {
        Self {
            salt: Box::default(),
            flags: Rules::new(),
            on_alert: None,
        }
    }

    /// Declares a flag, with the rule that holds unless a configuration says something else.
    ///
    /// # Panics
    ///
    /// If it was declared before, or the name is empty or begins with `$`: such names the [status](Flags::status) has itself.
    pub fn flag(mut self, name: impl Into<Box<str>>, default: impl Into<Rule>) -> Self {
        let name = name.into();
        let is_ours = name.is_empty() || name.starts_with('$');
        assert!(!is_ours, "{name:?} is no name of a flag");
        let twice = format!("the flag {name:?} is declared twice");
        let before = put(&mut self.flags, name, default.into());
        assert!(before.is_none(), "{twice}");
        self
    }

    /// Declares a flag, on, for each part of the stack that can be [switched off](Switch).
    pub fn layers(self) -> Self {
        let switches = Switch::ALL.into_iter();
        switches.fold(self, |builder, switch| builder.flag(switch.as_str(), true))
    }

    /// Sets what makes this set choose other keys than others do for the same shares.
    pub fn salt(mut self, salt: impl Into<Box<str>>) -> Self {
        self.salt = salt.into();
        self
    }

    /// Sets what is called when those for whom a flag is on, or the rest, begin to do worse than the others.
    ///
    /// It is called by whoever recorded the last of them, so it should be quick. It may change the flags. If it panics, that is an
    /// event of `tracing` and nothing else: a request must not fail because somebody was to hear of others.
    pub fn on_alert(mut self, hook: impl Fn(&Alert) + Send + Sync + 'static) -> Self {
        self.on_alert = Some(AssertUnwindSafe(Box::new(hook)));
        self
    }

    /// Makes the set.
    ///
    /// # Panics
    ///
    /// If two names are the same to the [environment](super::Config::from_env), `a_b` and `aB`: a variable for one would switch the other.
    pub fn build(self) -> Flags {
        let mut names = Vec::new();
        for (name, _) in &self.flags {
            let plain = plain(name);
            let twice = !plain.is_empty() && names.contains(&plain);
            assert!(!twice, "the flag {name:?} has another spelling");
            names.push(plain);
        }
        let entries = self.flags.into_iter();
        let entries = entries.map(|(name, rule)| Entry::new(name, rule)).collect();
        Flags::new(&self.salt, entries, self.on_alert)
    }
}

impl fmt::Debug for FlagsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlagsBuilder")
            .field("salt", &self.salt)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}
