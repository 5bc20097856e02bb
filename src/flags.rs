//! Feature flags, for a share of what comes.
//!
//! A flag is on for some keys – users, repositories, requests – and off for the others. Which ones, a [`Rule`] says: all, none, a share
//! of them in per cent, and keys by name. The rules come from code, and later from a [`Config`]: JSON or the
//! environment.
//!
//! ```
//! use tower_egress::flags::{Config, Flags, Rule};
//!
//! let flags = Flags::builder()
//!     .flag("streaming", Rule::on())
//!     .flag("newSearch", Rule::off())
//!     .build();
//! assert!(!flags.is_on("newSearch", "tower-rs/tower"));
//!
//! flags.apply(&Config::from_json(r#"{"newSearch": {"percent": 10, "on": ["tower-rs/tower"]}}"#)?)?;
//! assert!(flags.is_on("newSearch", "tower-rs/tower"));
//!
//! // What is wrong is refused, and the last good rules stay.
//! let wrong = Config::from_json(r#"{"newSerach": 20}"#)?;
//! let error = flags.apply(&wrong).unwrap_err().to_string();
//! assert_eq!(error, "there is no flag \"newSerach\"; there are newSearch, streaming");
//! assert!(flags.is_on("newSearch", "tower-rs/tower"));
//! # Ok::<_, tower_egress::flags::InvalidConfig>(())
//! ```
//!
//! # Who is in a share
//!
//! A key is in a share of *p* per cent if `xxh32(flag ␀ key, xxh32(salt, 0))`, as a part of 2<sup>32</sup>, is less than *p*/100: the same answer in
//! every process, natively and in a Worker. So who is in stays in while the share grows, and two flags, or two salts, choose
//! independently of each other.
//!
//! # The layers
//!
//! [`FlagsBuilder::layers`] declares a flag for each part of the stack, and [`EgressBuilder::flags`](crate::EgressBuilder::flags) hands them
//! in: so retries, or a rate limit, can be switched off while a program runs, for all requests or a share of them.
//!
//! # Gradual rollout
//!
//! While a flag is on for a share, [`Flag::record`] compares how those in it fare with the rest: their error rate, and
//! the time that 95 in 100 of them do not exceed. If they do worse, or the rest does, the [hook](FlagsBuilder::on_alert) is called, once for
//! each time that they begin to: again only after the difference has fallen to half of what is called [worse](Worse).
//!
//! # In a Worker
//!
//! Flags are plain data, and may be kept in a `static`. What [`record`](Flag::record) has counted is of one isolate.

mod alert;
mod builder;
mod compare;
mod config;
mod entry;
mod flag;
mod rule;
mod status;
mod trial;

pub(crate) use self::flag::Entered;
pub use self::{
    alert::{Alert, ArmStatus, Worse},
    builder::FlagsBuilder,
    config::{Config, InvalidConfig},
    flag::{Flag, FlagKey, Flags},
    rule::{InvalidPercent, Rule},
    status::{FlagStatus, FlagsStatus},
};
