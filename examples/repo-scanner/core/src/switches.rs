//! What can be switched off while the program runs: for all, or for a share.

use crate::RepoName;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tower_egress::{
    Clock,
    flags::{Flag, Flags, FlagsBuilder},
};

const BATCHING: &str = "batching";
const STREAMING: &str = "streaming";
const MONITORING: &str = "monitoring";

/// Declares the flags of this program, all of them on: one for each [part of the stack](tower_egress::Switch), and three of its own.
///
/// - `batching`: what comes of repositories is stored many at a time, in one transaction. Off, each is stored by itself. A share is one of
///   repositories, by name.
/// - `streaming`: lists are read and sent a page at a time. Off, `/api/repos` is read whole and answered whole, and what a scan has to fetch
///   is read whole. A share is one of requests and of scans.
/// - `monitoring`: what the database does is in the monitor's figures. Off, it is not; it is timed out all the same. A share is one of
///   operations.
///
/// Every shell declares them here, so that they have the same names everywhere.
pub fn flags() -> FlagsBuilder {
    let ours = [BATCHING, STREAMING, MONITORING].into_iter();
    ours.fold(Flags::builder().layers(), |flags, name| {
        flags.flag(name, true)
    })
}

/// The flags of the program's own that a [`Store`](crate::Store) and those who use it ask. They are asked again each time, so that a change
/// holds at once, in the middle of a scan as well.
///
/// # Defaults
///
/// - what was not declared is on
#[derive(Clone, Debug, Default)]
pub struct Switches {
    batching: Option<Flag>,
    streaming: Option<Flag>,
    monitoring: Option<Flag>,
    /// How often it was asked for something without a name.
    asked: Arc<AtomicU64>,
}

impl Switches {
    /// Finds them in a set of flags.
    pub fn new(flags: &Flags) -> Self {
        Self {
            batching: flags.get(BATCHING),
            streaming: flags.get(STREAMING),
            monitoring: flags.get(MONITORING),
            asked: Arc::default(),
        }
    }

    /// Whether what comes of a repository is stored together with what comes of others.
    pub(crate) fn batching(&self, name: &RepoName) -> Choice {
        Choice::new(self.batching.as_ref(), name.as_str())
    }

    /// Whether everything is stored together with others.
    pub(crate) fn batches_all(&self) -> bool {
        let flag = self.batching.as_ref();
        flag.is_none_or(|flag| !flag.is_partial() && flag.is_on(""))
    }

    /// Whether the list of a scan is read a page at a time.
    pub(crate) fn streaming_of(&self, scan: i64) -> bool {
        let flag = self.streaming.as_ref();
        flag.is_none_or(|flag| flag.is_on(&format!("scan {scan}")))
    }

    /// Whether an answer is streamed.
    pub(crate) fn streaming(&self, clock: &impl Clock) -> Choice {
        self.next(self.streaming.as_ref(), clock)
    }

    /// Whether an operation is in the figures.
    pub(crate) fn monitoring(&self, clock: &impl Clock) -> Choice {
        self.next(self.monitoring.as_ref(), clock)
    }

    /// Decides for something that has no name of its own.
    fn next(&self, flag: Option<&Flag>, clock: &impl Clock) -> Choice {
        let number = || {
            let number = self.asked.fetch_add(1, Relaxed);
            // With the time, else the first of each process, or isolate, would always have the same fate.
            format!("{} {number}", clock.unix_time().as_nanos())
        };
        let is_partial = flag.is_some_and(Flag::is_partial);
        Choice::new(flag, &is_partial.then(number).unwrap_or_default())
    }
}

/// What a flag was for something.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) is_on: bool,
    /// The flag, if it was by chance: then how it went is compared.
    tried: Option<Flag>,
}

impl Choice {
    fn new(flag: Option<&Flag>, key: &str) -> Self {
        let tried = flag.filter(|flag| flag.is_partial() && !flag.names(key));
        Self {
            is_on: flag.is_none_or(|flag| flag.is_on(key)),
            tried: tried.cloned(),
        }
    }

    /// Takes down how it went.
    pub(crate) fn record(&self, is_ok: bool, took: Duration) {
        if let Some(flag) = &self.tried {
            flag.record(self.is_on, is_ok, took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egress_time::ManualTimer;

    #[test]
    fn what_was_not_declared_is_on() {
        let (none, clock) = (Switches::default(), ManualTimer::new());
        let name = RepoName::parse("a/b").unwrap();
        assert!(none.batching(&name).is_on && none.streaming_of(1));
        assert!(none.streaming(&clock).is_on && none.monitoring(&clock).is_on);
        let layers = Switches::new(&Flags::builder().layers().build());
        assert!(layers.batching(&name).is_on && layers.monitoring(&clock).is_on);
    }

    #[test]
    fn a_share_is_one_and_both_groups_are_compared() {
        let flags = flags().build();
        let (switches, clock) = (Switches::new(&flags), ManualTimer::new());
        flags
            .apply_json(r#"{"batching": 25, "monitoring": 25, "streaming": 25}"#)
            .unwrap();
        let name = |n| RepoName::parse(&format!("owner/name-{n}")).unwrap();
        let on = |choice: &Choice| {
            choice.record(true, Duration::ZERO);
            choice.is_on
        };
        let counts = [
            (0..4_000)
                .filter(|n| on(&switches.batching(&name(*n))))
                .count(),
            (0..4_000)
                .filter(|_| on(&switches.monitoring(&clock)))
                .count(),
            (0..4_000)
                .filter(|_| on(&switches.streaming(&clock)))
                .count(),
            (0..4_000).filter(|n| switches.streaming_of(*n)).count(),
        ];
        for count in counts {
            assert!((800..1_200).contains(&count), "{counts:?}");
        }
        let again = (0..4_000).filter(|n| switches.batching(&name(*n)).is_on);
        assert_eq!(again.count(), counts[0], "the same ones");
        let status = flags.status();
        for flag in [BATCHING, MONITORING, STREAMING] {
            let flag = &status.flags[flag];
            assert_eq!(flag.on.ever + flag.off.ever, 4_000, "{flag:?}");
        }
    }

    #[test]
    fn who_is_named_is_not_compared() {
        let flags = flags().build();
        flags
            .apply_json(r#"{"batching": {"percent": 50, "off": ["a/b"]}}"#)
            .unwrap();
        let name = RepoName::parse("a/b").unwrap();
        let choice = Switches::new(&flags).batching(&name);
        choice.record(true, Duration::ZERO);
        assert!(!choice.is_on);
        assert_eq!(flags.status().flags[BATCHING].off.ever, 0);
    }
}
