//! What the status of an egress is as metrics.

use super::{Family, flags::of_flags, float, float_len, seconds};
use crate::{PhaseStatus, Status, api::ALL};

/// The requests of no API have this for its name, unless there is one that is called so.
const NO_API: &str = "none";

pub(in super::super) fn of_status(status: &Status) -> Vec<Family<'_>> {
    let mut families = of_rate_limits(status);
    families.extend(of_performance(status));
    families.extend(of_flags(&status.flags));
    let mut business = Family::gauge(
        "tower_egress_business",
        "The program's own figures, those that are numbers, by their names.",
    );
    for (name, figure) in &status.business {
        business.push([("figure", name.as_str().into())], figure.as_f64());
    }
    families.push(business);
    let connections = &status.connections;
    let bodies = &status.bodies;
    let mut ends = Family::counter(
        "tower_egress_bodies_total",
        "Response bodies, by what became of them.",
    );
    for (end, count) in [
        ("ended", bodies.ended),
        ("cancelled", bodies.cancelled),
        ("drained", bodies.drained),
        ("idle", bodies.idle),
        ("failed", bodies.failed),
    ] {
        ends.push([("end", end.into())], float(count));
    }
    let gauge = |name, help, value| Family::gauge(name, help).with(value);
    let counter = |name, help, value| Family::counter(name, help).with(value);
    families.extend([
        gauge(
            "tower_egress_connections_limit",
            "Requests that may be in flight.",
            float_len(connections.limit),
        ),
        gauge(
            "tower_egress_connections_active",
            "Requests in flight.",
            float_len(connections.active),
        ),
        gauge(
            "tower_egress_connections_peak",
            "The most requests that were in flight.",
            float_len(connections.peak),
        ),
        gauge(
            "tower_egress_connections_mean",
            "Requests in flight on average, weighted by time.",
            connections.mean,
        ),
        gauge(
            "tower_egress_connections_queued",
            "Requests that wait to be in flight.",
            float_len(connections.queued),
        ),
        gauge(
            "tower_egress_connections_peak_queued",
            "The most requests that waited.",
            float_len(connections.peak_queued),
        ),
        counter(
            "tower_egress_connections_timeouts_total",
            "Requests that gave up waiting.",
            float(connections.timeouts),
        ),
        counter(
            "tower_egress_connections_refused_total",
            "Requests that were turned away at once.",
            float(connections.refused),
        ),
        gauge(
            "tower_egress_open_bodies",
            "Requests in flight whose bodies are not at their end.",
            float_len(connections.open_bodies),
        ),
        gauge(
            "tower_egress_unread_bodies",
            "Those of them that nobody reads.",
            float_len(connections.unread_bodies),
        ),
        gauge(
            "tower_egress_connections_unlimited",
            "Requests in flight besides, for which the limit is switched off.",
            float_len(connections.unlimited),
        ),
        counter(
            "tower_egress_retries_total",
            "Requests that were sent again.",
            float(status.retries.retries),
        ),
        gauge(
            "tower_egress_retry_budget_available",
            "What is left of the retry budget.",
            f64::from(status.retries.budget_available),
        ),
        gauge(
            "tower_egress_retry_budget_capacity",
            "What the retry budget holds at most.",
            f64::from(status.retries.budget_capacity),
        ),
        gauge(
            "tower_egress_bodies_live",
            "Response bodies that are not at their end.",
            float(bodies.live),
        ),
        ends,
    ]);
    families
}

fn of_rate_limits(status: &Status) -> Vec<Family<'_>> {
    let mut available = Family::gauge(
        "tower_egress_rate_limit_available_tokens",
        "Requests that could depart now.",
    );
    let mut maximum = Family::gauge(
        "tower_egress_rate_limit_max_tokens",
        "The most requests that could ever depart at once.",
    );
    let mut queued = Family::gauge(
        "tower_egress_rate_limit_queue_length",
        "Requests that wait for a token.",
    );
    let mut next = Family::gauge(
        "tower_egress_rate_limit_next_slot_seconds",
        "When one that comes now could depart, from now, while others wait or there is no token.",
    );
    let mut paused = Family::gauge(
        "tower_egress_rate_limit_paused_seconds",
        "For how long the server's wish still holds everybody back.",
    );
    let mut requests = Family::counter(
        "tower_egress_rate_limit_requests_total",
        "Requests that came to the rate limit, by what became of them.",
    );
    let mut throttled = Family::counter(
        "tower_egress_rate_limit_throttled_total",
        "Responses that said that there were too many requests.",
    );
    let mut server_limit = Family::gauge(
        "tower_egress_rate_limit_server_limit",
        "How much the server said last that it permits.",
    );
    let mut server_remaining = Family::gauge(
        "tower_egress_rate_limit_server_remaining",
        "How much the server said last that is left.",
    );
    let mut server_resets = Family::gauge(
        "tower_egress_rate_limit_server_resets_seconds",
        "When the server starts anew, from now.",
    );
    for (name, limit) in &status.rate_limits {
        let api = || ("api", name.as_str().into());
        available.push_of("api", name, Some(f64::from(limit.available_tokens)));
        maximum.push_of("api", name, Some(f64::from(limit.max_tokens)));
        queued.push_of("api", name, Some(float_len(limit.queue_length)));
        next.push_of("api", name, Some(limit.next_slot_ms.unwrap_or(0.0) / 1e3));
        paused.push_of("api", name, Some(limit.paused_for_ms.unwrap_or(0.0) / 1e3));
        for (outcome, count) in [
            ("departed", limit.departed),
            ("refused", limit.refused),
            ("cancelled", limit.cancelled),
        ] {
            requests.push([api(), ("outcome", outcome.into())], float(count));
        }
        throttled.push_of("api", name, Some(float(limit.throttled)));
        if let Some(server) = &limit.server {
            server_limit.push_of("api", name, server.limit.map(float));
            server_remaining.push_of("api", name, server.remaining.map(float));
            server_resets.push_of("api", name, seconds(server.resets_in_ms));
        }
    }
    vec![
        available,
        maximum,
        queued,
        next,
        paused,
        requests,
        throttled,
        server_limit,
        server_remaining,
        server_resets,
    ]
}

fn of_performance(status: &Status) -> [Family<'_>; 3] {
    let mut requests = Family::counter(
        "tower_egress_requests_total",
        "Requests that ended, by API and outcome.",
    );
    let mut attempts = Family::counter(
        "tower_egress_attempts_total",
        "Requests that were sent, retries included.",
    );
    let mut phases = Family::summary(
        "tower_egress_request_phase_seconds",
        "How long each phase of a request took: quantiles of the last minute, count since the start; all is all APIs together.",
    );
    // What is counted of all together must not be counted twice by whoever adds the APIs up: only the rest of it is told.
    let apis = || status.performance.iter().filter(|(name, _)| *name != ALL);
    let mut push = |name: &'_ str, outcome: &'static str, count: u64| {
        let labels = [("api", name.to_owned().into()), ("outcome", outcome.into())];
        requests.push(labels, float(count));
    };
    for (name, api) in apis() {
        for (outcome, count) in &api.outcomes {
            push(name, outcome, *count);
        }
        attempts.push([("api", name.as_str().into())], float(api.attempts));
    }
    if let Some(all) = status.performance.get(ALL) {
        let mut no_api = NO_API.to_owned();
        while status.performance.contains_key(&no_api) {
            no_api.push('_');
        }
        for (outcome, count) in &all.outcomes {
            let of_apis = apis().filter_map(|(_, api)| api.outcomes.get(outcome));
            let rest =
                count.saturating_sub(of_apis.fold(0, |sum, count| sum.saturating_add(*count)));
            if rest > 0 {
                push(&no_api, outcome, rest);
            }
        }
        let of_apis = apis().fold(0_u64, |sum, (_, api)| sum.saturating_add(api.attempts));
        let rest = all.attempts.saturating_sub(of_apis);
        attempts.push([("api", no_api.into())], (rest > 0).then(|| float(rest)));
    }
    for (name, api) in &status.performance {
        for (phase, lifetime) in &api.lifetime {
            let of = || [("api", name.as_str().into()), ("phase", (*phase).into())];
            let minute = api.last_minute.get(phase).copied().unwrap_or_default();
            for (quantile, time) in quantiles(&minute) {
                let [api, phase] = of();
                phases.push([api, phase, ("quantile", quantile.into())], time);
            }
            phases.push_suffixed("_count", of(), float(lifetime.count));
        }
    }
    [requests, attempts, phases]
}

fn quantiles(phase: &PhaseStatus) -> [(&'static str, f64); 3] {
    let seconds = |millis: f64| match phase.count {
        0 => f64::NAN,
        _ => millis / 1e3,
    };
    [
        ("0.5", seconds(phase.p50_ms)),
        ("0.95", seconds(phase.p95_ms)),
        ("0.99", seconds(phase.p99_ms)),
    ]
}
