//! Spans as runs of operations.

use super::{Monitor, Outcome, Running, TARGET};
use egress_time::{Clock, Instant};
use std::{borrow::Cow, fmt, time::Duration};
use tracing::{
    Event, Id, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::Attributes,
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// The field of an event that makes it a checkpoint.
const CHECKPOINT: &str = "checkpoint";

/// A [`tracing_subscriber::Layer`] that counts each span as a run of the operation with the span's name.
///
/// So `#[tracing::instrument]` is all that a function needs to be monitored. The run begins with the span and ends when the span
/// is closed; of the time between, that in which the span was entered counts as busy. It has failed if an event of level `ERROR`
/// occurred in it, as `#[instrument(err)]` makes one of an error; of spans inside each other, the innermost one that is counted has.
/// An event with a field `checkpoint` is a [checkpoint](Running::checkpoint) of that one. A span cannot be ended, and one that was
/// dropped half-way cannot be told from one that is over: there is no timing out and no cancelling.
///
/// # Defaults
///
/// - spans of all names and targets count
/// - of level `INFO`, which `#[instrument]` has, and more important ones
///
/// # Cost
///
/// It chooses spans when they come, and keeps nobody else's from being made: without another filter, every `trace!` of the program reaches
/// the subscriber. `tracing_subscriber`'s `with_filter(LevelFilter::INFO)` around it saves that.
///
/// # Workers
///
/// It reads the monitor's clock and no other. That clock stands still while code runs, so that runs are never busy there.
///
/// ```
/// use tower_egress::monitor::{Monitor, SpanLayer};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let monitor = Monitor::new(egress_time::ManualTimer::new());
/// let subscriber = tracing_subscriber::registry()
///     .with(SpanLayer::new(monitor.clone()).with_target("my_program"));
/// # tracing::subscriber::with_default(subscriber, || {
/// // #[tracing::instrument(err, target = "my_program")]
/// // fn save() -> Result<(), Error>
/// tracing::info_span!(target: "my_program", "save").in_scope(|| {
///     tracing::info!(checkpoint = "connected");
///     tracing::error!("the disk is full");
/// });
/// # });
/// let save = &monitor.report().operations["save"];
/// assert_eq!(save.lifetime.errors(), 1);
/// assert_eq!(save.last.as_ref().unwrap().checkpoints[0].name, "connected");
/// ```
pub struct SpanLayer<C> {
    monitor: Monitor<C>,
    targets: Vec<Cow<'static, str>>,
    names: Vec<Cow<'static, str>>,
    most_verbose: Level,
}

impl<C> SpanLayer<C> {
    /// Makes one that counts spans with this monitor.
    pub const fn new(monitor: Monitor<C>) -> Self {
        Self {
            monitor,
            targets: Vec::new(),
            names: Vec::new(),
            most_verbose: Level::INFO,
        }
    }

    /// Counts spans of this target, or module path, and what is below it; and of others that are said so of, but no more of all.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.targets.push(target.into());
        self
    }

    /// Counts spans of this name; and of others that are said so of, but no more of all.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Counts spans up to this level, `TRACE` being the most verbose.
    #[must_use]
    pub const fn with_level(mut self, most_verbose: Level) -> Self {
        self.most_verbose = most_verbose;
        self
    }

    /// Returns the monitor.
    pub const fn monitor(&self) -> &Monitor<C> {
        &self.monitor
    }

    fn counts(&self, span: &Metadata<'_>) -> bool {
        let below = |target: &Cow<'_, str>| {
            let rest = span.target().strip_prefix(target.as_ref());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        *span.level() <= self.most_verbose
            && (self.targets.is_empty() || self.targets.iter().any(below))
            && (self.names.is_empty() || self.names.iter().any(|name| name == span.name()))
    }
}

impl<C: Clock + Clone + Send + Sync + 'static> SpanLayer<C> {
    /// Calls `f` with this layer's run in a span, if there is one.
    fn in_run<'a, R, O>(
        &self,
        span: &SpanRef<'a, R>,
        f: impl FnOnce(&mut SpanRun<C>) -> O,
    ) -> Option<O>
    where
        R: LookupSpan<'a>,
    {
        let mut extensions = span.extensions_mut();
        let runs = extensions.get_mut::<SpanRuns<C>>()?;
        let run = runs.0.iter_mut().find(|run| run.is_of(&self.monitor))?;
        Some(f(run))
    }
}

impl<S, C> Layer<S> for SpanLayer<C>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    C: Clock + Clone + Send + Sync + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id).filter(|_| self.counts(attributes.metadata())) else {
            return;
        };
        // Two layers of one monitor count a span once.
        if self.in_run(&span, |_| ()).is_some() {
            return;
        }
        let run = SpanRun {
            running: self.monitor.start(attributes.metadata().name()),
            entered: 0,
            since: Instant::ORIGIN,
            busy: Duration::ZERO,
            failed: false,
        };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<SpanRuns<C>>() {
            Some(runs) => runs.0.push(run),
            None => extensions.insert(SpanRuns(vec![run])),
        }
    }

    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let now = self.monitor.clock().now();
        self.in_run(&span, |run| run.enter(now));
    }

    fn on_exit(&self, id: &Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let now = self.monitor.clock().now();
        self.in_run(&span, |run| run.exit(now));
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let failed = *event.metadata().level() == Level::ERROR;
        let marks = event.metadata().fields().field(CHECKPOINT).is_some();
        if event.metadata().target() == TARGET || !(failed || marks) {
            return;
        }
        let mut checkpoint = CheckpointName(None);
        if marks {
            event.record(&mut checkpoint);
        }
        for span in cx.event_scope(event).into_iter().flatten() {
            let noted = self.in_run(&span, |run| {
                run.failed |= failed;
                if let Some(name) = checkpoint.0.take() {
                    run.running.checkpoint(name);
                }
            });
            if noted.is_some() {
                return;
            }
        }
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(&id) else { return };
        let run = {
            let mut extensions = span.extensions_mut();
            let runs = extensions.get_mut::<SpanRuns<C>>();
            runs.and_then(|runs| {
                let ours = runs.0.iter().position(|run| run.is_of(&self.monitor))?;
                Some(runs.0.swap_remove(ours))
            })
        };
        // It may warn, which is an event: nothing of the span's may be locked any more.
        if let Some(run) = run {
            run.end();
        }
    }
}

impl<C> fmt::Debug for SpanLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanLayer")
            .field("targets", &self.targets)
            .field("names", &self.names)
            .field("most_verbose", &self.most_verbose)
            .finish_non_exhaustive()
    }
}

/// The runs in one span: one for each monitor.
struct SpanRuns<C: Clock>(Vec<SpanRun<C>>);

struct SpanRun<C: Clock> {
    running: Running<C>,
    /// In how many places at once.
    entered: u32,
    since: Instant,
    busy: Duration,
    failed: bool,
}

impl<C: Clock> SpanRun<C> {
    fn is_of(&self, monitor: &Monitor<C>) -> bool {
        monitor.shares_with(&self.running)
    }

    fn enter(&mut self, now: Instant) {
        if self.entered == 0 {
            self.since = now;
        }
        self.entered = self.entered.saturating_add(1);
    }

    fn exit(&mut self, now: Instant) {
        // Who calls a subscriber by hand may leave what was not entered.
        if self.entered == 0 {
            return;
        }
        self.entered -= 1;
        if self.entered == 0 {
            self.busy = self.busy.saturating_add(now - self.since);
        }
    }

    fn end(self) {
        let outcome = match self.failed || self.running.panics() {
            true => Outcome::Failed,
            false => Outcome::Ok,
        };
        self.running.end_busy(outcome, self.busy);
    }
}

struct CheckpointName(Option<String>);

impl Visit for CheckpointName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == CHECKPOINT {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == CHECKPOINT {
            self.0 = Some(format!("{value:?}"));
        }
    }
}
