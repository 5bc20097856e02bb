//! When faults happen: a pure function of seed, request and attempt.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Api, FaultKind, UnknownFault,
    hash::{fnv1a, mix},
};

/// Decides which requests a fault hits.
///
/// The decision depends on the seed, on the request (method, path and query) and on how often that
/// request has come this far before, and on nothing else: neither the order of requests nor the
/// time changes it, so that a run is reproducible in spite of concurrency. Requests that a limit
/// refuses do not count as attempts.
///
/// Rates are probabilities: below 0 counts as 0, above 1 as 1, and what is no number as 0.
///
/// # Defaults
///
/// - the first 2 attempts of a request can be hit, so that a client with 3 retries gets everything
///   in the end
/// - a throttling fault asks for a wait of 1 s, more where its dialect counts in whole seconds
/// - slow heads and slow bodies take 100 ms
/// - a large error has 1 MiB
#[derive(Debug, Clone, PartialEq)]
pub struct FaultPlan {
    seed: u64,
    mixed: f64,
    rates: BTreeMap<FaultKind, f64>,
    attempts: u32,
    wait: Duration,
    slowness: Duration,
    error_size: u64,
}

impl FaultPlan {
    /// Plans no fault.
    pub const fn none() -> Self {
        Self::new(0)
    }

    /// Plans no fault yet, for [`FaultPlan::with`].
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            mixed: 0.0,
            rates: BTreeMap::new(),
            attempts: 2,
            wait: Duration::from_secs(1),
            slowness: Duration::from_millis(100),
            error_size: 1024 * 1024,
        }
    }

    /// Plans that a share of `rate` of all attempts is hit, by every kind that
    /// [fits](FaultKind::fits) the API and
    /// [can be got over](FaultKind::is_mixed_in), evenly.
    pub const fn mixed(seed: u64, rate: f64) -> Self {
        let mut plan = Self::new(seed);
        plan.mixed = rate;
        plan
    }

    /// Plans that a share of `rate` of the attempts at APIs that `kind` [fits](FaultKind::fits) is
    /// hit by it.
    #[must_use]
    pub fn with(mut self, kind: FaultKind, rate: f64) -> Self {
        self.rates.insert(kind, rate);
        self
    }

    /// Hits the first `attempts` of each request only.
    #[must_use]
    pub const fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Asks for `wait` in throttling faults.
    #[must_use]
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Takes `slowness` for slow heads and slow bodies.
    #[must_use]
    pub const fn with_slowness(mut self, slowness: Duration) -> Self {
        self.slowness = slowness;
        self
    }

    /// Gives large errors `bytes`.
    #[must_use]
    pub const fn with_error_size(mut self, bytes: u64) -> Self {
        self.error_size = bytes;
        self
    }

    /// Reads a plan: one rate for [`FaultPlan::mixed`], or `KIND=RATE` with commas between.
    ///
    /// # Errors
    ///
    /// A rate is a number from 0 to 1, and a kind is one of [`FaultKind::ALL`].
    pub fn parse(seed: u64, text: &str) -> Result<Self, FaultPlanError> {
        text.split(',').try_fold(Self::new(seed), |plan, part| {
            Ok(match part.split_once('=') {
                Some((kind, rate)) => plan.with(kind.trim().parse()?, parse_rate(rate)?),
                None => Self {
                    mixed: parse_rate(part)?,
                    ..plan
                },
            })
        })
    }

    /// Returns the fault that hits the attempt number `attempt` (from 0) of `request`, such as `GET
    /// /repos/a/b`.
    ///
    /// It is public so that a test can know beforehand what will happen.
    pub fn pick(&self, api: Api, request: &str, attempt: u32) -> Option<FaultKind> {
        if attempt >= self.attempts || (self.mixed <= 0.0 && self.rates.is_empty()) {
            return None;
        }
        let seed = mix(self.seed ^ mix(u64::from(attempt)));
        let mut rng = fastrand::Rng::with_seed(mix(seed ^ fnv1a(request.as_bytes())));
        let mut left = rng.f64();
        for (kind, rate) in self.rates.iter().filter(|(kind, _)| kind.fits(api)) {
            let rate = rate.clamp(0.0, 1.0);
            if left < rate {
                return Some(*kind);
            }
            // A rate that is no number compares as above nothing and takes nothing away.
            left -= if rate.is_nan() { 0.0 } else { rate };
        }
        if left < self.mixed {
            let kinds = FaultKind::ALL
                .iter()
                .filter(|kind| kind.is_mixed_in() && kind.fits(api));
            let count = kinds.clone().count();
            return kinds.copied().nth(rng.usize(..count.max(1)));
        }
        None
    }

    pub(crate) const fn wait(&self) -> Duration {
        self.wait
    }

    pub(crate) const fn slowness(&self) -> Duration {
        self.slowness
    }

    pub(crate) const fn error_size(&self) -> u64 {
        self.error_size
    }
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self::none()
    }
}

/// Says why a text is no [`FaultPlan`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultPlanError {
    /// A rate is no number from 0 to 1.
    #[error("`{0}` is no rate: expected a number from 0 to 1")]
    Rate(String),
    /// A kind is unknown.
    #[error(transparent)]
    Kind(#[from] UnknownFault),
}

fn parse_rate(text: &str) -> Result<f64, FaultPlanError> {
    text.trim()
        .parse()
        .ok()
        .filter(|rate| (0.0..=1.0).contains(rate))
        .ok_or_else(|| FaultPlanError::Rate(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(plan: &FaultPlan, api: Api) -> Vec<Option<FaultKind>> {
        (0..4_000)
            .map(|n| plan.pick(api, &format!("GET /repos/a/{n}"), 0))
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let plan = FaultPlan::mixed(7, 0.3);
        assert_eq!(picks(&plan, Api::Github), picks(&plan.clone(), Api::Github));
        assert_ne!(
            picks(&plan, Api::Github),
            picks(&FaultPlan::mixed(8, 0.3), Api::Github)
        );
    }

    #[test]
    fn a_share_of_the_rate_is_hit_and_only_by_what_fits() {
        for api in Api::ALL {
            let hit: Vec<_> = picks(&FaultPlan::mixed(7, 0.25), api)
                .into_iter()
                .flatten()
                .collect();
            assert!(
                (900..1_100).contains(&hit.len()),
                "{} of 4000 at a rate of 0.25",
                hit.len()
            );
            assert!(hit.iter().all(|kind| kind.fits(api) && kind.is_mixed_in()));
            let all = FaultKind::ALL
                .iter()
                .filter(|kind| kind.fits(api) && kind.is_mixed_in());
            for kind in all {
                assert!(hit.contains(kind), "{kind} never hit {api}");
            }
        }
    }

    #[test]
    fn each_kind_has_its_own_rate() {
        let plan = FaultPlan::new(3)
            .with(FaultKind::BadGateway, 0.5)
            .with(FaultKind::Overloaded, 1.0)
            .with(FaultKind::SlowBody, f64::NAN);
        let hit: Vec<_> = picks(&plan, Api::Github).into_iter().flatten().collect();
        assert!(
            (1_850..2_150).contains(&hit.len()),
            "{} of 4000 at a rate of 0.5",
            hit.len()
        );
        assert!(hit.iter().all(|kind| *kind == FaultKind::BadGateway));
        assert!(picks(&plan, Api::Anthropic).iter().all(Option::is_some));
    }

    #[test]
    fn attempts_are_hit_apart_and_not_for_ever() {
        let plan = FaultPlan::mixed(1, 1.0);
        let of = |attempt| plan.pick(Api::Github, "GET /repos/a/b", attempt);
        assert!(of(0).is_some() && of(1).is_some());
        assert_eq!(of(2), None);
        let differ = (0..50).any(|n| {
            let request = format!("GET /repos/a/{n}");
            plan.pick(Api::Github, &request, 0) != plan.pick(Api::Github, &request, 1)
        });
        assert!(differ, "the attempt is part of the decision");
    }

    #[test]
    fn defaults_are_as_documented() {
        let plan = FaultPlan::none();
        assert_eq!(plan.attempts, 2);
        assert_eq!(plan.wait(), Duration::from_secs(1));
        assert_eq!(plan.slowness(), Duration::from_millis(100));
        assert_eq!(plan.error_size(), 1024 * 1024);
        assert_eq!(plan.pick(Api::External, "GET /", 0), None);
    }

    #[test]
    fn text_names_one_rate_or_kinds() {
        assert_eq!(FaultPlan::parse(7, "0.1"), Ok(FaultPlan::mixed(7, 0.1)));
        let kinds = FaultPlan::parse(7, "bad-gateway=0.1, slow-body=1");
        let expected = FaultPlan::new(7)
            .with(FaultKind::BadGateway, 0.1)
            .with(FaultKind::SlowBody, 1.0);
        assert_eq!(kinds, Ok(expected));
        for wrong in [
            "",
            "2",
            "-0.1",
            "NaN",
            "bad-gateway",
            "bad-gateway=2",
            "worse-gateway=0.1",
        ] {
            assert!(FaultPlan::parse(7, wrong).is_err(), "{wrong}");
        }
        for kind in FaultKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
    }
}
