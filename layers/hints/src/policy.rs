//! The IETF fields: `RateLimit` in its last two generations, and `RateLimit-Policy`.

use std::time::Duration;

use http::HeaderMap;

use crate::{
    clocks::Clocks,
    quota::{Resource, ServerQuota, Unit},
    structured::{self, Member},
    when::When,
};

pub(crate) const RATE_LIMIT: &str = "ratelimit";
pub(crate) const POLICY_HEADERS: [&str; 2] = ["ratelimit-policy", "x-ratelimit-policy"];

/// What a server promises in general: so much per window.
#[derive(Debug, Clone, Copy)]
struct Policy<'a> {
    name: Option<&'a [u8]>,
    limit: u64,
    window: Option<Duration>,
    unit: Unit,
}

/// The first few policies of a response. They only explain quotas; the draft allows to ignore them.
#[derive(Debug, Default)]
pub(crate) struct Policies<'a> {
    list: [Option<Policy<'a>>; 8],
    len: usize,
}

impl<'a> Policies<'a> {
    /// Takes the policies of one line: `"burst";q=100;w=60`, or `100;w=60` as older drafts have it,
    /// where a line of `RateLimit-Limit` may hold them too. A malformed line is ignored.
    pub(crate) fn add(&mut self, line: &'a [u8]) {
        let before = self.len;
        let read = structured::members(line, |member| {
            let policy = Self::policy(&member)?;
            if let Some(slot) = self.list.get_mut(self.len) {
                *slot = Some(policy);
                self.len += 1;
            }
            Some(())
        });
        if read.is_none() {
            self.len = before;
        }
    }

    fn policy(member: &Member<'a>) -> Option<Policy<'a>> {
        let (mut quota, mut window, mut unit) = (None, None, None);
        member.parameters(|key, value| match key {
            b"q" => quota = Some(value),
            b"w" => window = Some(value),
            b"qu" => unit = Some(value),
            _ => {}
        });
        let window = match window {
            Some(seconds) => Some(seconds.count().filter(|&seconds| seconds > 0)?),
            None => None,
        };
        let unit = match unit {
            Some(unit) => unit_named(unit.text()?),
            None => Unit::Requests,
        };
        let name = member.value.text();
        let limit = if name.is_some() { quota? } else { member.value };
        Some(Policy {
            name,
            limit: limit.count()?,
            window: window.map(Duration::from_secs),
            unit,
        })
    }

    fn named(&self, name: &[u8]) -> Option<&Policy<'a>> {
        self.iter().find(|policy| policy.name == Some(name))
    }

    /// The window of the policy that allows just so much.
    pub(crate) fn window_of(&self, limit: u64) -> Option<Duration> {
        self.iter()
            .filter(|policy| policy.limit == limit)
            .find_map(|policy| policy.window)
    }

    fn iter(&self) -> impl Iterator<Item = &Policy<'a>> {
        self.list.iter().take(self.len).flatten()
    }
}

/// Calls `each` for every quota in the `RateLimit` field; `None` if it is malformed, and then all
/// of it must be ignored.
pub(crate) fn service_limits(
    headers: &HeaderMap,
    policies: &Policies<'_>,
    clocks: &Clocks<'_>,
    mut each: impl FnMut(&ServerQuota),
) -> Option<()> {
    let mut older = OlderForm::default();
    for line in headers.get_all(RATE_LIMIT) {
        structured::members(line.as_bytes(), |member| match member.key {
            None => service_limit(&member, policies, clocks).map(|quota| each(&quota)),
            Some(key) => older.add(key, &member),
        })?;
    }
    if let Some(quota) = older.quota(policies, clocks) {
        each(&quota);
    }
    Some(())
}

/// `"default";r=50;t=30`
fn service_limit(
    member: &Member<'_>,
    policies: &Policies<'_>,
    clocks: &Clocks<'_>,
) -> Option<ServerQuota> {
    let name = member.value.text()?;
    let (mut remaining, mut reset) = (None, None);
    member.parameters(|key, value| match key {
        b"r" => remaining = Some(value),
        b"t" => reset = Some(value),
        _ => {}
    });
    let remaining = remaining?.count()?;
    let reset = match reset {
        Some(seconds) => Some(clocks.reset(When::In(Duration::from_secs(seconds.count()?)))),
        None => None,
    };
    let policy = policies.named(name);
    Some(ServerQuota {
        limit: policy.map(|policy| policy.limit),
        remaining: Some(remaining),
        reset_after: reset.map(|reset| reset.after),
        resets_at: reset.map(|reset| reset.at),
        window: policy.and_then(|policy| policy.window),
        unit: policy.map_or(Unit::Requests, |policy| policy.unit),
        resource: Resource::new(name),
    })
}

/// `limit=100, remaining=50, reset=30`
#[derive(Default)]
struct OlderForm {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<u64>,
}

impl OlderForm {
    fn add(&mut self, key: &[u8], member: &Member<'_>) -> Option<()> {
        let slot = match key {
            b"limit" => &mut self.limit,
            b"remaining" => &mut self.remaining,
            b"reset" => &mut self.reset,
            _ => return Some(()),
        };
        *slot = Some(member.value.count()?);
        Some(())
    }

    fn quota(&self, policies: &Policies<'_>, clocks: &Clocks<'_>) -> Option<ServerQuota> {
        let remaining = self.remaining?;
        let reset = self
            .reset
            .map(|seconds| clocks.reset(When::In(Duration::from_secs(seconds))));
        Some(ServerQuota {
            limit: self.limit,
            remaining: Some(remaining),
            reset_after: reset.map(|reset| reset.after),
            resets_at: reset.map(|reset| reset.at),
            window: self.limit.and_then(|limit| policies.window_of(limit)),
            ..ServerQuota::default()
        })
    }
}

fn unit_named(name: &[u8]) -> Unit {
    const UNITS: [(&str, Unit); 4] = [
        ("requests", Unit::Requests),
        ("content-bytes", Unit::ContentBytes),
        ("concurrent-requests", Unit::ConcurrentRequests),
        ("tokens", Unit::Tokens),
    ];
    let known = UNITS.iter().find(|(unit, _)| unit.as_bytes() == name);
    known.map_or(Unit::Other, |(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn quotas(lines: &[(&'static str, &'static str)]) -> Option<Vec<ServerQuota>> {
        let mut headers = HeaderMap::new();
        for &(name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        let mut found = Vec::new();
        let mut policies = Policies::default();
        for name in POLICY_HEADERS {
            headers
                .get_all(name)
                .iter()
                .for_each(|line| policies.add(line.as_bytes()));
        }
        let clocks = Clocks::new(&headers, Duration::from_secs(1_795_348_800));
        service_limits(&headers, &policies, &clocks, |quota| found.push(*quota))?;
        Some(found)
    }

    fn brief(quota: &ServerQuota) -> (Option<u64>, Option<u64>, Option<u64>, Option<u64>) {
        (
            quota.limit,
            quota.remaining,
            quota.reset_after.map(|after| after.as_secs()),
            quota.window.map(|window| window.as_secs()),
        )
    }

    #[test]
    fn the_examples_of_the_draft() {
        let found = quotas(&[("ratelimit", r#""default";r=50;t=30"#)]).unwrap();
        assert_eq!(brief(&found[0]), (None, Some(50), Some(30), None));
        assert_eq!(found[0].resource.unwrap(), "default");
        assert_eq!(found[0].resets_at, Some(Duration::from_secs(1_795_348_830)));

        let found = quotas(&[("ratelimit", r#""default";r=999;pk=:dHJpYWwxMjEzMjM=:"#)]).unwrap();
        assert_eq!(brief(&found[0]), (None, Some(999), None, None));

        let found = quotas(&[
            (
                "ratelimit-policy",
                r#""permin";q=50;w=60,"perhr";q=1000;w=3600"#,
            ),
            (
                "ratelimit-policy",
                r#""peruser";q=65535;qu="content-bytes";w=10;pk=:sdfjLJUOUH==:"#,
            ),
            ("ratelimit", r#""permin";r=0;t=7, "perhr";r=950;t=1200"#),
            ("ratelimit", r#""peruser";r=100;t=3;pk=:sdfjLJUOUH==:"#),
        ])
        .unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(brief(&found[0]), (Some(50), Some(0), Some(7), Some(60)));
        assert_eq!(
            brief(&found[1]),
            (Some(1000), Some(950), Some(1200), Some(3600))
        );
        assert_eq!(
            (brief(&found[2]), found[2].unit),
            (
                (Some(65535), Some(100), Some(3), Some(10)),
                Unit::ContentBytes
            )
        );
    }

    #[test]
    fn the_dictionary_of_the_draft_before() {
        let found = quotas(&[
            ("ratelimit", "limit=100, remaining=99, reset=900"),
            ("ratelimit-policy", "100;w=900"),
        ])
        .unwrap();
        assert_eq!(
            brief(&found[0]),
            (Some(100), Some(99), Some(900), Some(900))
        );
        let split = quotas(&[
            ("ratelimit", "limit=10"),
            ("ratelimit", "remaining=0, reset=5, comment=\"x\""),
        ])
        .unwrap();
        assert_eq!(brief(&split[0]), (Some(10), Some(0), Some(5), None));
        assert_eq!(quotas(&[("ratelimit", "limit=10")]).unwrap(), []);
    }

    #[test]
    fn a_malformed_field_is_ignored_whole() {
        for wrong in [
            r#""default";t=30"#,
            r#""default";r=-1;t=30"#,
            r#""default";r="0";t=30"#,
            r#""default";r=0;t=-30"#,
            r#""default";r=0;t=1.5"#,
            r#""default";r=0;t=99999999999999999999"#,
            r#""default";r=0;t=30,"#,
            r#""default;r=0;t=30"#,
            r#"5;r=0;t=30"#,
            "limit=10, remaining=-1, reset=5",
            "100",
        ] {
            assert_eq!(quotas(&[("ratelimit", wrong)]), None, "{wrong}");
            assert_eq!(
                quotas(&[("ratelimit", r#""good";r=0;t=30"#), ("ratelimit", wrong)]),
                None,
                "good, then {wrong}"
            );
        }
    }

    #[test]
    fn a_malformed_policy_leaves_the_quota_unexplained() {
        for wrong in [
            r#""default""#,
            r#""default";q=-1"#,
            r#""default";q=1;w=0"#,
            r#""default";q=1;qu=5"#,
            "\"default\";q=1,",
        ] {
            let found = quotas(&[
                ("ratelimit-policy", wrong),
                ("ratelimit", r#""default";r=1;t=2"#),
            ])
            .unwrap();
            assert_eq!(brief(&found[0]), (None, Some(1), Some(2), None), "{wrong}");
        }
    }

    #[test]
    fn more_policies_than_there_is_room_for_are_left_out() {
        let many = (0..100)
            .map(|n| format!("\"p{n}\";q={n};w=1"))
            .collect::<Vec<_>>()
            .join(",");
        let mut policies = Policies::default();
        policies.add(many.as_bytes());
        assert!(policies.named(b"p7").is_some());
        assert!(policies.named(b"p8").is_none());
        policies.add(b"5;w=1");
        assert_eq!(policies.len, 8);
    }

    #[test]
    fn units_have_names() {
        let units = [
            (&b"requests"[..], Unit::Requests),
            (b"content-bytes", Unit::ContentBytes),
            (b"concurrent-requests", Unit::ConcurrentRequests),
            (b"tokens", Unit::Tokens),
            (b"acme", Unit::Other),
        ];
        for (name, unit) in units {
            assert_eq!(unit_named(name), unit);
        }
    }
}
