//! Layers that flags switch off, for a share of requests.

use crate::flags::{Entered, Flag, FlagKey, Flags, FlagsStatus};
use egress_time::{Clock, Instant};
use http::{Extensions, StatusCode};
use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A part of the stack that a flag can switch off while a program runs: see [`EgressBuilder::flags`](crate::EgressBuilder::flags).
///
/// ```
/// use tower_egress::{Switch, flags::{Config, Flags}};
///
/// let flags = Flags::builder().layers().build();
/// flags.apply(&Config::default().with(Switch::Retries.as_str(), false))?;
/// assert!(!flags.is_on("retries", "any key"));
/// # Ok::<_, tower_egress::flags::InvalidConfig>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Switch {
    /// `connectionLimit`: how many requests are in flight. Off, they do not wait for each other.
    ConnectionLimit,
    /// `rateLimit`: when requests may depart. Off, they depart at once, what servers ask for notwithstanding, and no
    /// bucket knows of them.
    RateLimit,
    /// `retries`: off, each request is sent once.
    Retries,
    /// `cleanup`: what becomes of bodies that are not read. Off, they are the client's own affair, and no error body is captured.
    Cleanup,
    /// `timeouts`: how long an attempt may take, and a body may stall.
    Timeouts,
    /// `deadline`: how long a whole request may take, unless it says so itself.
    Deadline,
    /// `timing`: off, a request is in no figure.
    Timing,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ConnectionLimit,
        Self::RateLimit,
        Self::Retries,
        Self::Cleanup,
        Self::Timeouts,
        Self::Deadline,
        Self::Timing,
    ];

    /// Returns the name of its flag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionLimit => "connectionLimit",
            Self::RateLimit => "rateLimit",
            Self::Retries => "retries",
            Self::Cleanup => "cleanup",
            Self::Timeouts => "timeouts",
            Self::Deadline => "deadline",
            Self::Timing => "timing",
        }
    }
}

/// What is off for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Off(u8);

impl Off {
    pub(crate) const fn has(self, switch: Switch) -> bool {
        self.0 & (1 << switch as u8) != 0
    }

    const fn with(self, switch: Switch) -> Self {
        Self(self.0 | 1 << switch as u8)
    }
}

/// What decides for each request. Behind a trait, so that a Worker without flags does not carry them.
///
/// A panic elsewhere leaves nothing of it half-done: a Durable Object that unwinds wants to know that.
pub(crate) trait Decide: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Decides what is off, and what is to be compared.
    fn decide(&self, extensions: &Extensions, clock: &dyn Clock)
    -> (Off, Option<Box<dyn Compare>>);

    fn status(&self) -> FlagsStatus;
}

/// What is to be compared of a request.
pub(crate) trait Compare: fmt::Debug + Send + Sync {
    /// Takes down what it came to.
    fn record(&self, status: Option<StatusCode>, now: Instant);
}

/// The flags of the layers.
#[derive(Debug)]
pub(crate) struct Switches {
    all: Flags,
    flags: Vec<(Switch, Flag)>,
    /// How many requests there were without a key of their own.
    requests: AtomicU64,
    /// Their names begin with it: else the first requests of each process, or isolate, would always have the same fate.
    start: OnceLock<u128>,
}

impl Switches {
    pub(crate) fn new(flags: Flags) -> Self {
        let found = |switch: Switch| Some((switch, flags.get(switch.as_str())?));
        Self {
            flags: Switch::ALL.into_iter().filter_map(found).collect(),
            all: flags,
            requests: AtomicU64::new(0),
            start: OnceLock::new(),
        }
    }
}

impl Decide for Switches {
    fn decide(
        &self,
        extensions: &Extensions,
        clock: &dyn Clock,
    ) -> (Off, Option<Box<dyn Compare>>) {
        let mut off = Off::default();
        let mut numbered = None;
        let mut trial: Option<Trial> = None;
        for (switch, flag) in &self.flags {
            let is_on = flag.for_all().unwrap_or_else(|| {
                let key = match extensions.get() {
                    Some(FlagKey(key)) => key,
                    None => numbered.get_or_insert_with(|| {
                        let start = self.start.get_or_init(|| clock.unix_time().as_nanos());
                        let number = self.requests.fetch_add(1, Relaxed);
                        format!("{start} {number}").into()
                    }),
                };
                let (is_on, entered) = flag.enter(key);
                if let Some(entered) = entered {
                    let trial = trial.get_or_insert_with(|| Trial::new(clock.now()));
                    trial.entered.push(entered);
                }
                is_on
            });
            if !is_on {
                off = off.with(*switch);
            }
        }
        let compare = trial.map(|trial| Box::new(trial) as Box<dyn Compare>);
        (off, compare)
    }

    fn status(&self) -> FlagsStatus {
        self.all.status()
    }
}

/// Whether a request had an answer worth having, and when.
#[derive(Debug)]
struct Trial {
    start: Instant,
    entered: Vec<Entered>,
}

impl Trial {
    const fn new(start: Instant) -> Self {
        Self {
            start,
            entered: Vec::new(),
        }
    }
}

impl Compare for Trial {
    fn record(&self, status: Option<StatusCode>, now: Instant) {
        // What a server says of the request itself, a layer cannot help.
        let is_ok = status.is_some_and(|status| {
            !status.is_server_error()
                && status != StatusCode::TOO_MANY_REQUESTS
                && status != StatusCode::REQUEST_TIMEOUT
        });
        for entered in &self.entered {
            entered.record(is_ok, now - self.start);
        }
    }
}
