//! The score: what a client did, in numbers.

mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Api, FaultKind};

/// Counts what the origin saw of its client since it started or was reset.
///
/// Requests to the origin's own routes (`/__score`, `/__reset`, `/__health`) are in none of the
/// numbers, nor are connections that carried nothing else.
///
/// A body counts as written when its last bytes were handed to the connection. Up to the size of
/// the socket buffers that is before the client reads them, so that only larger bodies can be seen
/// to be open or aborted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Score {
    /// Requests that arrived, whatever became of them.
    pub requests: u64,
    /// Responses by status, those of faults and refusals too.
    pub by_status: BTreeMap<u16, u64>,
    /// What belongs to one API.
    pub apis: BTreeMap<Api, ApiScore>,
    /// Requests whose head has arrived and whose response head has not left yet.
    pub waiting_for_headers_now: u64,
    /// The most of them at once.
    pub peak_waiting_for_headers: u64,
    /// Responses whose body is not written in full yet.
    pub open_bodies_now: u64,
    /// The most of them at once.
    pub peak_open_bodies: u64,
    /// Bodies that were written in full.
    pub bodies_completed: u64,
    /// Bodies that the client gave up: it closed the connection or reset the stream before they
    /// were written.
    pub bodies_aborted: u64,
    /// Requests that the client gave up before the response head.
    pub abandoned: u64,
    /// Requests that had to wait for one of the header slots.
    pub held_for_slot: u64,
    /// Requests that were refused because no header slot was free.
    pub refused_for_slot: u64,
    /// Connections that carried a request.
    pub connections_accepted: u64,
    /// Connections that carried a request and are open.
    pub connections_now: u64,
    /// The most of them at once.
    pub peak_connections: u64,
    /// Connections that spoke no HTTP.
    pub malformed: u64,
    /// POSTs that took place.
    pub writes: u64,
    /// POSTs that were sent again, same path and same body, without an idempotency key. One whose
    /// answer said `x-should-retry: true` may be.
    pub repeated_writes: u64,
    /// POSTs that were sent again with the idempotency key of one that took place, and got the same
    /// answer.
    pub idempotent_replays: u64,
    /// Faults that hit a request.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Different paths (with query) that were answered with success, or "not modified", and written
    /// in full.
    pub unique_paths_served: u64,
}

/// Counts what the origin saw at one API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApiScore {
    /// Requests that arrived.
    pub requests: u64,
    /// Requests that were served at the cost of one unit of quota, those that cost nothing in the
    /// end too.
    pub served: u64,
    /// Requests that were refused because the window was full.
    pub over_limit: u64,
    /// Requests that were refused because too many were under way.
    pub secondary_limited: u64,
    /// Requests that a fault hit.
    pub faulted: u64,
    /// Requests that were served with "not modified", which costs no quota.
    pub not_modified: u64,
    /// Requests that came again after a refusal, a fault or an error.
    pub retries: u64,
    /// Requests that came again more than a millisecond before the time that they themselves had
    /// been told.
    pub early_retries: u64,
    /// Requests that came while everyone had been told to stay away, without having been told a
    /// time of their own. One that arrived within the [crossing
    /// allowance](crate::Builder::crossing) of the telling is excused.
    pub pause_violations: u64,
    /// The limit of the API's rule.
    pub limit: Option<u32>,
    /// The most arrivals in any window of the rule (of one second if there is none): all of them,
    /// refused and faulted ones too, as a client that counts its departures counts them.
    pub peak_window: u64,
    /// The most arrivals in any window that is shorter by the rule's
    /// [slack](crate::Rule::with_slack): what
    /// [`Score::complaints`] compares with the limit. Without a slack it is [`peak_window`](Self::peak_window).
    pub peak_enforced_window: u64,
    /// The smallest time between two arrivals, in microseconds, jitter and all.
    pub smallest_spacing_us: Option<u64>,
    /// Arrivals that were ahead of the smallest spacing by more than the allowance for jitter.
    pub spacing_violations: u64,
    /// Arrivals that were ahead of burst and refill by more than the allowance for jitter.
    pub burst_violations: u64,
    /// The most requests at once that waited for their response heads.
    pub peak_waiting: u64,
}

impl Score {
    /// Returns the score of one API.
    pub fn api(&self, api: Api) -> ApiScore {
        self.apis.get(&api).cloned().unwrap_or_default()
    }

    /// Returns how many faults hit a request.
    pub fn faults_injected(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Returns what a polite client never does, a sentence each; none means that it kept every
    /// rule.
    ///
    /// Aborted bodies and abandoned requests are no complaints: a client may have good reasons.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut complain = |count: u64, who: &str, what: &str| {
            if count > 0 {
                complaints.push(format!("{who}: {count} {what}"));
            }
        };
        for (api, score) in &self.apis {
            let who = api.name();
            complain(
                score.over_limit,
                who,
                "requests above the limit of a window",
            );
            complain(
                score.secondary_limited,
                who,
                "requests above the limit of concurrent ones",
            );
            complain(score.early_retries, who, "retries earlier than asked");
            complain(
                score.pause_violations,
                who,
                "requests while everyone was asked to wait",
            );
            complain(
                score.spacing_violations,
                who,
                "requests closer than the spacing",
            );
            complain(score.burst_violations, who, "requests above the burst");
            let most = score.peak_enforced_window;
            let is_above = score.limit.is_some_and(|limit| most > u64::from(limit));
            let above = if is_above { most } else { 0 };
            complain(above, who, "arrivals in one window, more than its limit");
        }
        complain(
            self.refused_for_slot,
            "all",
            "requests without a header slot",
        );
        complain(
            self.repeated_writes,
            "all",
            "writes sent twice without a key",
        );
        complain(self.malformed, "all", "connections that spoke no HTTP");
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score() -> Score {
        let mut score = Score::default();
        let api = ApiScore {
            limit: Some(10),
            peak_window: 10,
            peak_enforced_window: 10,
            requests: 12,
            ..ApiScore::default()
        };
        score.apis.insert(Api::GithubSearch, api);
        score.by_status.insert(200, 11);
        score.faults.insert(FaultKind::BadGateway, 1);
        score
    }

    #[test]
    fn json_round_trips() {
        let text = serde_json::to_string(&score()).unwrap();
        assert!(text.contains(r#""github-search":{"requests":12"#), "{text}");
        assert!(text.contains(r#""bad-gateway":1"#), "{text}");
        assert_eq!(serde_json::from_str::<Score>(&text).unwrap(), score());
    }

    #[test]
    fn a_limit_reached_is_no_complaint_and_one_broken_is() {
        let mut score = score();
        assert_eq!(score.complaints(), Vec::<String>::new());
        let api = score.apis.get_mut(&Api::GithubSearch).unwrap();
        api.peak_window = 11;
        api.peak_enforced_window = 11;
        score.repeated_writes = 2;
        let expected = [
            "github-search: 11 arrivals in one window, more than its limit",
            "all: 2 writes sent twice without a key",
        ];
        assert_eq!(score.complaints(), expected);
    }

    #[test]
    fn the_table_ends_with_the_verdict() {
        let table = score().to_string();
        assert!(table.starts_with("api "), "{table}");
        assert!(table.contains("bad-gateway: 1"), "{table}");
        assert!(table.ends_with("every rule was kept"), "{table}");
    }
}
