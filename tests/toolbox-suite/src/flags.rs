//! Flags.

use crate::{same, text};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tower_egress::{
    Timer,
    flags::{Config, Flags, Rule},
};

fn search(salt: &str, rule: impl Into<Rule>) -> Flags {
    let flags = Flags::builder().salt(salt).flag("newSearch", rule);
    flags.build()
}

/// Which of 64 users it is on for, the first in the lowest bit.
fn users(flags: &Flags) -> u64 {
    let is_on = |user: &u32| flags.is_on("newSearch", &format!("user-{user}"));
    (0..64).filter(is_on).map(|user| 1 << user).sum()
}

/// What stands here was computed with another implementation of the hash.
pub(crate) async fn users_are_in_the_same_share_everywhere<T: Timer>(_: T) -> Result<(), String> {
    for (salt, percent, expected) in [
        ("", 10.0, 0x0120_0880_0200_0040),
        ("", 50.0, 0x0522_4cb2_9734_9d42),
        ("2026", 10.0, 0x4002_0000_1000_0040),
        ("2026", 50.0, 0xff22_b5af_17de_b0e2),
    ] {
        let flags = search(salt, Rule::share(percent).map_err(text)?);
        same("users", users(&flags), expected)?;
    }
    Ok(())
}

pub(crate) async fn who_is_in_a_share_stays_in_it<T: Timer>(_: T) -> Result<(), String> {
    let flags = search("", false);
    let mut before = 0;
    for percent in ["0.5", "1", "10", "33.3", "50", "99.9", "100"] {
        let json = format!("{{\"newSearch\": {percent}}}");
        flags.apply_json(&json).map_err(text)?;
        let now = users(&flags);
        same("users that are out again", before & !now, 0)?;
        before = now;
    }
    same("all are in", before, u64::MAX)
}

pub(crate) async fn a_bad_configuration_changes_nothing<T: Timer>(_: T) -> Result<(), String> {
    let flags = search("", false);
    flags
        .apply_json(r#"{"newSearch": {"percent": 0, "on": ["user-3"]}}"#)
        .map_err(text)?;
    for bad in ["", "{", r#"{"newSearch": 1e308}"#, r#"{"other": true}"#] {
        same("it is refused", flags.apply_json(bad).is_err(), true)?;
        same("the last good one", users(&flags), 1 << 3)?;
        same("it is told", flags.status().refused.is_some(), true)?;
    }
    let off = [("APP_NEW_SEARCH".to_owned(), "off +user-5".to_owned())];
    flags.apply_env("APP_", off).map_err(text)?;
    same("it is good again", flags.status().refused, None)?;
    same("by a variable", users(&flags), 1 << 5)
}

pub(crate) async fn who_does_worse_is_told_once<T: Timer>(_: T) -> Result<(), String> {
    let told = Arc::new(AtomicU32::new(0));
    let alerts = Arc::clone(&told);
    let flags = Flags::builder()
        .flag("newSearch", Rule::share(50.0).map_err(text)?)
        .on_alert(move |_| {
            alerts.fetch_add(1, Relaxed);
        })
        .build();
    let flag = flags.get("newSearch").ok_or("it was declared")?;
    for n in 0..1000 {
        let is_on = flag.is_on(&n.to_string());
        flag.record(is_on, !is_on || n % 3 > 0, Duration::from_millis(20));
    }
    same("alerts", told.load(Relaxed), 1)?;
    let off = Config::default().with("newSearch", false);
    flags.apply(&off).map_err(text)?;
    same(
        "it begins anew",
        flags.status().flags["newSearch"].is_worse,
        false,
    )
}
