//! Flags.

use super::{
    Alert, Config, FlagsBuilder, FlagsStatus, InvalidConfig,
    config::{plain, short},
    entry::{Decision, Entry},
};
use crate::ordered::ordered;
use std::{
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use xxhash_rust::xxh32::xxh32;

/// A set of flags; clones share it.
///
/// Whether a flag is on is an atomic load, and a hash where it is on for a share; only where keys are named a lock is taken, for
/// reading.
///
/// ```
/// use tower_egress::flags::Flags;
///
/// let flags = Flags::builder().flag("newSearch", false).build();
/// flags.apply_json(r#"{"newSearch": {"percent": 0, "on": ["me"]}}"#)?;
/// assert!(flags.is_on("newSearch", "me") && !flags.is_on("newSearch", "you"));
/// assert!(flags.apply_json(r#"{"newSearch": 101}"#).is_err());
/// assert!(flags.is_on("newSearch", "me")); // the last good configuration holds
/// assert_eq!(flags.status().refused.unwrap(), "it is wrong at line 1, column 17");
/// # Ok::<_, tower_egress::flags::InvalidConfig>(())
/// ```
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
    /// Of two configurations at once, all rules of one hold in the end. Who asks for two flags meanwhile may hear of the one before and
    /// of the other after the change.
    ///
    /// # Errors
    ///
    /// If it names a flag that was not declared. Then nothing changes, and the [status](Self::status) says so until a good one
    /// comes.
    pub fn apply(&self, config: &Config) -> Result<(), InvalidConfig> {
        let flags = &self.0.flags;
        let mut found = vec![None; flags.len()];
        for (name, rule) in &config.0 {
            let exact = flags.iter().position(|entry| entry.name() == &**name);
            let like = || flags.iter().position(|entry| plain(entry.name()) == **name);
            // What variables could not name anyway is not like anything.
            let like = || like().filter(|_| !name.is_empty());
            let Some(index) = exact.or_else(like) else {
                return Err(self.refuse(self.unknown(name)));
            };
            if found[index].replace(rule).is_some() {
                let message = format!("the flag {:?} is there twice", flags[index].name());
                return Err(self.refuse(InvalidConfig::new(message)));
            }
        }
        let mut refused = self.refused();
        for (entry, rule) in flags.iter().zip(found) {
            entry.set(rule.unwrap_or(&entry.default));
        }
        *refused = None;
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

    /// Reads a configuration of variables and takes it on.
    ///
    /// ```
    /// use tower_egress::flags::Flags;
    ///
    /// let flags = Flags::builder().flag("newSearch", false).build();
    /// let wrong = [("APP_NEW_SEARCH".to_owned(), "perhaps".to_owned())];
    /// flags.apply_env("APP_", wrong).unwrap_err();
    /// let refused = flags.status().refused.unwrap();
    /// assert!(refused.starts_with("the variable APP_NEW_SEARCH is wrong"));
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Config::from_env`] and of [`apply`](Self::apply). Then nothing changes, and the [status](Self::status)
    /// says so.
    pub fn apply_env(
        &self,
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), InvalidConfig> {
        match Config::from_env(prefix, variables) {
            Ok(config) => self.apply(&config),
            Err(error) => Err(self.refuse(error)),
        }
    }

    fn refuse(&self, error: InvalidConfig) -> InvalidConfig {
        *self.refused() = Some(error.clone());
        error
    }

    /// Whoever changes rules holds this meanwhile.
    fn refused(&self) -> MutexGuard<'_, Option<InvalidConfig>> {
        let refused = self.0.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(&self, name: &str) -> InvalidConfig {
        let names: Vec<_> = self.0.flags.iter().map(Entry::name).collect();
        let names = names.join(", ");
        let name = short(name);
        InvalidConfig::new(format!("there is no flag {name:?}; there are {names}"))
    }

    /// Returns a report of all flags.
    pub fn status(&self) -> FlagsStatus {
        let flags = self.0.flags.iter();
        FlagsStatus {
            flags: ordered(flags.map(|entry| (entry.name().to_owned(), entry.status()))),
            refused: self.refused().as_ref().map(InvalidConfig::in_public),
        }
    }
}

/// Whose request it is, for the [flags of the layers](super::FlagsBuilder::layers), when put into its extensions: a user, a tenant, a repository.
///
/// All requests with one key are in the same share. Without it each request is counted for itself.
///
/// ```
/// use tower_egress::flags::FlagKey;
///
/// let mut request = http::Request::get("https://api.example.com/").body(()).unwrap();
/// request.extensions_mut().insert(FlagKey("tenant-7".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlagKey(pub Cow<'static, str>);

/// One flag of a set; clones are the same flag.
///
/// ```
/// use std::time::Duration;
/// use tower_egress::flags::{Flags, Rule};
///
/// let flags = Flags::builder().flag("newSearch", Rule::share(50.0)?).build();
/// let flag = flags.get("newSearch").unwrap();
/// let is_on = flag.is_on("user-42");
/// // … it is done in the one way or in the other, and then:
/// flag.record(is_on, true, Duration::from_millis(20));
/// let status = &flags.status().flags["newSearch"];
/// assert_eq!(status.on.count + status.off.count, 1);
/// # Ok::<_, tower_egress::flags::InvalidPercent>(())
/// ```
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
        self.entry().decide(self.set.seed, key).is_on
    }

    /// Tells whether its rule names a key, which is then on or off whatever the share is.
    ///
    /// ```
    /// use tower_egress::flags::{Flags, Rule};
    ///
    /// let flags = Flags::builder().flag("newSearch", Rule::off().on_for("me")).build();
    /// let flag = flags.get("newSearch").unwrap();
    /// assert!(flag.names("me") && !flag.names("you"));
    /// ```
    pub fn names(&self, key: &str) -> bool {
        self.entry().decide(self.set.seed, key).is_named
    }

    /// Tells whether it is on for all or for nobody, if it is.
    pub(crate) fn for_all(&self) -> Option<bool> {
        self.entry().for_all()
    }

    /// Tells whether it is on for some and off for others by its share.
    pub fn is_partial(&self) -> bool {
        self.entry().is_partial()
    }

    /// Takes down how something went for which it was on or off, and compares the two groups now and then.
    ///
    /// It counts only while the flag is [on for a share](Self::is_partial). Leave out keys that the rule [names](Self::names): they
    /// are where they are because of what they are, and would be compared instead of the flag. And each record should be of a key of
    /// its own, or nearly so: where a few keys have most of them, what one of these does looks like what the flag does.
    pub fn record(&self, was_on: bool, is_ok: bool, took: Duration) {
        if self.is_partial() {
            let trial = &self.entry().trial;
            self.record_of(trial.rule(), was_on, is_ok, took);
        }
    }

    /// Decides for a key, and takes it into the comparison if it is where it is by chance.
    pub(crate) fn enter(&self, key: &str) -> (bool, Option<Entered>) {
        let entry = self.entry();
        // Before the decision: what is decided by a rule that comes now is not compared at all, instead of by the wrong rule.
        let rule = entry.trial.rule();
        let Decision { is_on, is_named } = entry.decide(self.set.seed, key);
        let entered = (!is_named && entry.is_partial()).then(|| Entered {
            flag: self.clone(),
            rule,
            was_on: is_on,
        });
        (is_on, entered)
    }

    fn record_of(&self, rule: u64, was_on: bool, is_ok: bool, took: Duration) {
        let trial = &self.entry().trial;
        let Some(begun) = trial.record(rule, was_on, is_ok, took) else {
            return;
        };
        let Some(hook) = &self.set.on_alert else {
            return;
        };
        let (on, off) = begun.arms;
        let alert = Alert {
            flag: self.name().to_owned(),
            was_on: begun.was_on,
            worse: begun.worse,
            on,
            off,
        };
        // It may be called where something is dropped, because of a panic even. Nothing of ours is half-done.
        if catch_unwind(AssertUnwindSafe(|| hook(&alert))).is_err() {
            tracing::error!(flag = self.name(), "the hook for alerts panicked: {alert}");
        }
    }
}

/// Something that a flag was decided for by its share, and that is to be compared.
#[derive(Debug)]
pub(crate) struct Entered {
    flag: Flag,
    /// By which of its rules.
    rule: u64,
    was_on: bool,
}

impl Entered {
    /// Takes down how it went.
    pub(crate) fn record(&self, is_ok: bool, took: Duration) {
        self.flag.record_of(self.rule, self.was_on, is_ok, took);
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

#[cfg(test)]
mod tests;
