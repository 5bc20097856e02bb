//! Percentiles against an exact sort, and against the `hdrhistogram` crate.
#![cfg(not(target_arch = "wasm32"))]

use egress_timing::{Distribution, Histogram};
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

/// Durations of any magnitude that requests have, with zeros among them, in nanoseconds.
fn durations() -> impl Strategy<Value = Vec<u64>> {
    let nanos = prop_oneof![
        1 => Just(0_u64),
        1 => 0_u64..20_000,
        8 => (13_u32..44, any::<u64>()).prop_map(|(bits, random)| (random | 1 << 63) >> (63 - bits)),
    ];
    vec(nanos.prop_map(|nanos| nanos.min((1 << 44) - 1)), 1..200)
}

fn recorded(nanos: &[u64]) -> Distribution {
    let histogram = Histogram::new();
    nanos
        .iter()
        .for_each(|nanos| histogram.record(Duration::from_nanos(*nanos)));
    histogram.read()
}

/// Within 1 %, or within 128 ns of what is shorter than 8 µs; zero is zero.
fn assert_near(actual: Option<Duration>, expected: u64, what: &str) {
    let expected = Duration::from_nanos(expected);
    let actual = actual.expect("there are some");
    let off = actual.abs_diff(expected);
    assert!(
        off <= expected / 100 || off < Duration::from_nanos(128),
        "{what}: {actual:?} instead of {expected:?}"
    );
    assert!(expected > Duration::ZERO || actual == Duration::ZERO);
}

/// The smallest that at least `share` of 1000 do not exceed.
fn exact(sorted: &[u64], share: u16) -> u64 {
    let rank = (sorted.len() * usize::from(share)).div_ceil(1000);
    sorted[rank.clamp(1, sorted.len()) - 1]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// M2, M3
    #[test]
    fn they_are_within_one_percent_of_an_exact_sort(mut nanos in durations(), share in 0_u16..=1000) {
        let distribution = recorded(&nanos);
        nanos.sort_unstable();
        assert_near(distribution.p50(), exact(&nanos, 500), "p50");
        assert_near(distribution.p95(), exact(&nanos, 950), "p95");
        assert_near(distribution.p99(), exact(&nanos, 990), "p99");
        assert_near(distribution.per_mille(share), exact(&nanos, share), "any");
        assert_near(distribution.min(), nanos[0], "min");
        assert_near(distribution.max(), nanos[nanos.len() - 1], "max");
        let count = u64::try_from(nanos.len()).unwrap();
        prop_assert_eq!(distribution.count(), count);
        let mean = nanos.iter().sum::<u64>() / count;
        let off = distribution.mean().unwrap().abs_diff(Duration::from_nanos(mean));
        prop_assert!(off <= Duration::from_nanos(mean / 100 + 128));
    }

    /// M2: what merges is the counts, never the percentiles.
    #[test]
    fn merging_is_recording_all_into_one(left in durations(), right in durations()) {
        let mut merged = recorded(&left);
        merged.merge(&recorded(&right));
        let mut other_way = recorded(&right);
        other_way.merge(&recorded(&left));
        prop_assert_eq!(&merged, &other_way);
        prop_assert_eq!(merged, recorded(&[left, right].concat()));
    }

    /// M2: the same script through the crate that everybody knows; each may be off by 1 %.
    #[test]
    fn they_agree_with_hdrhistogram(nanos in durations()) {
        let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << 44, 3).unwrap();
        nanos.iter().for_each(|nanos| theirs.saturating_record(*nanos));
        let ours = recorded(&nanos);
        for share in [500_u16, 950, 990, 999] {
            let theirs = theirs.value_at_quantile(f64::from(share) / 1000.0);
            let ours = ours.per_mille(share).unwrap().as_nanos();
            let off = ours.abs_diff(u128::from(theirs));
            prop_assert!(off * 100 <= u128::from(theirs) || off <= 128, "{} and {}", ours, theirs);
        }
    }
}

#[test]
fn of_nothing_there_are_none() {
    let mut nothing = Distribution::default();
    assert_eq!(nothing, Histogram::new().read());
    assert!(nothing.is_empty());
    assert_eq!(
        (nothing.p50(), nothing.mean(), nothing.max(), nothing.min()),
        (None, None, None, None)
    );
    nothing.merge(&recorded(&[0]));
    assert_eq!(nothing.p99(), Some(Duration::ZERO));
    assert!(!nothing.is_empty());
}

/// M2: as long as it gets, and longer.
#[test]
fn what_is_too_long_counts_as_the_longest() {
    let histogram = Histogram::new();
    histogram.record(Duration::MAX);
    histogram.record(Duration::from_secs(24 * 3600));
    let longest = histogram.read().p50().unwrap();
    assert!(
        longest > Duration::from_secs(48 * 360) && longest < Duration::from_secs(49 * 360),
        "{longest:?}"
    );
}
