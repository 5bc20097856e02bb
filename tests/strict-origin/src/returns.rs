//! Who was told to stay away until when, and who came all the same.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::ApiScore;

/// How much too early a timer may fire without being early.
const TIMER_TOLERANCE: Duration = Duration::from_millis(1);

/// Somebody was told to come back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// Not before this.
    pub(crate) until: Duration,
    /// The whole API is meant, not this request only.
    pub(crate) everyone: bool,
}

/// Remembers every request of one API.
#[derive(Debug)]
pub(crate) struct Returns {
    /// How long a request may have been under way when another one's refusal was heard.
    crossing: Duration,
    requests: HashMap<String, Record>,
    pauses: VecDeque<Pause>,
}

/// What the ledger knows about one request: a method, a path and a query.
#[derive(Debug, Default)]
struct Record {
    attempts: u32,
    failed: bool,
    told: Option<Duration>,
}

/// Everyone was told at `said` to stay away until `until`.
#[derive(Debug)]
struct Pause {
    said: Duration,
    until: Duration,
}

impl Returns {
    pub(crate) fn new(crossing: Duration) -> Self {
        Self {
            crossing,
            requests: HashMap::new(),
            pauses: VecDeque::new(),
        }
    }

    pub(crate) fn crossing(&self) -> Duration {
        self.crossing
    }

    /// Scores a request that comes although it, or everyone, was told to stay away.
    pub(crate) fn judge(&mut self, request: &str, now: Duration, score: &mut ApiScore) {
        let latest = now.saturating_add(TIMER_TOLERANCE);
        self.pauses.retain(|pause| pause.until > latest);
        let record = self.requests.get(request);
        if record.is_some_and(|record| record.failed) {
            score.retries += 1;
        }
        match record.and_then(|record| record.told) {
            Some(told) if latest < told => score.early_retries += 1,
            // It does what it was told, whatever others were told.
            Some(_) => {}
            None => {
                let heard = |pause: &Pause| pause.said.saturating_add(self.crossing) < now;
                if self.pauses.iter().any(heard) {
                    score.pause_violations += 1;
                }
            }
        }
    }

    /// Counts one more attempt of a request that there is room for, and returns how many there were
    /// before.
    pub(crate) fn attempt(&mut self, request: &str) -> u32 {
        let record = self.record(request);
        let attempt = record.attempts;
        record.attempts = attempt.saturating_add(1);
        attempt
    }

    /// Records how a request was answered.
    pub(crate) fn answered(
        &mut self,
        request: &str,
        failed: bool,
        told: Option<Told>,
        now: Duration,
    ) {
        let record = self.record(request);
        record.failed = failed;
        record.told = told.map(|told| told.until);
        let Some(Told {
            until,
            everyone: true,
        }) = told
        else {
            return;
        };
        // One that was said before and lasts as long says it all.
        if !self.pauses.iter().any(|pause| pause.until >= until) {
            self.pauses.push_back(Pause { said: now, until });
        }
    }

    fn record(&mut self, request: &str) -> &mut Record {
        self.requests.entry(request.to_owned()).or_default()
    }
}
