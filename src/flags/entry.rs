//! One flag of a set: its rule, and how it does.

use super::{
    FlagStatus, Rule,
    rule::{ALL, percent},
    trial::Trial,
};
use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use xxhash_rust::xxh32::xxh32;

/// A flag of a set.
pub(super) struct Entry {
    name: Box<str>,
    /// What it was declared as.
    pub(super) default: Rule,
    /// The threshold of the rule, and [`NAMES`] if it names keys. In one, so that nobody decides by halves of two rules.
    state: AtomicU64,
    rule: RwLock<Rule>,
    pub(super) trial: Trial,
}

/// In the state of an entry: the rule names keys.
const NAMES: u64 = 1 << 63;

fn state_of(rule: &Rule) -> u64 {
    rule.threshold | if rule.names_keys() { NAMES } else { 0 }
}

/// Whether a flag is on for a key, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) is_on: bool,
    /// Whether the key is named, so that it is not by chance.
    pub(super) is_named: bool,
}

impl Entry {
    pub(super) fn new(name: Box<str>, default: Rule) -> Self {
        Self {
            name,
            state: AtomicU64::new(state_of(&default)),
            rule: RwLock::new(default.clone()),
            default,
            trial: Trial::default(),
        }
    }

    pub(super) const fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn set(&self, rule: &Rule) {
        let mut held = self.rule.write().unwrap_or_else(PoisonError::into_inner);
        if *held == *rule {
            return;
        }
        held.clone_from(rule);
        self.state.store(state_of(rule), Relaxed);
        // It compares other groups now.
        self.trial.restart();
    }

    pub(super) fn decide(&self, seed: u32, key: &str) -> Decision {
        let mut threshold = self.state.load(Relaxed);
        if threshold & NAMES != 0 {
            let rule = self.rule.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(is_on) = rule.named(key) {
                return Decision {
                    is_on,
                    is_named: true,
                };
            }
            threshold = rule.threshold;
        }
        let is_on = match threshold {
            0 => false,
            ALL => true,
            threshold => u64::from(hash(seed, &self.name, key)) < threshold,
        };
        Decision {
            is_on,
            is_named: false,
        }
    }

    /// Tells whether it is on for all or for nobody, if it is.
    pub(super) fn for_all(&self) -> Option<bool> {
        match self.state.load(Relaxed) {
            0 => Some(false),
            ALL => Some(true),
            _ => None,
        }
    }

    pub(super) fn is_partial(&self) -> bool {
        !matches!(self.state.load(Relaxed) & !NAMES, 0 | ALL)
    }

    pub(super) fn status(&self) -> FlagStatus {
        let rule = self.rule.read().unwrap_or_else(PoisonError::into_inner);
        let (on, off) = self.trial.read();
        FlagStatus {
            percent: percent(rule.threshold),
            named_on: rule.count_named(true),
            named_off: rule.count_named(false),
            is_default: *rule == self.default,
            is_worse: self.trial.is_worse(),
            on,
            off,
        }
    }
}

/// Where in all 2<sup>32</sup> a key stands for a flag.
pub(super) fn hash(seed: u32, flag: &str, key: &str) -> u32 {
    let mut text = Vec::with_capacity(flag.len() + 1 + key.len());
    text.extend_from_slice(flag.as_bytes());
    text.push(0);
    text.extend_from_slice(key.as_bytes());
    xxh32(&text, seed)
}
