//! The handle on everything that was recorded.

use crate::{Snapshot, Tally, sample::Sample, series::Series};
use egress_time::Instant;
use std::{borrow::Cow, fmt, sync::Arc};

/// Records requests, by label.
///
/// Clones share what is recorded.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    labels: Vec<(Cow<'static, str>, Series)>,
    unlabelled: Series,
}

impl Recorder {
    /// Makes one with these labels; requests are assigned to them by [index](crate::Label).
    pub fn new<N: Into<Cow<'static, str>>>(labels: impl IntoIterator<Item = N>) -> Self {
        let labels = labels.into_iter();
        Self(Arc::new(Inner {
            labels: labels
                .map(|name| (name.into(), Series::default()))
                .collect(),
            unlabelled: Series::default(),
        }))
    }

    /// Makes one that keeps all requests together.
    pub fn unlabelled() -> Self {
        Self::new([""; 0])
    }

    /// Returns what was recorded until `now`, which is of the clock that the layers use.
    ///
    /// It takes no lock, allocates what it returns, and costs some microseconds for each label.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let labels = self.0.labels.iter();
        Snapshot {
            labels: labels
                .map(|(name, series)| (name.clone(), series.read(now)))
                .collect(),
            unlabelled: self.0.unlabelled.read(now),
        }
    }

    /// Makes a tally with the same labels: for what one piece of work asks, apart from all other.
    pub fn tally(&self) -> Tally {
        Tally::new(self)
    }

    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.labels.iter().map(|(name, _)| name.as_ref())
    }

    /// Tells whether `other` is a clone of this one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Records one request that ended `now`.
    pub(crate) fn record(&self, label: Option<usize>, now: Instant, sample: &Sample) {
        let labelled = label.and_then(|index| self.0.labels.get(index));
        let series = labelled.map_or(&self.0.unlabelled, |(_, series)| series);
        series.record(now, sample);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.labels()).finish()
    }
}
