//! What a reply means for the buckets of its request.

use crate::{
    Bucket, Departure,
    bucket::State,
    ledger::{Departed, Report, nanos},
};
use egress_body_end::CapturedBody;
use egress_hints::{Hints, Limit, ServerQuota, Source, Unit};
use egress_time::{Clock, Instant};
use http::{Response, StatusCode};
use std::time::Duration;

/// The first pause after a refusal that names no time, where the server has no rule of its own. Doubled each time.
const UNNAMED: Duration = Duration::from_secs(1);

/// Reads a reply and tells the buckets.
pub(crate) fn learn<B>(departure: Departure, response: &Response<B>, clock: &impl Clock) {
    let Some(buckets) = departure.buckets() else {
        return;
    };
    let (status, headers) = (response.status(), response.headers());
    let captured = response.extensions().get::<CapturedBody>();
    let hints = if captured.is_none() && egress_hints::says_nothing(status, headers) {
        // Nearly always, and worth less than a reading of the clock.
        Hints::default()
    } else {
        let body = captured.map(|captured| &**captured.bytes());
        let unix_now = clock.unix_time();
        egress_hints::read(status, headers, body, unix_now, buckets.dialect())
    };
    departure.answered(&hints, status, clock);
}

impl Departure {
    /// A cached reply says nothing of the server.
    fn answered(mut self, hints: &Hints, status: StatusCode, clock: &impl Clock) {
        let says_nothing = hints.wait.is_none() && hints.quota.is_none() && hints.limit.is_none();
        if hints.cached || (says_nothing && !self.is_probe()) {
            return;
        }
        let now = clock.now();
        let resource = hints.quota.and_then(|quota| quota.resource);
        let claims = |bucket: &Bucket| {
            resource.is_some_and(|resource| bucket.config().answers_to(resource.as_str()))
        };
        let is_claimed = (self.buckets()).is_some_and(|set| set.buckets().iter().any(claims));
        // A secondary limit is about all that one does there, whatever was asked for.
        let is_for_all = !is_claimed || hints.limit == Some(Limit::Secondary);
        let refused = is_refusal(hints.limit);
        for (bucket, departed) in self.take() {
            let max_pause = bucket.config().max_pause;
            bucket.update(|state| {
                if is_for_all || claims(&bucket) {
                    state.throttled += u64::from(refused);
                    state.take_note(departed, hints, now, max_pause);
                }
                if refused || status.is_server_error() {
                    state.ledger.lost(departed.number, now.as_nanos());
                } else if departed.is_probe {
                    state.ledger.succeeded(departed.number, now.as_nanos());
                }
            });
        }
    }
}

impl State {
    fn take_note(&mut self, departed: Departed, hints: &Hints, now: Instant, max_pause: Duration) {
        if let Some(report) = (hints.quota.as_ref()).and_then(|quota| report(quota, now, max_pause))
        {
            self.ledger.observe(departed.number, report, now.as_nanos());
        }
        let doubled = |state: &mut Self, base: Duration| {
            let strikes = state.ledger.strike(departed.number);
            let factor = 1_u32.checked_shl(strikes - 1).unwrap_or(u32::MAX);
            base.saturating_mul(factor)
        };
        let pause = match hints.wait {
            // No pause brings money.
            _ if hints.limit == Some(Limit::SpendCap) => return,
            Some(wait) if wait.source == Source::SecondaryLimit => doubled(self, wait.after),
            Some(wait) => wait.after,
            None if is_refusal(hints.limit) => doubled(self, UNNAMED),
            None => return,
        };
        let until = now + pause.min(max_pause);
        let is_foretold =
            hints.limit.is_none() && (hints.wait).is_some_and(|wait| wait.source == Source::Reset);
        let limit = hints.quota.and_then(|quota| quota.limit);
        if is_foretold && (self.ledger).is_foreseen(limit, until.as_nanos(), now.as_nanos()) {
            return;
        }
        self.ledger.pause(until.as_nanos(), now.as_nanos());
    }
}

/// Whether the server refused because of what this client does.
const fn is_refusal(limit: Option<Limit>) -> bool {
    matches!(
        limit,
        Some(Limit::Primary | Limit::Secondary | Limit::RateLimit)
    )
}

fn report(quota: &ServerQuota, now: Instant, max_pause: Duration) -> Option<Report> {
    let reset_after = quota.reset_after?;
    let resets_at = (now + reset_after.min(max_pause)).as_nanos();
    Some(Report {
        limit: quota.limit,
        remaining: quota.remaining,
        resets_at,
        window: quota.resets_at.map_or(resets_at, nanos),
        counts_requests: quota.unit == Unit::Requests,
    })
}
