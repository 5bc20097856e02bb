//! The book on one API: who came when, what its rule says to that, and who was told to stay away.

use std::time::Duration;

use crate::{
    Api, ApiScore, Rule,
    dialect::Claim,
    hash::fnv1a,
    returns::Returns,
    window::{Peak, Schedule, Window},
};

/// The window in which arrivals are counted where no rule names one.
const UNRULED_WINDOW: Duration = Duration::from_secs(1);

/// What the rule says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// There is room.
    Room,
    /// The window is full; there is room for this request at the time given.
    Full(Duration),
    /// Too many requests are under way.
    Crowded,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    api: Api,
    rule: Option<Rule>,
    pub(crate) returns: Returns,
    window: Option<Window>,
    spacing: Option<Schedule>,
    burst: Option<Schedule>,
    peak: Peak,
    peak_enforced: Peak,
    last_arrival: Option<Duration>,
    /// Requests that wait for their response heads.
    waiting: u64,
    score: ApiScore,
}

impl Ledger {
    pub(crate) fn new(api: Api, rule: Option<Rule>, crossing: Duration) -> Self {
        let spaced = rule.as_ref().filter(|rule| !rule.spacing().is_zero());
        let bursty = rule.as_ref().filter(|rule| rule.burst() < rule.limit());
        Self {
            api,
            returns: Returns::new(crossing),
            window: rule
                .as_ref()
                .map(|rule| Window::new(rule.limit(), rule.enforced())),
            spacing: spaced.map(|rule| Schedule::spacing(rule.spacing(), rule.jitter())),
            burst: bursty
                .map(|rule| Schedule::burst(rule.limit(), rule.per(), rule.burst(), rule.jitter())),
            peak: Peak::new(rule.as_ref().map_or(UNRULED_WINDOW, Rule::per)),
            peak_enforced: Peak::new(rule.as_ref().map_or(UNRULED_WINDOW, Rule::enforced)),
            last_arrival: None,
            waiting: 0,
            score: ApiScore {
                limit: rule.as_ref().map(Rule::limit),
                ..ApiScore::default()
            },
            rule,
        }
    }

    /// Forgets everything but the requests that are under way.
    pub(crate) fn reset(&mut self) {
        let fresh = Self::new(self.api, self.rule.take(), self.returns.crossing());
        let waiting = self.waiting;
        *self = fresh;
        self.waiting = waiting;
        self.score.peak_waiting = waiting;
    }

    /// Records that a request arrived.
    pub(crate) fn arrive(&mut self, request: &str, now: Duration) {
        self.waiting += 1;
        let score = &mut self.score;
        score.peak_waiting = score.peak_waiting.max(self.waiting);
        score.requests += 1;
        score.peak_window = self.peak.arrive(now);
        score.peak_enforced_window = self.peak_enforced.arrive(now);
        if let Some(last) = self.last_arrival.replace(now) {
            let gap = u64::try_from(now.saturating_sub(last).as_micros()).unwrap_or(u64::MAX);
            score.smallest_spacing_us = Some(
                score
                    .smallest_spacing_us
                    .map_or(gap, |least| least.min(gap)),
            );
        }
        score.spacing_violations += breaks(&mut self.spacing, now);
        score.burst_violations += breaks(&mut self.burst, now);
        self.returns.judge(request, now, &mut self.score);
    }

    /// Asks the rule about a request that just arrived, and takes nothing yet.
    pub(crate) fn admission(&mut self, request: &str, now: Duration) -> Admission {
        let crowded = self.rule.as_ref().and_then(Rule::concurrent);
        if crowded.is_some_and(|most| self.waiting > u64::from(most)) {
            self.score.secondary_limited += 1;
            return Admission::Crowded;
        }
        if let Some(window) = &mut self.window
            && !window.has_room(now)
        {
            self.score.over_limit += 1;
            return Admission::Full(window.promise(now, fnv1a(request.as_bytes())));
        }
        Admission::Room
    }

    /// Takes one unit of the quota.
    pub(crate) fn take(&mut self, now: Duration) {
        if let Some(window) = &mut self.window {
            window.take(now);
        }
        self.score.served += 1;
    }

    /// Gives back the unit that was taken at `at`, for an answer that costs nothing.
    pub(crate) fn give_back(&mut self, at: Duration) {
        if let Some(window) = &mut self.window {
            window.give_back(at);
        }
        self.score.not_modified += 1;
    }

    /// Counts a request that a fault hit.
    pub(crate) fn faulted(&mut self) {
        self.score.faulted += 1;
    }

    /// Records that a request left the state of waiting for its response head.
    pub(crate) fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Returns what is true about the quota now, if there is one.
    pub(crate) fn claim(&mut self, now: Duration) -> Option<Claim> {
        let (rule, window) = (self.rule.as_ref()?, self.window.as_mut()?);
        let used = u64::try_from(window.used(now)).unwrap_or(u64::MAX);
        let limit = u64::from(rule.limit());
        Some(Claim {
            limit,
            remaining: limit.saturating_sub(used),
            window: rule.per(),
            next_unit: window.next_unit(now),
            all_units: window.all_units(now),
        })
    }

    pub(crate) fn score(&self) -> ApiScore {
        self.score.clone()
    }
}

fn breaks(schedule: &mut Option<Schedule>, now: Duration) -> u64 {
    let broken = schedule
        .as_mut()
        .is_some_and(|schedule| !schedule.keeps(now));
    u64::from(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::returns::Told;

    const CROSSING: Duration = Duration::from_millis(20);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn ledger(rule: &str) -> Ledger {
        Ledger::new(Api::Github, Some(rule.parse().unwrap()), CROSSING)
    }

    fn tell(ledger: &mut Ledger, request: &str, now: u64, until: u64, everyone: bool) {
        let told = Told {
            until: ms(until),
            everyone,
        };
        ledger.returns.answered(request, true, Some(told), ms(now));
    }

    #[test]
    fn a_request_that_comes_back_early_is_scored_each_time() {
        let mut ledger = ledger("100/1s");
        tell(&mut ledger, "GET /a", 0, 500, false);
        for at in [100, 498] {
            ledger.arrive("GET /a", ms(at));
        }
        assert_eq!(ledger.score().early_retries, 2);
        ledger.arrive("GET /a", ms(499));
        assert_eq!(
            ledger.score().early_retries,
            2,
            "a millisecond is the timer's"
        );
        assert_eq!(ledger.score().retries, 3);
        ledger.arrive("GET /b", ms(499));
        assert_eq!(
            ledger.score().pause_violations,
            0,
            "only one request was told"
        );
    }

    #[test]
    fn a_pause_binds_whoever_could_have_heard_of_it() {
        let mut ledger = ledger("100/1s");
        tell(&mut ledger, "GET /a", 0, 500, true);
        ledger.arrive("GET /b", ms(20));
        assert_eq!(
            ledger.score().pause_violations,
            0,
            "it crossed the refusal on the wire"
        );
        ledger.arrive("GET /b", ms(21));
        assert_eq!(ledger.score().pause_violations, 1);
        ledger.arrive("GET /b", ms(500));
        assert_eq!(ledger.score().pause_violations, 1);
    }

    #[test]
    fn hammering_does_not_prolong_what_is_excused() {
        let mut ledger = ledger("100/1s");
        tell(&mut ledger, "GET /0", 0, 1_000, true);
        for n in 1..50 {
            let request = format!("GET /{n}");
            ledger.arrive(&request, ms(n * 10));
            tell(&mut ledger, &request, n * 10, 1_000 + n, true);
        }
        assert_eq!(ledger.score().pause_violations, 47);
    }

    #[test]
    fn a_request_with_a_time_of_its_own_may_come_during_a_longer_pause() {
        let mut ledger = ledger("100/1s");
        tell(&mut ledger, "GET /a", 0, 200, true);
        tell(&mut ledger, "GET /b", 0, 400, true);
        ledger.arrive("GET /a", ms(200));
        assert_eq!(ledger.score().pause_violations, 0);
        ledger.arrive("GET /c", ms(300));
        assert_eq!(ledger.score().pause_violations, 1);
    }

    #[test]
    fn slack_forgives_jitter_and_the_full_window_still_tells() {
        let mut ledger = ledger("1/1s,slack=50ms");
        for at in [0, 960] {
            ledger.arrive("GET /a", ms(at));
            assert_eq!(ledger.admission("GET /a", ms(at)), Admission::Room);
            ledger.take(ms(at));
        }
        let score = ledger.score();
        assert_eq!((score.peak_window, score.peak_enforced_window), (2, 1));
        assert_ne!(ledger.admission("GET /a", ms(1_900)), Admission::Room);
    }

    #[test]
    fn too_many_at_once_are_refused_before_the_window_is_asked() {
        let mut ledger = ledger("100/1s,concurrent=2");
        for n in 0..3 {
            ledger.arrive("GET /a", ms(n));
        }
        assert_eq!(ledger.admission("GET /a", ms(3)), Admission::Crowded);
        ledger.leave();
        assert_eq!(ledger.admission("GET /a", ms(3)), Admission::Room);
        assert_eq!(ledger.score().secondary_limited, 1);
    }

    #[test]
    fn a_reset_forgets_all_but_who_is_waiting() {
        let mut ledger = ledger("1/1s");
        ledger.arrive("GET /a", ms(0));
        ledger.take(ms(0));
        tell(&mut ledger, "GET /a", 0, 500, true);
        ledger.reset();
        assert_eq!(ledger.score().requests, 0);
        assert_eq!(
            (ledger.score().limit, ledger.score().peak_waiting),
            (Some(1), 1)
        );
        assert_eq!(ledger.admission("GET /a", ms(1)), Admission::Room);
        ledger.leave();
        ledger.arrive("GET /a", ms(2));
        assert_eq!(
            (ledger.score().early_retries, ledger.score().peak_waiting),
            (0, 1)
        );
    }
}
