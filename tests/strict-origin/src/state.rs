//! What all connections share: the configuration, the clock, and the books under one lock.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::{
    Answer, Api, FaultKind, HeaderSlots, Reply, Score,
    builder::Config,
    clock::Clock,
    exchange::Asked,
    faults::Shape,
    ledger::{Admission, Ledger},
    renames::Numbers,
    tally::Tally,
    writes::Writes,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    /// The origin's own URL, without a slash at the end.
    pub(crate) base: String,
    pub(crate) slots: Option<Semaphore>,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(config: Config, base: String) -> Self {
        let slots = config.slots.map(|slots| {
            let (HeaderSlots::Hold(count) | HeaderSlots::Refuse(count)) = slots;
            Semaphore::new(count.get())
        });
        Self {
            state: Mutex::new(State::new(&config)),
            clock: Clock::start(),
            slots,
            base,
            config,
        }
    }

    /// Locks the books; nothing may be dropped under the lock that locks them itself.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change leaves the books whole, so that a panic elsewhere does not spoil them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn served_paths(&self) -> BTreeSet<String> {
        self.state().tally.served_paths.clone()
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is served; a unit of quota was taken at the time given.
    Serve {
        taken: Duration,
        twist: Option<FaultKind>,
    },
    /// A fault hits it.
    Fault(FaultKind),
    /// A script answers it.
    Reply(Reply),
    /// The window is full, there is room at the time given.
    OverLimit(Duration),
    /// Too many of the API are under way.
    Crowded,
    /// No header slot is free.
    NoSlot,
}

#[derive(Debug)]
pub(crate) struct State {
    ledgers: [Ledger; 4],
    pub(crate) tally: Tally,
    pub(crate) writes: Writes,
    /// Not in the books, but of the world: no reset changes it.
    pub(crate) numbers: Numbers,
    /// How many answers of each script were given.
    scripted: HashMap<String, usize>,
    refusals: u64,
}

impl State {
    fn new(config: &Config) -> Self {
        let ledger =
            |api: Api| Ledger::new(api, config.rules[api.index()].clone(), config.crossing);
        Self {
            ledgers: Api::ALL.map(ledger),
            tally: Tally::default(),
            writes: Writes::default(),
            numbers: Numbers::default(),
            scripted: HashMap::new(),
            refusals: 0,
        }
    }

    pub(crate) fn ledger(&mut self, api: Api) -> &mut Ledger {
        &mut self.ledgers[api.index()]
    }

    pub(crate) fn reset(&mut self) {
        self.ledgers.iter_mut().for_each(Ledger::reset);
        self.tally.reset();
        self.writes = Writes::default();
        self.scripted.clear();
        self.refusals = 0;
    }

    /// Decides what becomes of a request that arrived at `now`; limits come before scripts and
    /// faults.
    pub(crate) fn decide(&mut self, config: &Config, asked: &Asked, now: Duration) -> Verdict {
        match self.ledger(asked.api).admission(&asked.request, now) {
            Admission::Full(back) => return Verdict::OverLimit(back),
            Admission::Crowded => return Verdict::Crowded,
            Admission::Room => {}
        }
        let answer = match self.scripted(config, asked) {
            Some(answer) => answer,
            None => {
                let attempt = self.ledger(asked.api).returns.attempt(&asked.request);
                let fault = config.faults.pick(asked.api, &asked.request, attempt);
                fault.map_or(Answer::Serve, Answer::Fault)
            }
        };
        let twist = match answer {
            Answer::Reply(reply) => return Verdict::Reply(reply),
            Answer::Serve => None,
            Answer::Fault(kind) => {
                self.tally.fault(kind);
                self.ledger(asked.api).faulted();
                if kind.shape() != Shape::Serve {
                    return Verdict::Fault(kind);
                }
                Some(kind)
            }
        };
        self.ledger(asked.api).take(now);
        Verdict::Serve { taken: now, twist }
    }

    /// Returns the next answer of a request's script; one that is used up serves.
    fn scripted(&mut self, config: &Config, asked: &Asked) -> Option<Answer> {
        let (name, answers) =
            config
                .script
                .find(&asked.method, &asked.path, asked.query.as_deref())?;
        let given = self.scripted.entry(name.to_owned()).or_default();
        let answer = answers.get(*given).cloned().unwrap_or(Answer::Serve);
        *given = given.saturating_add(1);
        Some(answer)
    }

    /// Returns whether the next refusal of GitHub's is a 403: the documentation permits 403 and
    /// 429, so they take turns.
    pub(crate) fn forbids(&mut self) -> bool {
        self.refusals = self.refusals.wrapping_add(1);
        self.refusals % 2 == 1
    }

    pub(crate) fn score(&self) -> Score {
        let tally = &self.tally;
        let mut score = Score::default();
        for api in Api::ALL {
            let api_score = self.ledgers[api.index()].score();
            score.requests += api_score.requests;
            score.apis.insert(api, api_score);
        }
        score.by_status = tally.by_status.clone();
        score.waiting_for_headers_now = tally.waiting.now;
        score.peak_waiting_for_headers = tally.waiting.peak;
        score.open_bodies_now = tally.open_bodies.now;
        score.peak_open_bodies = tally.open_bodies.peak;
        score.bodies_completed = tally.bodies_completed;
        score.bodies_aborted = tally.bodies_aborted;
        score.abandoned = tally.abandoned;
        score.held_for_slot = tally.held_for_slot;
        score.refused_for_slot = tally.refused_for_slot;
        score.connections_accepted = tally.connections.rises;
        score.connections_now = tally.connections.now;
        score.peak_connections = tally.connections.peak;
        score.malformed = tally.malformed;
        score.writes = self.writes.executed;
        score.repeated_writes = self.writes.repeated;
        score.idempotent_replays = self.writes.replays;
        score.faults = tally.faults.clone();
        score.unique_paths_served = u64::try_from(tally.served_paths.len()).unwrap_or(u64::MAX);
        score
    }
}
