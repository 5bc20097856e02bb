//! A quota in the ledger's own numbers.

use super::fine::Fine;
use crate::Quota;
use egress_time::Instant;
use std::time::Duration;

/// The constants of a quota, worked out once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) limit: u32,
    pub(super) period: u64,
    pub(super) burst: u32,
    pub(super) spacing: u64,
    /// One unit's share of the period.
    interval: Fine,
    /// How far ahead of its time a unit may be: all of a burst but one.
    tolerance: Fine,
    /// How much later the same `limit` units are a round later; see [`Plan`](super::plan::Plan).
    pub(super) round: u64,
}

impl Pace {
    pub(super) fn new(quota: &Quota) -> Self {
        let (limit, burst) = (quota.limit(), quota.burst());
        let (period, spacing) = (nanos(quota.period()), nanos(quota.spacing()));
        let interval = Fine::share(1, period, limit);
        // Without a burst, the rate is a spacing, and rounds up like one.
        let step = if burst == 1 {
            spacing.max(interval.ceil())
        } else {
            spacing
        };
        Self {
            limit,
            period,
            burst,
            spacing,
            interval,
            tolerance: Fine::share(u64::from(burst) - 1, period, limit),
            round: step.saturating_mul(u64::from(limit)).max(period),
        }
    }

    /// How far apart units are in a long run, at least.
    pub(super) fn least_gap(&self) -> u64 {
        self.interval.ceil().max(self.spacing)
    }

    /// The theoretical arrival time of the unit after one that has this `arrival` and happens `at`.
    pub(super) fn step(&self, arrival: Fine, at: u64) -> Fine {
        if arrival.is_before(at) {
            // So it is unless they are in a hurry, and then there is nothing to carry.
            return self.interval.since(at);
        }
        arrival.max(Fine::whole(at)).plus(self.interval, self.limit)
    }

    /// The theoretical arrival time that many `units` after one that has this `arrival`, if all happen at once.
    pub(super) fn after(&self, arrival: Fine, units: u64) -> Fine {
        match units {
            0 => arrival,
            1 => arrival.plus(self.interval, self.limit),
            _ => arrival.plus(Fine::share(units, self.period, self.limit), self.limit),
        }
    }

    /// From when on a unit with this theoretical `arrival` conforms.
    pub(super) fn conforms(&self, arrival: Fine) -> u64 {
        arrival.minus(self.tolerance, self.limit).ceil()
    }

    /// Tells whether a unit with this theoretical `arrival` conforms at `now`.
    pub(super) fn permits(&self, arrival: Fine, now: u64) -> bool {
        arrival.is_before(now) || self.conforms(arrival) <= now
    }

    /// How many units conform at `now`, all at once.
    pub(super) fn tokens(&self, arrival: Fine, now: u64) -> u32 {
        if arrival <= Fine::whole(now) {
            return self.burst;
        }
        let ahead = Fine::whole(now).plus(self.tolerance, self.limit);
        if ahead < arrival {
            return 0;
        }
        let shares = ahead
            .minus(arrival, self.limit)
            .shares(self.period, self.limit);
        u32::try_from(shares + 1).unwrap_or(self.burst)
    }

    /// Takes over an `arrival` from another pace: the units in use stay in use, a part of one counting as one.
    pub(super) fn take_over(&self, from: &Self, arrival: Fine, now: u64) -> Fine {
        let debt = arrival.minus(Fine::whole(now), from.limit).ceil();
        let parts = u128::from(debt) * u128::from(from.limit);
        let units = parts.div_ceil(u128::from(from.period));
        let units = u64::try_from(units).unwrap_or(u64::MAX);
        Fine::whole(now).plus(Fine::share(units, self.period, self.limit), self.limit)
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    (Instant::ORIGIN + duration).as_nanos()
}
