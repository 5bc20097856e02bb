//! Flags.

use super::{
    Alert, ArmStatus, Config, FlagsBuilder, InvalidConfig, Rule,
    config::plain,
    rule::{ALL, percent},
    trial::Trial,
};
use serde::Serialize;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use xxhash_rust::xxh32::xxh32;

/// A set of flags; clones share it.
///
/// Whether a flag is on is an atomic load, and a hash where it is on for a share; only where keys are named a lock is taken, for
/// reading.
#[derive(Clone)]
pub struct Flags(Arc<Set>);

pub(super) struct Set {
    seed: u32,
    pub(super) flags: Box<[Entry]>,
    /// Why the last configuration was refused, if it was.
    refused: Mutex<Option<InvalidConfig>>,
    on_alert: Option<Hook>,
}

/// It is called when nothing of ours is half-done.
pub(super) type Hook = AssertUnwindSafe<Box<dyn Fn(&Alert) + Send + Sync>>;

pub(super) struct Entry {
    name: Box<str>,
    default: Rule,
    threshold: AtomicU64,
    /// Whether the rule names keys.
    names: AtomicBool,
    rule: RwLock<Rule>,
    trial: Trial,
}

impl Entry {
    pub(super) fn new(name: Box<str>, default: Rule) -> Self {
        Self {
            name,
            threshold: AtomicU64::new(default.threshold),
            names: AtomicBool::new(default.names_keys()),
            rule: RwLock::new(default.clone()),
            default,
            trial: Trial::default(),
        }
    }

    pub(super) const fn name(&self) -> &str {
        &self.name
    }

    fn set(&self, rule: &Rule) {
        let mut held = self.rule.write().unwrap_or_else(PoisonError::into_inner);
        if *held == *rule {
            return;
        }
        held.clone_from(rule);
        self.threshold.store(rule.threshold, Relaxed);
        self.names.store(rule.names_keys(), Relaxed);
        // It compares other groups now.
        self.trial.restart();
    }

    fn is_on(&self, seed: u32, key: &str) -> bool {
        if self.names.load(Relaxed) {
            let rule = self.rule.read().unwrap_or_else(PoisonError::into_inner);
            if rule.on.contains(key) {
                return true;
            }
            if rule.off.contains(key) {
                return false;
            }
        }
        match self.threshold.load(Relaxed) {
            0 => false,
            ALL => true,
            threshold => u64::from(hash(seed, &self.name, key)) < threshold,
        }
    }

    fn status(&self) -> FlagStatus {
        let rule = self.rule.read().unwrap_or_else(PoisonError::into_inner);
        let (on, off) = self.trial.read();
        FlagStatus {
            percent: percent(rule.threshold),
            named_on: rule.on.len(),
            named_off: rule.off.len(),
            is_default: *rule == self.default,
            is_worse: self.trial.is_worse(),
            on,
            off,
        }
    }
}

/// Where in all 2<sup>32</sup> a key stands for a flag.
fn hash(seed: u32, flag: &str, key: &str) -> u32 {
    let mut text = Vec::with_capacity(flag.len() + 1 + key.len());
    text.extend_from_slice(flag.as_bytes());
    text.push(0);
    text.extend_from_slice(key.as_bytes());
    xxh32(&text, seed)
}

impl Flags {
    /// Starts to declare flags.
    pub fn builder() -> FlagsBuilder {
        FlagsBuilder::new()
    }

    pub(super) fn new(salt: &str, flags: Box<[Entry]>, on_alert: Option<Hook>) -> Self {
        Self(Arc::new(Set {
            seed: xxh32(salt.as_bytes(), 0),
            flags,
            refused: Mutex::new(None),
            on_alert,
        }))
    }

    /// Returns the flag of this name, if it was declared.
    pub fn get(&self, name: &str) -> Option<Flag> {
        let index = self
            .0
            .flags
            .binary_search_by(|entry| entry.name().cmp(name));
        Some(Flag {
            set: Arc::clone(&self.0),
            index: index.ok()?,
        })
    }

    /// Tells whether the flag of this name is on for a key.
    ///
    /// # Panics
    ///
    /// If no such flag was declared.
    pub fn is_on(&self, name: &str, key: &str) -> bool {
        match self.get(name) {
            Some(flag) => flag.is_on(key),
            None => panic!("{}", self.unknown(name)),
        }
    }

    /// Takes on the rules of a configuration; a flag of which it says nothing goes back to its default.
    ///
    /// # Errors
    ///
    /// If it names a flag that was not declared. Then nothing changes, and the [status](Self::status) says so until a good one
    /// comes.
    pub fn apply(&self, config: &Config) -> Result<(), InvalidConfig> {
        let flags = &self.0.flags;
        let mut found = BTreeMap::new();
        for (name, rule) in &config.0 {
            let exact = flags.iter().position(|entry| *entry.name == **name);
            let like = || flags.iter().position(|entry| plain(&entry.name) == **name);
            let Some(index) = exact.or_else(like) else {
                return Err(self.refuse(self.unknown(name)));
            };
            if found.insert(index, rule).is_some() {
                let message = format!("the flag {:?} is there twice", flags[index].name());
                return Err(self.refuse(InvalidConfig::new(message)));
            }
        }
        for (index, entry) in flags.iter().enumerate() {
            entry.set(found.get(&index).copied().unwrap_or(&entry.default));
        }
        self.note(None);
        Ok(())
    }

    /// Reads a configuration and takes it on.
    ///
    /// # Errors
    ///
    /// Those of [`Config::from_json`] and of [`apply`](Self::apply). Then nothing changes, and the [status](Self::status)
    /// says so.
    pub fn apply_json(&self, text: &str) -> Result<(), InvalidConfig> {
        match Config::from_json(text) {
            Ok(config) => self.apply(&config),
            Err(error) => Err(self.refuse(error)),
        }
    }

    fn refuse(&self, error: InvalidConfig) -> InvalidConfig {
        self.note(Some(error.clone()));
        error
    }

    fn note(&self, refused: Option<InvalidConfig>) {
        let mut held = self
            .0
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *held = refused;
    }

    fn unknown(&self, name: &str) -> InvalidConfig {
        let names: Vec<_> = self.0.flags.iter().map(Entry::name).collect();
        let names = names.join(", ");
        InvalidConfig::new(format!("there is no flag {name:?}; there are {names}"))
    }

    /// Returns a report of all flags.
    pub fn status(&self) -> FlagsStatus {
        let flags = self.0.flags.iter();
        let refused = self
            .0
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        FlagsStatus {
            flags: flags
                .map(|entry| (entry.name.to_string(), entry.status()))
                .collect(),
            refused: refused.as_ref().map(InvalidConfig::in_public),
        }
    }
}

/// Whose request it is, for the [flags of the layers](super::FlagsBuilder::layers), when put into its extensions: a user, a tenant, a repository.
///
/// All requests with one key are in the same share. Without it each request is counted for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlagKey(pub Cow<'static, str>);

/// One flag of a set; clones are the same flag.
#[derive(Clone)]
pub struct Flag {
    set: Arc<Set>,
    index: usize,
}

impl Flag {
    fn entry(&self) -> &Entry {
        &self.set.flags[self.index]
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        self.entry().name()
    }

    /// Tells whether it is on for a key.
    pub fn is_on(&self, key: &str) -> bool {
        self.entry().is_on(self.set.seed, key)
    }

    /// Tells whether it is on for all or for nobody, if it is.
    pub(crate) fn for_all(&self) -> Option<bool> {
        let entry = self.entry();
        match entry.threshold.load(Relaxed) {
            _ if entry.names.load(Relaxed) => None,
            0 => Some(false),
            ALL => Some(true),
            _ => None,
        }
    }

    /// Tells whether it is on for some and off for others by its share.
    pub fn is_partial(&self) -> bool {
        !matches!(self.entry().threshold.load(Relaxed), 0 | ALL)
    }

    /// Takes down how something went for which it was on or off, and compares the two groups now and then.
    ///
    /// It counts only while the flag is [on for a share](Self::is_partial).
    pub fn record(&self, was_on: bool, is_ok: bool, took: Duration) {
        if !self.is_partial() {
            return;
        }
        let trial = &self.entry().trial;
        trial.record(was_on, is_ok, took);
        if let Some((was_on, worse)) = trial.look()
            && let Some(hook) = &self.set.on_alert
        {
            let (on, off) = trial.read();
            hook(&Alert {
                flag: self.name().to_owned(),
                was_on,
                worse,
                on,
                off,
            });
        }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.flags.iter().map(Entry::name))
            .finish()
    }
}

impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flag").field(&self.name()).finish()
    }
}

/// A report of all flags.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FlagsStatus {
    /// Each flag by name.
    #[serde(flatten)]
    pub flags: BTreeMap<String, FlagStatus>,
    /// Why the last configuration was refused, if it was; what holds is the last good one.
    #[serde(rename = "$refused", skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A report of one flag.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FlagStatus {
    /// For how many in a hundred it is on.
    pub percent: f64,
    /// For how many keys it is on by name.
    pub named_on: usize,
    /// For how many keys it is off by name.
    pub named_off: usize,
    /// Whether this is what it was declared as.
    pub is_default: bool,
    /// Whether one group does worse than the other.
    pub is_worse: bool,
    /// How those fare for whom it is on.
    pub on: ArmStatus,
    /// How the rest fare.
    pub off: ArmStatus,
}

#[cfg(test)]
mod tests;
