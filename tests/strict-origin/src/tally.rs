//! The counters that belong to no single API.

use std::collections::{BTreeMap, BTreeSet};

use crate::FaultKind;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests between the arrival of their heads and the departure of the responses'.
    pub(crate) waiting: Gauge,
    /// Responses whose bodies are not written in full yet.
    pub(crate) open_bodies: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) bodies_completed: u64,
    pub(crate) bodies_aborted: u64,
    /// Requests whose client left before the response head.
    pub(crate) abandoned: u64,
    pub(crate) malformed: u64,
    pub(crate) held_for_slot: u64,
    pub(crate) refused_for_slot: u64,
    pub(crate) by_status: BTreeMap<u16, u64>,
    pub(crate) faults: BTreeMap<FaultKind, u64>,
    pub(crate) served_paths: BTreeSet<String>,
}

impl Tally {
    pub(crate) fn served_path(&mut self, path: String) {
        self.served_paths.insert(path);
    }

    pub(crate) fn status(&mut self, status: u16) {
        *self.by_status.entry(status).or_default() += 1;
    }

    pub(crate) fn fault(&mut self, kind: FaultKind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Starts again from what is under way.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            waiting: self.waiting.restarted(),
            open_bodies: self.open_bodies.restarted(),
            connections: self.connections.restarted(),
            ..Self::default()
        };
    }
}

/// Something that goes up and down, with its highest and how often it went up.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Gauge {
    pub(crate) now: u64,
    pub(crate) peak: u64,
    pub(crate) rises: u64,
}

impl Gauge {
    pub(crate) fn rise(&mut self) {
        self.now += 1;
        self.rises += 1;
        self.peak = self.peak.max(self.now);
    }

    pub(crate) fn fall(&mut self) {
        self.now = self.now.saturating_sub(1);
    }

    fn restarted(self) -> Self {
        Self {
            now: self.now,
            peak: self.now,
            rises: self.now,
        }
    }
}
