//! Whether one group does worse than the other, and not by chance.

use super::{Worse, trial::Read};
use std::time::Duration;

/// By how much the share of failures must be larger: two in a hundred …
const MORE_FAILURES: f64 = 0.02;

/// … and by how many standard errors, so that it is hardly chance. It is looked at again and again: with three of them, one rollout in 25 in
/// which nothing is wrong was told of within 40,000 records, with these one in a hundred.
const SURE: f64 = 3.5;

/// How many standard errors each of two percentiles may be off.
const SURE_OF_P95: f64 = 3.0;

/// By how much of the other the 95th percentile must be longer, where chance makes it as short, and the other as long, as it can.
const SLOWER: f64 = 0.5;

/// Differences up to this are taken for none: nobody feels them.
const UNFELT: Duration = Duration::from_millis(5);

/// Returns which group does worse, that for whom it is on or the other, and in what; by a part of what makes a difference, if one is to be
/// over.
pub(super) fn compare(on: &Read, off: &Read, part: f64) -> Option<(bool, Worse)> {
    let failures = [
        (true, fails_more(on, off, part)),
        (false, fails_more(off, on, part)),
    ];
    if let Some((was_on, _)) = failures.into_iter().find(|(_, fails)| *fails) {
        return Some((was_on, Worse::Failures));
    }
    let slower = [
        (true, is_slower(on, off, part)),
        (false, is_slower(off, on, part)),
    ];
    let (was_on, _) = slower.into_iter().find(|(_, is_slower)| *is_slower)?;
    Some((was_on, Worse::Slower))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "of so many, some more or fewer make no difference"
)]
fn fails_more((one, _): &Read, (other, _): &Read, part: f64) -> bool {
    let counts = [one.count as f64, other.count as f64];
    let failed = [one.failed as f64, other.failed as f64];
    let more = failed[0] / counts[0] - failed[1] / counts[1];
    let both = (failed[0] + failed[1]) / (counts[0] + counts[1]);
    let error = (both * (1.0 - both) * (1.0 / counts[0] + 1.0 / counts[1])).sqrt();
    more >= part * MORE_FAILURES && more >= part * SURE * error
}

fn is_slower(one: &Read, other: &Read, part: f64) -> bool {
    let errors = part * SURE_OF_P95;
    let (Some(one), Some(other)) = (p95(one, -errors), p95(other, errors)) else {
        return false;
    };
    let longer = one.saturating_sub(other);
    longer >= other.mul_f64(part * SLOWER) && longer >= UNFELT.mul_f64(part)
}

/// Returns the 95th percentile, so many standard errors off.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 0 and 1000"
)]
fn p95((status, took): &Read, errors: f64) -> Option<Duration> {
    let error = (0.95 * 0.05 / status.count as f64).sqrt();
    let share = (0.95 + errors * error).clamp(0.0, 1.0);
    took.per_mille((share * 1000.0).round() as u16)
}
