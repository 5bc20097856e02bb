//! What was recorded, at one moment.

use crate::{Distribution, Outcome, Phase};
use std::borrow::Cow;

/// What a [`Recorder`](crate::Recorder) had recorded at one moment, label by label.
///
/// # Serialization
///
/// With the feature `serde`, a snapshot can be sent to where snapshots of several programs or isolates are merged. Its
/// form is for this crate to read; what people read has names and milliseconds and is made from the getters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot {
    pub(crate) labels: Vec<(Cow<'static, str>, Timings)>,
    pub(crate) unlabelled: Timings,
}

impl Snapshot {
    /// Returns the labels in the order in which they were given, with what was recorded of their requests.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &Timings)> {
        self.labels
            .iter()
            .map(|(name, timings)| (name.as_ref(), timings))
    }

    /// Returns what was recorded of the requests with this label, if there is such a label.
    pub fn label(&self, name: &str) -> Option<&Timings> {
        self.labels()
            .find_map(|(label, timings)| (label == name).then_some(timings))
    }

    /// Returns what was recorded of the requests without a label.
    pub const fn unlabelled(&self) -> &Timings {
        &self.unlabelled
    }

    /// Returns what was recorded of all requests together.
    pub fn overall(&self) -> Timings {
        let mut overall = self.unlabelled.clone();
        for (_, timings) in &self.labels {
            overall.merge(timings);
        }
        overall
    }

    /// Adds what `other` has, by name of the label: the snapshot of both programs together.
    pub fn merge(&mut self, other: &Self) {
        self.unlabelled.merge(&other.unlabelled);
        for (name, theirs) in &other.labels {
            match self.labels.iter_mut().find(|(label, _)| label == name) {
                Some((_, mine)) => mine.merge(theirs),
                None => self.labels.push((name.clone(), theirs.clone())),
            }
        }
    }
}

/// What was recorded of requests in the last minute and ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timings {
    pub(crate) minute: Summary,
    pub(crate) lifetime: Summary,
}

impl Timings {
    /// Returns the last minute: all that ended in the last 50 seconds, and nothing older than 60.
    pub const fn minute(&self) -> &Summary {
        &self.minute
    }

    /// Returns all there ever was.
    pub const fn lifetime(&self) -> &Summary {
        &self.lifetime
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.minute.merge(&other.minute);
        self.lifetime.merge(&other.lifetime);
    }
}

/// What was recorded of requests over some time.
///
/// Each request is counted when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Summary {
    pub(crate) outcomes: [u64; Outcome::COUNT],
    pub(crate) abandoned: u64,
    pub(crate) attempts: u64,
    pub(crate) retries: u64,
    pub(crate) phases: [Distribution; Phase::COUNT],
}

impl Summary {
    /// Returns how many requests there were.
    pub fn requests(&self) -> u64 {
        self.outcomes
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns how many of them had this outcome.
    pub const fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome.index()]
    }

    /// Returns how many of the cancelled had a response, whose body was dropped before its end.
    pub const fn abandoned_bodies(&self) -> u64 {
        self.abandoned
    }

    /// Returns how many attempts were sent for them together, retries included.
    pub const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Returns how many of the attempts were retries: all but the first of each request.
    pub const fn retries(&self) -> u64 {
        self.retries
    }

    /// Returns how long they spent in `phase`.
    pub const fn phase(&self, phase: Phase) -> &Distribution {
        &self.phases[phase.index()]
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine = mine.saturating_add(theirs);
        }
        self.abandoned = self.abandoned.saturating_add(other.abandoned);
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.retries = self.retries.saturating_add(other.retries);
        for (mine, theirs) in self.phases.iter_mut().zip(&other.phases) {
            mine.merge(theirs);
        }
    }
}
