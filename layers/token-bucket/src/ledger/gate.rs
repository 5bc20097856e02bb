//! A pause that the server asked for, and the one request that finds out whether it is over.
//!
//! **After a pause one departs alone; the others follow when it has succeeded, or when it is lost.**

/// Who may pass after a pause.
#[derive(Debug)]
pub(super) struct Gate {
    state: State,
    paused_until: u64,
    /// The number of the first departure after the pause began. An answer to an earlier one proves nothing.
    since: u64,
    /// How long a probe may be silent until it is taken as lost.
    patience: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everybody may pass.
    Open,
    /// The next one that departs is the probe.
    Armed,
    /// A probe is out, nobody else may pass.
    Probing { number: u64, lapses: u64 },
}

impl Gate {
    pub(super) const fn new(patience: u64) -> Self {
        Self {
            state: State::Open,
            paused_until: 0,
            since: 0,
            patience,
        }
    }

    /// Whether nothing is known against anybody.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    pub(super) const fn paused_until(&self) -> u64 {
        self.paused_until
    }

    /// Returns when a probe that is out will be taken as lost.
    pub(super) const fn lapses(&self) -> Option<u64> {
        match self.state {
            State::Probing { lapses, .. } => Some(lapses),
            State::Open | State::Armed => None,
        }
    }

    /// Nobody departs until then; false if that is no longer than the present pause. `next` is the number that the
    /// next departure will have.
    pub(super) fn pause(&mut self, until: u64, now: u64, next: u64) -> bool {
        if until <= now.max(self.paused_until) {
            return false;
        }
        self.paused_until = until;
        self.since = next;
        self.state = State::Armed;
        true
    }

    /// Takes a silent probe as lost, if its time is over; true if it was.
    pub(super) fn lapse(&mut self, now: u64) -> bool {
        let lapsed = self.lapses().is_some_and(|lapses| lapses <= now);
        if lapsed {
            self.state = State::Armed;
        }
        lapsed
    }

    /// Notes a departure; true if it is the probe.
    pub(super) fn pass(&mut self, number: u64, now: u64) -> bool {
        let is_probe = self.state == State::Armed;
        if is_probe {
            self.state = State::Probing {
                number,
                lapses: now.saturating_add(self.patience),
            };
        }
        is_probe
    }

    /// A probe succeeded, perhaps one that was taken as lost; true if the gate opens for it.
    pub(super) fn succeeded(&mut self, number: u64) -> bool {
        let opens = self.state != State::Open && number >= self.since;
        if opens {
            self.state = State::Open;
        }
        opens
    }

    /// A departure ended without success; true if it was the probe and the next one goes.
    pub(super) fn lost(&mut self, number: u64) -> bool {
        let is_probe =
            matches!(self.state, State::Probing { number: probe, .. } if probe == number);
        if is_probe {
            self.state = State::Armed;
        }
        is_probe
    }
}
