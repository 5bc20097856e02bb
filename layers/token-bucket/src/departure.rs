//! A request that is on its way.

use crate::{Bucket, BucketSet, each::Each, ledger::Departed};
use egress_time::Instant;
use std::fmt;

/// A request that departed, and is perhaps the one that everybody waits for after a pause.
///
/// [Say](Self::succeeded) when it was answered. Dropping it says that it was not: if it was the first after a pause,
/// the next one goes in its place.
#[must_use = "dropping it says that the request failed"]
pub struct Departure {
    buckets: Option<BucketSet>,
    /// In the order of the buckets.
    departed: Each<Departed>,
}

impl Departure {
    pub(crate) const fn new(buckets: BucketSet, departed: Each<Departed>) -> Self {
        Self {
            buckets: Some(buckets),
            departed,
        }
    }

    /// The server answered, and neither refused nor failed: if others wait for that, they may go.
    pub fn succeeded(mut self, now: Instant) {
        for (bucket, departed) in self.take() {
            if departed.is_probe {
                bucket.update(|state| state.ledger.succeeded(departed.number, now.as_nanos()));
            }
        }
    }

    /// Tells whether somebody waits for the outcome.
    pub fn is_probe(&self) -> bool {
        self.departed.iter().any(|departed| departed.is_probe)
    }

    pub(crate) const fn buckets(&self) -> Option<&BucketSet> {
        self.buckets.as_ref()
    }

    /// Takes the outcome into other hands.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (Bucket, Departed)> + use<> {
        let buckets = self.buckets.take();
        let departed = std::mem::take(&mut self.departed);
        (0..departed.len()).filter_map(move |place| {
            let bucket = buckets.as_ref()?.buckets().get(place)?;
            Some((bucket.clone(), departed[place]))
        })
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        if self.is_probe() {
            for (bucket, departed) in self.take() {
                // There is no clock here; the ledger knows a time that is not after now.
                bucket.update(|state| state.ledger.lost(departed.number, 0));
            }
        }
    }
}

impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departure")
            .field("is_probe", &self.is_probe())
            .finish_non_exhaustive()
    }
}
