//! What flags are as metrics.

use super::{Family, float};
use crate::flags::FlagsStatus;

pub(super) fn of_flags(flags: &FlagsStatus) -> Vec<Family<'_>> {
    let mut percent = Family::gauge(
        "tower_egress_flag_percent",
        "For how many keys in a hundred a flag is on.",
    );
    let mut named = Family::gauge(
        "tower_egress_flag_named_keys",
        "Keys that a flag is on or off for by name.",
    );
    let mut recorded = Family::counter(
        "tower_egress_flag_recorded_total",
        "What was recorded of those for whom a flag is on, and of the rest, while it is on for a share.",
    );
    let mut p95 = Family::gauge(
        "tower_egress_flag_p95_seconds",
        "What 95 in 100 of those that are compared do not exceed.",
    );
    let mut worse = Family::gauge(
        "tower_egress_flag_worse",
        "1 if those for whom a flag is on do worse than the rest, or the rest does.",
    );
    for (name, flag) in &flags.flags {
        let of = || ("flag", name.as_str().into());
        percent.push([of()], flag.percent);
        for (group, arm, keys) in [
            ("on", &flag.on, flag.named_on),
            ("off", &flag.off, flag.named_off),
        ] {
            let group = || [of(), ("group", group.into())];
            named.push(group(), super::float_len(keys));
            let ok = arm.ever.saturating_sub(arm.ever_failed);
            for (outcome, count) in [("ok", ok), ("failed", arm.ever_failed)] {
                let [flag, group] = group();
                recorded.push([flag, group, ("outcome", outcome.into())], float(count));
            }
            let seconds = match arm.count {
                0 => f64::NAN,
                _ => arm.p95_ms / 1e3,
            };
            p95.push(group(), seconds);
        }
        worse.push([of()], f64::from(u8::from(flag.is_worse)));
    }
    let are_there = !flags.flags.is_empty() || flags.refused.is_some();
    let refused = f64::from(u8::from(flags.refused.is_some()));
    let refused = Family::gauge(
        "tower_egress_flags_refused",
        "1 if the last configuration of the flags was refused.",
    )
    .with(are_there.then_some(refused));
    vec![percent, named, recorded, p95, worse, refused]
}
