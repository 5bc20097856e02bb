//! What an egress is doing, for people and monitors.

use crate::{api::ALL, egress::Handles, flags::FlagsStatus, ordered::ordered};
use bytes::Bytes;
use egress_time::{Instant, Timer};
use egress_timing::{Outcome, Phase, Summary, Timings};
use egress_token_bucket::BucketStatus;
use http::{
    HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::Full;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// A report of what an [`Egress`](crate::Egress) is doing and has done; serialises to JSON with camel-case names.
///
/// It holds no URL, no header and no token. On Workers it speaks of one isolate, and starts anew with it.
/// Durations are in milliseconds.
///
/// ```
/// use egress_time::ManualTimer;
/// use tower_egress::{Api, Egress};
///
/// let egress = Egress::builder_on(ManualTimer::new()).api(Api::github()).build();
/// let status = egress.status().with_business("repositories", 1200);
/// assert_eq!(status.rate_limits["github"].available_tokens, 10);
/// assert_eq!(status.connections.active, 0);
/// assert_eq!(status.errors["timedOut"], 0);
///
/// let json = serde_json::to_value(&status).unwrap();
/// assert_eq!(json["rateLimits"]["github"]["queueLength"], 0);
/// assert_eq!(json["business"]["repositories"], 1200);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Status {
    /// Each API with a quota, by name.
    pub rate_limits: BTreeMap<String, RateLimitStatus>,
    /// The requests in flight and those that wait to be.
    pub connections: ConnectionStatus,
    /// How long requests took and how they ended, by API; `all` is all of them together.
    pub performance: BTreeMap<String, PerformanceStatus>,
    /// The retries.
    pub retries: RetryStatus,
    /// What became of response bodies.
    pub bodies: BodyStatus,
    /// How many requests did not succeed, by outcome: those of [`PerformanceStatus::outcomes`] but `ok`, for all APIs.
    pub errors: BTreeMap<&'static str, u64>,
    /// The flags, if there are any.
    pub flags: FlagsStatus,
    /// The program's own figures: see [`with_business`](Self::with_business).
    pub business: BTreeMap<String, serde_json::Value>,
}

/// The rate limit of one API.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RateLimitStatus {
    /// How many requests could depart now.
    pub available_tokens: u32,
    /// The most that could ever depart at once.
    pub max_tokens: u32,
    /// How many requests wait.
    pub queue_length: usize,
    /// When one that comes now could depart, from now; known while others wait or there is no token.
    pub next_slot_ms: Option<f64>,
    /// For how long the server's wish still holds everybody back.
    pub paused_for_ms: Option<f64>,
    /// How many requests have departed.
    pub departed: u64,
    /// How many were refused because they would have waited too long.
    pub refused: u64,
    /// How many gave up waiting.
    pub cancelled: u64,
    /// How many responses said that there were too many requests.
    pub throttled: u64,
    /// What the server said last of its own count.
    pub server: Option<ServerView>,
}

/// What a server says of its own count.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServerView {
    /// How much it permits.
    pub limit: Option<u64>,
    /// How much is left.
    pub remaining: Option<u64>,
    /// When it starts anew, from now.
    pub resets_in_ms: Option<f64>,
}

/// The requests in flight.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectionStatus {
    /// How many may be in flight.
    pub limit: usize,
    /// How many are.
    pub active: usize,
    /// The most that were.
    pub peak: usize,
    /// How many were on average, weighted by time.
    pub mean: f64,
    /// How many wait.
    pub queued: usize,
    /// The most that waited.
    pub peak_queued: usize,
    /// How many gave up because the queue timeout passed.
    pub timeouts: u64,
    /// How many were turned away at once.
    pub refused: u64,
    /// How many of those in flight are bodies that are not at their end.
    pub open_bodies: usize,
    /// How many of these bodies nobody reads.
    pub unread_bodies: usize,
    /// How many are in flight besides, for which the limit is [switched off](crate::Switch::ConnectionLimit).
    pub unlimited: usize,
}

/// How long requests took and how they ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PerformanceStatus {
    /// How many requests ended, by outcome: `ok`, `httpError`, `refused`, `timedOut`, `cancelled`, `failed`.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// How often requests were sent, retries included. What was refused before that does not count; what a deadline or its
    /// owner ended in a queue does.
    pub attempts: u64,
    /// Each phase since the start: `rateWait`, `queueWait`, `headers`, `body`, `total`.
    pub lifetime: BTreeMap<&'static str, PhaseStatus>,
    /// Each phase in the last minute.
    pub last_minute: BTreeMap<&'static str, PhaseStatus>,
}

/// The percentiles of one phase, within one per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PhaseStatus {
    /// How many were measured.
    pub count: u64,
    /// Half took no longer.
    pub p50_ms: f64,
    /// 95 in 100 took no longer.
    pub p95_ms: f64,
    /// 99 in 100 took no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// The retries.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RetryStatus {
    /// How often a request was sent again.
    pub retries: u64,
    /// What is left of the budget.
    pub budget_available: u32,
    /// What the budget holds at most.
    pub budget_capacity: u32,
}

/// What became of response bodies.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BodyStatus {
    /// Not at their end yet.
    pub live: u64,
    /// Read to their end.
    pub ended: u64,
    /// Dropped before their end, and their connections closed.
    pub cancelled: u64,
    /// Dropped before their end, and read to it for the connection's sake.
    pub drained: u64,
    /// The bytes that were read for that, also of those that did not come to their end.
    pub drained_bytes: u64,
    /// Cancelled because nobody read them.
    pub idle: u64,
    /// Broken off.
    pub failed: u64,
}

impl Status {
    pub(crate) fn of<T: Timer, X>(handles: &Handles<T, X>) -> Self {
        let now = handles.timer.now();
        let limits = handles.apis.buckets();
        let timings = handles.recorder.snapshot(now);
        let overall = timings.overall();
        let mut performance = ordered(
            timings
                .labels()
                .map(|(name, timings)| (name.to_owned(), PerformanceStatus::of(timings))),
        );
        performance.insert(ALL.to_owned(), PerformanceStatus::of(&overall));
        let connections = handles.limiter.stats();
        let bodies = handles.bodies.counts();
        Self {
            rate_limits: ordered(limits.map(|(name, bucket)| {
                let status = RateLimitStatus::of(&bucket.status(now), now);
                (name.to_owned(), status)
            })),
            connections: ConnectionStatus {
                limit: connections.limit,
                active: connections.in_flight,
                peak: connections.peak_in_flight,
                mean: connections.mean_in_flight(),
                queued: connections.queued,
                peak_queued: connections.peak_queued,
                timeouts: connections.timed_out,
                refused: connections.refused,
                open_bodies: connections.open_bodies,
                unread_bodies: connections.unread_bodies,
                unlimited: handles
                    .unlimited
                    .as_ref()
                    .map_or(0, |limiter| limiter.stats().in_flight),
            },
            retries: RetryStatus {
                retries: overall.lifetime().retries(),
                budget_available: handles.budget.available(),
                budget_capacity: handles.budget.capacity(),
            },
            errors: ordered(
                performance[ALL]
                    .outcomes
                    .iter()
                    .filter(|(outcome, _)| **outcome != Outcome::Ok.as_str())
                    .map(|(outcome, count)| (*outcome, *count)),
            ),
            flags: handles
                .switches
                .as_ref()
                .map(|switches| switches.status())
                .unwrap_or_default(),
            business: BTreeMap::new(),
            performance,
            bodies: BodyStatus {
                live: bodies.live,
                ended: bodies.ended,
                cancelled: bodies.cancelled,
                drained: bodies.drained,
                drained_bytes: bodies.drained_bytes,
                idle: bodies.idle,
                failed: bodies.failed,
            },
        }
    }
}

impl Status {
    /// Makes the response of a status route: JSON, not to be kept by caches.
    ///
    /// With the feature `axum` a [`Status`] is itself what a handler may return:
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum::{Router, routing::get};
    /// use tower_egress::Egress;
    ///
    /// let egress = Egress::builder().build();
    /// let routes: Router = Router::new().route("/api/status", get(async move || egress.status()));
    /// # }
    /// ```
    pub fn to_response(&self) -> Response<Full<Bytes>> {
        // What is serialized has nothing that JSON has no word for.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = Response::new(Full::from(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Adds a figure of the program's own: repositories stored, hits of a cache. If it is a number, it is a
    /// [metric](crate::monitor::prometheus::render) as well: `tower_egress_business`, with its name as the label `figure`.
    #[must_use]
    pub fn with_business(
        mut self,
        name: impl Into<String>,
        figure: impl Into<serde_json::Value>,
    ) -> Self {
        self.business.insert(name.into(), figure.into());
        self
    }
}

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Status {
    fn into_response(self) -> axum_core::response::Response {
        self.to_response().map(axum_core::body::Body::new)
    }
}

impl RateLimitStatus {
    fn of(bucket: &BucketStatus, now: Instant) -> Self {
        let waits = bucket.queued > 0 || bucket.available == 0;
        Self {
            available_tokens: bucket.available,
            max_tokens: bucket.maximum,
            queue_length: bucket.queued,
            next_slot_ms: waits.then(|| millis(bucket.next_slot - now)),
            paused_for_ms: bucket.paused_until.map(|until| millis(until - now)),
            departed: bucket.totals.departed,
            refused: bucket.totals.refused + bucket.totals.revoked,
            cancelled: bucket.totals.cancelled,
            throttled: bucket.totals.throttled,
            server: bucket.server.map(|server| ServerView {
                limit: server.limit,
                remaining: server.remaining,
                resets_in_ms: Some(millis(server.resets_at - now)),
            }),
        }
    }
}

impl PerformanceStatus {
    fn of(timings: &Timings) -> Self {
        let phases = |summary: &Summary| {
            let phases = Phase::ALL.iter();
            ordered(phases.map(|phase| (phase_name(*phase), PhaseStatus::of(summary, *phase))))
        };
        let lifetime = timings.lifetime();
        let outcomes = Outcome::ALL.iter();
        Self {
            outcomes: ordered(
                outcomes.map(|outcome| (outcome_name(*outcome), lifetime.outcome(*outcome))),
            ),
            attempts: lifetime.attempts(),
            lifetime: phases(lifetime),
            last_minute: phases(timings.minute()),
        }
    }
}

impl PhaseStatus {
    fn of(summary: &Summary, phase: Phase) -> Self {
        let times = summary.phase(phase);
        let or_zero = |time: Option<Duration>| time.map_or(0.0, millis);
        Self {
            count: times.count(),
            p50_ms: or_zero(times.p50()),
            p95_ms: or_zero(times.p95()),
            p99_ms: or_zero(times.p99()),
            max_ms: or_zero(times.max()),
        }
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::RateWait => "rateWait",
        Phase::QueueWait => "queueWait",
        other => other.as_str(),
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::HttpError => "httpError",
        Outcome::TimedOut => "timedOut",
        other => other.as_str(),
    }
}

/// Milliseconds with three decimals: finer is noise, and hard to read.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use egress_time::ManualTimer;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn an_idle_egress_has_a_report() {
        let egress = crate::Egress::builder_on(ManualTimer::new())
            .api(crate::Api::github())
            .build();
        let status = egress.status().with_business("repositories", 7);
        let response = status.to_response();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let json = serde_json::to_value(&status).expect("it is JSON");
        assert_eq!(json["rateLimits"]["github"]["availableTokens"], 10);
        assert_eq!(json["rateLimits"]["github"]["queueLength"], 0);
        assert_eq!(json["business"]["repositories"], 7);
        assert_eq!(json["flags"], serde_json::json!({}));
        assert_eq!(json["errors"]["timedOut"], 0);
        assert_eq!(json["errors"].get("ok"), None);
        for part in ["connections", "performance", "retries", "bodies"] {
            assert!(json[part].is_object(), "{part}");
        }
    }
}
