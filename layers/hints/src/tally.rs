//! Which of several quotas matters.

use std::time::Duration;

use crate::{Source, Wait, quota::ServerQuota, quota::Unit};

/// Keeps, of all quotas in a response, those that decide something. Each law below is "the most
/// cautious one".
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Of the exhausted ones the last to be renewed.
    exhausted: Option<ServerQuota>,
    /// The one with the smallest share left.
    scarcest: Option<ServerQuota>,
    /// Likewise, of those that count requests.
    scarcest_requests: Option<ServerQuota>,
    /// The longest reset of all.
    longest: Option<Duration>,
}

impl Tally {
    pub(crate) fn add(&mut self, quota: &ServerQuota) {
        let later = |other: &ServerQuota| quota.reset_after > other.reset_after;
        if quota.is_exhausted() && self.exhausted.as_ref().is_none_or(later) {
            self.exhausted = Some(*quota);
        }
        if is_scarcer(quota, self.scarcest.as_ref()) {
            self.scarcest = Some(*quota);
        }
        if quota.unit == Unit::Requests && is_scarcer(quota, self.scarcest_requests.as_ref()) {
            self.scarcest_requests = Some(*quota);
        }
        self.longest = self.longest.max(quota.reset_after);
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.is_some()
    }

    /// The quota to show. While all is well that is one of requests, which is what callers count;
    /// when the server has refused, the likeliest reason.
    pub(crate) fn primary(&self, refused: bool) -> Option<ServerQuota> {
        let requests = self.scarcest_requests.filter(|_| !refused);
        self.exhausted.or(requests).or(self.scarcest)
    }

    /// Until when the quotas ask to wait: for the exhausted one, or after a refusal for the
    /// likeliest. A reset that has passed, or that is not told where another one is, does not
    /// count.
    pub(crate) fn wait(&self, refused: bool) -> Option<Wait> {
        let exhausted = self.exhausted.and_then(|quota| quota.reset_after);
        let likeliest = self
            .scarcest
            .and_then(|quota| quota.reset_after)
            .or(self.longest);
        let after = match exhausted {
            Some(after) => after,
            None if refused || self.is_exhausted() => likeliest?,
            None => return None,
        };
        (after > Duration::ZERO).then_some(Wait {
            after,
            source: Source::Reset,
        })
    }
}

fn is_scarcer(quota: &ServerQuota, than: Option<&ServerQuota>) -> bool {
    than.is_none_or(|other| (quota.share(), other.reset_after) < (other.share(), quota.reset_after))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn quota(remaining: u64, limit: u64, reset: impl Into<Option<u64>>, unit: Unit) -> ServerQuota {
        ServerQuota {
            limit: Some(limit),
            remaining: Some(remaining),
            reset_after: reset.into().map(Duration::from_secs),
            unit,
            ..ServerQuota::default()
        }
    }

    fn tally(quotas: &[ServerQuota]) -> Tally {
        let mut tally = Tally::default();
        quotas.iter().for_each(|quota| tally.add(quota));
        tally
    }

    fn seconds(tally: &Tally, refused: bool) -> Option<u64> {
        tally.wait(refused).map(|wait| wait.after.as_secs())
    }

    #[test]
    fn the_last_exhausted_quota_to_be_renewed_decides() {
        let short = quota(0, 10, 5, Unit::Requests);
        let long = quota(0, 1_000, 60, Unit::Tokens);
        let fine = quota(9, 10, 3_600, Unit::Requests);
        for order in [
            [short, long, fine],
            [fine, long, short],
            [long, fine, short],
        ] {
            let tally = tally(&order);
            assert_eq!(tally.primary(false), Some(long));
            assert_eq!(seconds(&tally, false), Some(60));
        }
    }

    #[test]
    fn a_refusal_is_blamed_on_the_scarcest_quota() {
        let requests = quota(4_999, 5_000, 1, Unit::Requests);
        let tokens = quota(200, 40_000, 3, Unit::Tokens);
        for order in [[requests, tokens], [tokens, requests]] {
            let tally = tally(&order);
            assert_eq!(tally.primary(true), Some(tokens));
            assert_eq!(seconds(&tally, true), Some(3));
            assert_eq!(
                tally.primary(false),
                Some(requests),
                "while all is well, requests are what callers count"
            );
            assert_eq!(seconds(&tally, false), None);
        }
    }

    #[test]
    fn equally_scarce_quotas_ask_for_the_longer_reset() {
        let (short, long) = (
            quota(5, 10, 1, Unit::Requests),
            quota(5, 10, 9, Unit::Requests),
        );
        assert_eq!(seconds(&tally(&[short, long]), true), Some(9));
        assert_eq!(seconds(&tally(&[long, short]), true), Some(9));
    }

    #[test]
    fn an_exhausted_quota_without_reset_borrows_one() {
        let dry = quota(0, 10, None, Unit::Requests);
        let other = quota(3, 10, 7, Unit::Requests);
        assert_eq!(seconds(&tally(&[dry, other]), false), Some(7));
        assert_eq!(seconds(&tally(&[dry]), true), None);
    }

    #[test]
    fn a_reset_that_has_passed_asks_for_nothing() {
        assert_eq!(
            seconds(&tally(&[quota(0, 10, 0, Unit::Requests)]), true),
            None
        );
    }

    #[test]
    fn busy_slots_are_not_a_matter_of_time() {
        let slots = quota(0, 10, 5, Unit::ConcurrentRequests);
        assert_eq!(seconds(&tally(&[slots]), false), None);
        assert!(!tally(&[slots]).is_exhausted());
    }
}
