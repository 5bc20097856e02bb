//! Responses, header by header.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::quota::Unit;

/// 22 November 2026, noon.
const NOW: Duration = Duration::from_secs(1_795_348_800);

fn quotas_in(lines: &[(&'static str, &str)]) -> Vec<ServerQuota> {
    let date = lines.iter().filter(|(name, _)| *name == "date");
    let headers: HeaderMap = date
        .map(|(_, date)| (header::DATE, HeaderValue::from_str(date).unwrap()))
        .collect();
    let clocks = Clocks::new(&headers, NOW);
    let mut families = Families::default();
    let mut policies = Policies::default();
    for &(name, line) in lines {
        match Family::recognise(name) {
            Some((family, figure)) => families.add(family, figure, line.as_bytes(), &clocks),
            None => policies.add(line.as_bytes()),
        }
        if name.ends_with("-limit") && line.contains(';') {
            policies.add(line.as_bytes());
        }
    }
    let mut found = Vec::new();
    families.quotas(&policies, |quota| found.push(*quota));
    found
}

/// Limit, remaining, milliseconds to the reset.
fn brief(quotas: &[ServerQuota]) -> Vec<(Option<u64>, Option<u64>, Option<u128>)> {
    quotas
        .iter()
        .map(|quota| {
            (
                quota.limit,
                quota.remaining,
                quota.reset_after.map(|after| after.as_millis()),
            )
        })
        .collect()
}

#[test]
fn github() {
    let found = quotas_in(&[
        ("date", "Mon, 13 Jun 2022 11:48:53 GMT"),
        ("x-ratelimit-limit", "30"),
        ("x-ratelimit-remaining", "14"),
        ("x-ratelimit-reset", "1655120964"),
        ("x-ratelimit-used", "16"),
        ("x-ratelimit-resource", "search"),
    ]);
    assert_eq!((found[0].limit, found[0].remaining), (Some(30), Some(14)));
    assert_eq!(found[0].resource.unwrap(), "search");
    assert_eq!(found[0].resets_at, Some(Duration::from_secs(1_655_120_964)));
    let found = quotas_in(&[
        ("date", "Sun, 22 Nov 2026 11:59:50 GMT"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795348830"),
    ]);
    assert_eq!(
        brief(&found),
        [(None, Some(0), Some(41_000))],
        "40 s by the server's clock, and one for the cut"
    );
}

#[test]
fn discord_reddit_okta_vimeo_openai() {
    let discord = [
        ("x-ratelimit-limit", "10"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795348864.57"),
        ("x-ratelimit-reset-after", "64.57"),
    ];
    assert_eq!(
        brief(&quotas_in(&discord)),
        [(Some(10), Some(0), Some(64_570))]
    );
    let reddit = [
        ("x-ratelimit-used", "1"),
        ("x-ratelimit-remaining", "599.0"),
        ("x-ratelimit-reset", "480"),
    ];
    assert_eq!(
        brief(&quotas_in(&reddit)),
        [(None, Some(599), Some(480_000))]
    );
    let okta = [
        ("x-rate-limit-limit", "600"),
        ("x-rate-limit-remaining", "0"),
        ("x-rate-limit-reset", "1795348807"),
    ];
    assert_eq!(
        brief(&quotas_in(&okta)),
        [(Some(600), Some(0), Some(8_000))]
    );
    let vimeo = [
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "94"),
        ("x-ratelimit-reset", "2026-11-22T12:01:00+00:00"),
    ];
    assert_eq!(
        brief(&quotas_in(&vimeo)),
        [(Some(100), Some(94), Some(61_000))]
    );
    let openai = [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    let found = quotas_in(&openai);
    let figures = [
        (Some(60), Some(59), Some(1_000)),
        (Some(150_000), Some(149_984), Some(360_000)),
    ];
    assert_eq!(brief(&found), figures);
    assert_eq!(
        (found[0].unit, found[1].unit),
        (Unit::Requests, Unit::Tokens)
    );
}

#[test]
fn anthropic() {
    let lines = [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "2026-11-22T12:00:01Z"),
        ("anthropic-ratelimit-input-tokens-limit", "30000"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "2026-11-22T12:00:59.5Z",
        ),
    ];
    let found = quotas_in(&lines);
    let figures = [
        (Some(50), Some(49), Some(2_000)),
        (Some(30_000), Some(0), Some(59_500)),
    ];
    assert_eq!(brief(&found), figures);
    assert_eq!(found[1].unit, Unit::Tokens);
    assert_eq!(found[1].resource.unwrap(), "input-tokens");
}

#[test]
fn the_early_drafts_explain_their_windows() {
    let lines = [
        ("ratelimit-limit", "100, 100;w=60"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "30"),
    ];
    let found = quotas_in(&lines);
    assert_eq!(brief(&found), [(Some(100), Some(0), Some(30_000))]);
    assert_eq!(found[0].window, Some(Duration::from_secs(60)));
    let lines = [
        (
            "ratelimit-limit",
            "10, 10;w=1, 50;w=60, 1000;w=3600;comment=\"sliding\"",
        ),
        ("ratelimit-remaining", "9"),
        ("ratelimit-reset", "1"),
    ];
    assert_eq!(quotas_in(&lines)[0].window, Some(Duration::from_secs(1)));
    let lines = [
        ("ratelimit-limit", "100"),
        ("ratelimit-policy", "100;w=900"),
        ("ratelimit-remaining", "9"),
        ("ratelimit-reset", "1"),
    ];
    assert_eq!(quotas_in(&lines)[0].window, Some(Duration::from_secs(900)));
}

#[test]
fn columns_are_separate_quotas() {
    let brave = [
        ("x-ratelimit-limit", "1, 15000"),
        ("x-ratelimit-policy", "1;w=1, 15000;w=2592000"),
        ("x-ratelimit-remaining", "0, 14523"),
        ("x-ratelimit-reset", "1, 1419704"),
    ];
    let found = quotas_in(&brave);
    assert_eq!(
        brief(&found),
        [
            (Some(1), Some(0), Some(1_000)),
            (Some(15_000), Some(14_523), Some(1_419_704_000))
        ]
    );
    assert_eq!(found[1].window, Some(Duration::from_secs(2_592_000)));
    let unpaired = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1, 60"),
    ];
    assert_eq!(
        brief(&quotas_in(&unpaired)),
        [(None, Some(0), Some(60_000))],
        "which reset? the longest"
    );
    let many = [
        ("x-ratelimit-remaining", "5,6,7,0"),
        ("x-ratelimit-reset", "1,2,3,4"),
    ];
    assert_eq!(
        brief(&quotas_in(&many))[2],
        (None, Some(0), Some(4_000)),
        "the last column is shared"
    );
}

#[test]
fn of_repeated_headers_the_most_cautious_counts() {
    let lines = [
        ("x-ratelimit-limit", "60"),
        ("x-ratelimit-limit", "50"),
        ("x-ratelimit-remaining", "7"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "5"),
        ("x-ratelimit-reset", "50"),
        ("x-ratelimit-reset", "junk"),
    ];
    assert_eq!(
        brief(&quotas_in(&lines)),
        [(Some(50), Some(0), Some(50_000))]
    );
}

#[test]
fn what_is_used_is_not_left() {
    assert_eq!(
        brief(&quotas_in(&[
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-used", "61")
        ])),
        [(Some(60), Some(0), None)]
    );
    assert_eq!(brief(&quotas_in(&[("x-ratelimit-used", "61")])), []);
    assert_eq!(
        brief(&quotas_in(&[
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-remaining", "9"),
            ("x-ratelimit-used", "60")
        ])),
        [(Some(60), Some(9), None)]
    );
}

#[test]
fn what_cannot_be_read_says_nothing() {
    for junk in [
        "", "-1", "+5", "NaN", "inf", "1e308", "many", ";", ",", ",,,,,,",
    ] {
        let lines = [
            ("x-ratelimit-limit", junk),
            ("x-ratelimit-remaining", junk),
            ("x-ratelimit-reset", junk),
        ];
        assert_eq!(quotas_in(&lines), [], "{junk:?}");
    }
    let digits = "9".repeat(40);
    let lines = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", digits.as_str()),
    ];
    assert_eq!(quotas_in(&lines)[0].reset_after, Some(Duration::MAX - NOW));
}
