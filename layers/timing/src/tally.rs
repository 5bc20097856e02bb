//! What one piece of work asked of servers, apart from all other work.

use crate::{Outcome, Phase, Recorder, sample::Sample};
use std::{
    array, fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Counts what one piece of work asks of servers: a request that is being answered, a job, an invocation of a Worker.
///
/// A [`Recorder`] has the figures of everything; a tally those of the services that [were told of it](crate::Timing::with_tally), which are recorded all the
/// same. It has sums instead of percentiles and is some hundred bytes for each label, so that every piece of work can
/// have its own. Clones share what is counted.
///
/// A request counts as soon as it is answered, so that the answer to which it contributed can tell of it while a body is
/// still on its way; what became of it is known when its body has ended.
///
/// # Example
///
/// ```
/// use egress_time::ManualTimer;
/// use egress_timing::{Recorder, TimingLayer};
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use std::convert::Infallible;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let (timer, recorder) = (ManualTimer::new(), Recorder::unlabelled());
/// let client = TimingLayer::new(timer.clone(), recorder.clone()).layer(service_fn(
///     |_: Request<()>| async { Ok::<_, Infallible>(Response::new(Empty::<&[u8]>::new())) },
/// ));
///
/// let tally = recorder.tally();
/// let mine = client.clone().with_tally(tally.clone());
/// timer.run(mine.oneshot(Request::new(()))).unwrap();
/// timer.run(client.oneshot(Request::new(()))).unwrap();
///
/// assert_eq!(tally.overall().requests(), 1);
/// assert_eq!(recorder.snapshot(timer.now()).overall().lifetime().requests(), 2);
/// # use egress_time::Clock;
/// ```
#[derive(Clone)]
pub struct Tally(Arc<Inner>);

struct Inner {
    /// Has the names of the labels.
    recorder: Recorder,
    labels: Box<[Sums]>,
    unlabelled: Sums,
}

impl Tally {
    pub(crate) fn new(recorder: &Recorder) -> Self {
        Self(Arc::new(Inner {
            recorder: recorder.clone(),
            labels: recorder.labels().map(|_| Sums::default()).collect(),
            unlabelled: Sums::default(),
        }))
    }

    /// Returns the labels in their order, with what was spent on the requests of each; also those without any.
    pub fn labels(&self) -> impl Iterator<Item = (&str, Spent)> {
        let sums = self.0.labels.iter().map(Sums::read);
        self.0.recorder.labels().zip(sums)
    }

    /// Returns what was spent on the requests without a label.
    pub fn unlabelled(&self) -> Spent {
        self.0.unlabelled.read()
    }

    /// Returns what was spent on all requests together.
    pub fn overall(&self) -> Spent {
        let mut overall = self.unlabelled();
        for (_, spent) in self.labels() {
            overall.add(&spent);
        }
        overall
    }

    /// Counts a request that was answered, or ended without an answer.
    pub(crate) fn answer(&self, recorder: &Recorder, label: Option<usize>, sample: &Sample) {
        self.sums(recorder, label).answer(sample);
    }

    /// Counts what became of a request that was counted.
    pub(crate) fn end(&self, recorder: &Recorder, label: Option<usize>, sample: &Sample) {
        self.sums(recorder, label).end(sample);
    }

    fn sums(&self, recorder: &Recorder, label: Option<usize>) -> &Sums {
        // The labels of another recorder mean something else.
        let label = label.filter(|_| recorder.is(&self.0.recorder));
        let labelled = label.and_then(|index| self.0.labels.get(index));
        labelled.unwrap_or(&self.0.unlabelled)
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.labels().filter(|(_, spent)| spent.requests > 0);
        f.debug_map().entries(labels).finish_non_exhaustive()
    }
}

/// What was spent on some requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    requests: u64,
    attempts: u64,
    retries: u64,
    outcomes: [u64; Outcome::COUNT],
    phases: [Duration; Phase::COUNT],
    longest: Duration,
}

impl Spent {
    /// Returns how many requests were answered, or ended without an answer.
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Returns how many attempts were sent for them, retries included.
    pub const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Returns how many of the attempts were retries: all but the first of each request.
    pub const fn retries(&self) -> u64 {
        self.retries
    }

    /// Returns how many have ended so. Those whose bodies have not ended have no outcome yet.
    pub const fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome.index()]
    }

    /// Returns how many have ended otherwise than well.
    pub fn errors(&self) -> u64 {
        let bad = Outcome::ALL
            .iter()
            .filter(|outcome| **outcome != Outcome::Ok);
        bad.fold(0, |sum, outcome| sum.saturating_add(self.outcome(*outcome)))
    }

    /// Returns how long they spent in `phase`, summed: those that ran at the same time count each.
    ///
    /// [`Phase::Body`] counts when a body has ended, and until then [`Phase::Total`] is the time to the answer.
    pub const fn phase(&self, phase: Phase) -> Duration {
        self.phases[phase.index()]
    }

    /// Returns the longest [`Phase::Total`] of one request.
    pub const fn longest(&self) -> Duration {
        self.longest
    }

    fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.retries = self.retries.saturating_add(other.retries);
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine = mine.saturating_add(theirs);
        }
        for (mine, theirs) in self.phases.iter_mut().zip(other.phases) {
            *mine = mine.saturating_add(theirs);
        }
        self.longest = self.longest.max(other.longest);
    }
}

/// What becomes [`Spent`] when it is read. Each number is exact by itself.
#[derive(Debug, Default)]
struct Sums {
    requests: AtomicU64,
    attempts: AtomicU64,
    retries: AtomicU64,
    outcomes: [AtomicU64; Outcome::COUNT],
    /// In nanoseconds.
    phases: [AtomicU64; Phase::COUNT],
    longest: AtomicU64,
}

impl Sums {
    fn answer(&self, sample: &Sample) {
        self.attempts.fetch_add(u64::from(sample.attempts), Relaxed);
        let retries = u64::from(sample.attempts.saturating_sub(1));
        self.retries.fetch_add(retries, Relaxed);
        self.spend(Phase::RateWait, sample.rate_wait);
        self.spend(Phase::QueueWait, sample.queue_wait);
        self.spend(Phase::Headers, sample.headers.unwrap_or_default());
        self.spend(Phase::Total, sample.total);
        self.longest.fetch_max(nanos(sample.total), Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    fn end(&self, sample: &Sample) {
        let body = sample.body.unwrap_or_default();
        self.spend(Phase::Body, body);
        // Until its answer it was counted then.
        self.spend(Phase::Total, body);
        self.longest.fetch_max(nanos(sample.total), Relaxed);
        self.outcomes[sample.outcome.index()].fetch_add(1, Relaxed);
    }

    fn spend(&self, phase: Phase, duration: Duration) {
        let sum = &self.phases[phase.index()];
        let add = |sum: u64| Some(sum.saturating_add(nanos(duration)));
        // It cannot fail: `add` always has an answer.
        let _ = sum.fetch_update(Relaxed, Relaxed, add);
    }

    fn read(&self) -> Spent {
        let read = |number: &AtomicU64| number.load(Relaxed);
        Spent {
            requests: read(&self.requests),
            attempts: read(&self.attempts),
            retries: read(&self.retries),
            outcomes: array::from_fn(|index| read(&self.outcomes[index])),
            phases: array::from_fn(|index| Duration::from_nanos(read(&self.phases[index]))),
            longest: Duration::from_nanos(read(&self.longest)),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
