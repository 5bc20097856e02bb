//! The monitor where there are threads, subscribers and a recorder.
#![cfg(not(target_arch = "wasm32"))]

use egress_time::{Clock, ManualTimer};
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};
use tower_egress::monitor::{Limits, Monitor, Outcome, Sample};

const MILLI: Duration = Duration::from_millis(1);

fn memory(bytes: u64) -> Sample {
    Sample {
        memory_bytes: Some(bytes),
        cpu_time: None,
    }
}

/// Nothing is lost or counted twice, and reports that are made meanwhile make sense.
#[test]
fn writers_and_readers_do_not_disturb_each_other() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 10_000;
    let timer = ManualTimer::new();
    let monitor = Monitor::new(timer.clone())
        .with_limits(Limits::new().with_memory(100))
        .with_max_operations(2);
    let _ = monitor.operation("shared").with_warn_after(MILLI);
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = 0;
            while writing.load(Relaxed) {
                let report = monitor.report();
                let shared = &report.operations["shared"];
                let count = shared.lifetime.count();
                assert!(count >= last, "the lifetime only grows");
                assert!(
                    shared.last_minute.count() <= count,
                    "the minute is a part of it"
                );
                assert!(report.operations.len() <= 2 + 1 + 1);
                assert!(!report.summary().is_empty() && !report.prometheus().is_empty());
                monitor.check_with(memory(99 + count % 2 * 2));
                last = count;
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (monitor, timer) = (monitor.clone(), timer.clone());
                scope.spawn(move || {
                    for number in 0..EACH {
                        let run = monitor.start("shared");
                        monitor.record(&format!("{writer} {}", number % 7), MILLI, Outcome::Ok);
                        if number % 100 == 0 {
                            timer.advance(Duration::from_secs(1));
                        }
                        match number % 3 {
                            0 => run.succeed(),
                            1 => run.fail(),
                            _ => drop(run),
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        writing.store(false, Relaxed);
        reader.join().unwrap();
    });
    let report = monitor.report();
    let shared = &report.operations["shared"];
    let (third, rest) = (EACH / 3, EACH % 3);
    assert_eq!(shared.lifetime.count(), WRITERS * EACH);
    assert_eq!(
        shared.lifetime.outcome(Outcome::Ok),
        WRITERS * (third + rest.min(1))
    );
    assert_eq!(shared.lifetime.outcome(Outcome::Cancelled), WRITERS * third);
    assert_eq!(shared.lifetime.durations().count(), WRITERS * EACH);
    assert_eq!((shared.running, shared.lost), (0, 0));
    let all: u64 = report
        .operations
        .values()
        .map(|of| of.lifetime.count())
        .sum();
    assert_eq!(all, 2 * WRITERS * EACH, "whatever their names are");
    assert_eq!(report.operations.len(), 2 + 1 + 1);
}

/// However many cross it at once, it is one crossing.
#[test]
fn a_crossing_of_many_threads_is_one_warning() {
    for round in 0..50 {
        let monitor = Monitor::new(ManualTimer::new());
        let monitor = monitor.with_limits(Limits::new().with_memory(100));
        let save = monitor.operation("save").with_warn_after(MILLI);
        let barrier = std::sync::Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    monitor.check_with(memory(200));
                    save.record(2 * MILLI, Outcome::Ok);
                });
            }
        });
        assert_eq!(monitor.report().warnings, 2, "round {round}");
        assert_eq!(monitor.take_warnings().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn it_runs_on_tokios_clock_and_ends_what_takes_too_long() {
    let timer = tower_egress::TokioTimer::new();
    let monitor = Monitor::new(timer);
    let slow = monitor
        .operation("slow")
        .with_timeout(Duration::from_secs(5));
    let sleep = tower_egress::SleepUntil::new(timer, timer.now() + Duration::from_secs(60));
    let error = slow.time(sleep).await.unwrap_err();
    assert_eq!(
        (error.operation.as_str(), error.timeout),
        ("slow", Duration::from_secs(5))
    );
    let report = monitor.report();
    let slow = &report.operations["slow"];
    assert_eq!(slow.lifetime.outcome(Outcome::TimedOut), 1);
    let took = slow.lifetime.total();
    assert!((5000..5010).contains(&took.as_millis()), "{took:?}");
}

/// A collector of events, for what is said once.
mod events {
    use std::sync::{Arc, Mutex};
    use tracing::{Event, Level, Metadata, Subscriber, field, span};

    #[derive(Clone, Default)]
    pub(super) struct Events(pub(super) Arc<Mutex<Vec<String>>>);

    impl Subscriber for Events {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            let metadata = event.metadata();
            assert_eq!(*metadata.level(), Level::WARN);
            assert_eq!(metadata.target(), "tower_egress::monitor");
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.0
                .lock()
                .expect("nobody panics")
                .push(fields.0.join(" "));
        }
    }

    #[derive(Default)]
    struct Fields(Vec<String>);

    impl field::Visit for Fields {
        fn record_debug(&mut self, field: &field::Field, value: &dyn std::fmt::Debug) {
            self.0.push(format!("{}={value:?}", field.name()));
        }
    }
}

#[test]
fn each_crossing_is_one_event() {
    let events = events::Events::default();
    tracing::subscriber::with_default(events.clone(), || {
        let monitor = Monitor::new(ManualTimer::new());
        let monitor = monitor.with_limits(Limits::new().with_memory(1024));
        let save = monitor.operation("save").with_warn_after(MILLI);
        for bytes in [2048, 4096, 0, 2048] {
            monitor.check_with(memory(bytes));
        }
        save.record(2 * MILLI, Outcome::Ok);
        save.record(2 * MILLI, Outcome::Ok);
    });
    let memory = "message=memory is 2 KiB, the limit is 1 KiB limit=\"memory\" value=2048.0 threshold=1024.0";
    let save = "message=\"save\" takes 2 ms, the limit is 1 ms limit=\"operation\" operation=\"save\" value=2.0 threshold=1.0";
    assert_eq!(*events.0.lock().unwrap(), [memory, memory, save]);
}

#[cfg(feature = "tracing")]
mod spans {
    use super::*;
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };
    use tower_egress::monitor::{OperationReport, SpanLayer};
    use tracing::Instrument as _;
    use tracing::{
        Level, error, error_span, info, info_span, instrument::WithSubscriber, trace_span,
    };
    use tracing_subscriber::layer::SubscriberExt;

    fn setup() -> (ManualTimer, Monitor<ManualTimer>) {
        let timer = ManualTimer::new();
        (timer.clone(), Monitor::new(timer))
    }

    fn of(monitor: &Monitor<ManualTimer>, name: &str) -> OperationReport {
        monitor.report().operations.remove(name).unwrap_or_default()
    }

    fn with(layer: SpanLayer<ManualTimer>, f: impl FnOnce()) {
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, f);
    }

    #[test]
    fn a_span_is_a_run_with_its_busy_time() {
        let (timer, monitor) = setup();
        with(SpanLayer::new(monitor.clone()), || {
            let span = info_span!("save");
            timer.advance(5 * MILLI);
            for _ in 0..2 {
                let _entered = span.enter();
                timer.advance(10 * MILLI);
                span.in_scope(|| timer.advance(MILLI));
            }
            assert_eq!(of(&monitor, "save").running, 1);
        });
        let save = of(&monitor, "save");
        assert_eq!(save.lifetime.outcome(Outcome::Ok), 1);
        assert_eq!(save.lifetime.total(), 27 * MILLI);
        assert_eq!(
            save.busy_ms,
            Some(22.0),
            "what is entered twice is busy once"
        );
        assert_eq!(save.running, 0);
    }

    /// What `#[instrument(err)]` expands to.
    #[test]
    fn a_future_in_a_span_is_a_run() {
        let (timer, monitor) = setup();
        with(SpanLayer::new(monitor.clone()), || {
            let work = async {
                timer.advance(3 * MILLI);
                let mut first = true;
                std::future::poll_fn(|_| match std::mem::replace(&mut first, false) {
                    true => Poll::Pending,
                    false => Poll::Ready(()),
                })
                .await;
                error!(error = %"no");
            };
            let mut work = pin!(
                work.instrument(info_span!("save"))
                    .with_current_subscriber()
            );
            let mut cx = Context::from_waker(Waker::noop());
            assert!(work.as_mut().poll(&mut cx).is_pending());
            timer.advance(100 * MILLI);
            assert!(work.as_mut().poll(&mut cx).is_ready());
        });
        let save = of(&monitor, "save");
        assert_eq!(save.lifetime.outcome(Outcome::Failed), 1);
        assert_eq!(save.lifetime.total(), 103 * MILLI);
        assert_eq!(save.busy_ms, Some(3.0));
    }

    #[tracing::instrument(err, skip_all)]
    async fn store(
        timer: ManualTimer,
        result: Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        timer.advance(7 * MILLI);
        result
    }

    #[tracing::instrument(name = "sum up")]
    fn sum(of: u32) -> u32 {
        of + 1
    }

    #[test]
    fn instrument_is_the_decorator() {
        let (timer, monitor) = setup();
        with(
            SpanLayer::new(monitor.clone()).with_target("monitor"),
            || {
                timer.run(store(timer.clone(), Ok(()))).unwrap();
                timer.run(store(timer.clone(), Err("no"))).unwrap_err();
                assert_eq!(sum(1), 2);
            },
        );
        let store = of(&monitor, "store").lifetime;
        assert_eq!(
            (store.outcome(Outcome::Ok), store.outcome(Outcome::Failed)),
            (1, 1)
        );
        assert_eq!(store.total(), 14 * MILLI);
        assert_eq!(of(&monitor, "sum up").lifetime.outcome(Outcome::Ok), 1);
    }

    #[test]
    fn an_error_is_of_the_innermost_span_that_counts() {
        let (_, monitor) = setup();
        with(SpanLayer::new(monitor.clone()), || {
            error!("outside of all spans");
            let _outer = info_span!("outer").entered();
            let inner = info_span!("inner").entered();
            let too_fine = trace_span!("fine").entered();
            info!(checkpoint = "read");
            info!(checkpoint = ?Some(1));
            error!("no");
            drop((too_fine, inner));
            info!("no checkpoint");
        });
        let (outer, inner) = (of(&monitor, "outer"), of(&monitor, "inner"));
        assert_eq!(inner.lifetime.outcome(Outcome::Failed), 1);
        assert_eq!(outer.lifetime.outcome(Outcome::Ok), 1);
        assert_eq!(of(&monitor, "fine").lifetime.count(), 0);
        let checkpoints = inner.last.unwrap().checkpoints;
        let names: Vec<_> = checkpoints.iter().map(|of| of.name.as_ref()).collect();
        assert_eq!(names, ["read", "Some(1)"]);
        assert_eq!(outer.last.unwrap().checkpoints, []);
    }

    #[test]
    fn spans_are_chosen_by_target_name_and_level() {
        let (_, monitor) = setup();
        let chosen = |layer: SpanLayer<ManualTimer>| {
            let before = layer.monitor().report().overall().count();
            with(layer, || {
                drop(info_span!(target: "app", "save"));
                drop(info_span!(target: "app::db", "load"));
                drop(info_span!(target: "apple", "save"));
                drop(trace_span!(target: "app", "save"));
                drop(error_span!(target: "other", "save"));
            });
            monitor.report().overall().count() - before
        };
        let layer = || SpanLayer::new(monitor.clone());
        assert_eq!(chosen(layer()), 4, "all but what is finer than INFO");
        assert_eq!(chosen(layer().with_target("app")), 2);
        assert_eq!(chosen(layer().with_target("app").with_target("apple")), 3);
        assert_eq!(chosen(layer().with_target("app").with_name("save")), 1);
        assert_eq!(chosen(layer().with_level(Level::TRACE)), 5);
        assert_eq!(chosen(layer().with_level(Level::ERROR)), 1);
    }

    #[test]
    fn each_monitor_counts_a_span_once() {
        let (_, one) = setup();
        let (_, other) = setup();
        let subscriber = tracing_subscriber::registry()
            .with(SpanLayer::new(one.clone()))
            .with(SpanLayer::new(other.clone()))
            .with(SpanLayer::new(one.clone()));
        tracing::subscriber::with_default(subscriber, || {
            info_span!("save").in_scope(|| error!("no"));
        });
        for monitor in [one, other] {
            let save = of(&monitor, "save");
            assert_eq!(save.lifetime.outcome(Outcome::Failed), 1);
            assert_eq!(save.lifetime.count(), 1);
        }
    }

    /// The warning is an event of the subscriber that closes the span: nothing is locked, and it is not taken for a failure.
    #[test]
    fn a_slow_span_is_warned_of() {
        let (timer, monitor) = setup();
        let _ = monitor.operation("save").with_warn_after(MILLI);
        with(SpanLayer::new(monitor.clone()), || {
            let _outer = info_span!("outer").entered();
            for _ in 0..2 {
                let _save = info_span!("save").entered();
                timer.advance(2 * MILLI);
            }
        });
        assert_eq!(monitor.take_warnings().len(), 1);
        assert_eq!(of(&monitor, "save").slow, 2);
        assert_eq!(monitor.report().overall().errors(), 0);
    }

    /// Whoever writes a subscriber by hand can do that.
    #[test]
    fn a_span_that_is_left_more_often_than_entered_is_not_busy_since_the_beginning() {
        let (timer, monitor) = setup();
        timer.advance(Duration::from_secs(1_000_000));
        with(SpanLayer::new(monitor.clone()), || {
            let span = info_span!("save");
            let leave = |span: &tracing::Span| {
                span.with_subscriber(|(id, dispatch)| dispatch.exit(id));
            };
            leave(&span);
            span.in_scope(|| timer.advance(MILLI));
            leave(&span);
        });
        assert_eq!(of(&monitor, "save").busy_ms, Some(1.0));
    }

    #[test]
    fn a_span_may_outlive_its_subscriber_and_be_in_several_threads() {
        let (timer, monitor) = setup();
        let mut span = tracing::Span::none();
        with(SpanLayer::new(monitor.clone()), || {
            span = info_span!("save");
            info_span!("other").in_scope(|| ());
        });
        assert_eq!(of(&monitor, "save").running, 1);
        let entered = std::sync::Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let _entered = span.enter();
                    entered.wait();
                    entered.wait();
                });
            }
            entered.wait();
            timer.advance(3 * MILLI);
            entered.wait();
        });
        drop(span);
        let save = of(&monitor, "save");
        assert_eq!((save.lifetime.count(), save.running), (1, 0));
        assert_eq!(save.busy_ms, Some(3.0), "once, in however many threads");
    }

    #[test]
    fn a_span_that_is_over_while_a_panic_unwinds_has_not_failed() {
        struct TidiesUp;
        impl Drop for TidiesUp {
            fn drop(&mut self) {
                info_span!("tidy up").in_scope(|| ());
            }
        }
        let (_, monitor) = setup();
        with(SpanLayer::new(monitor.clone()), || {
            let unwound = std::panic::catch_unwind(|| {
                let _save = info_span!("save").entered();
                let _tidies_up = TidiesUp;
                panic!("on purpose");
            });
            assert!(unwound.is_err());
        });
        let failed = |name| of(&monitor, name).lifetime.outcome(Outcome::Failed);
        assert_eq!((failed("save"), failed("tidy up")), (1, 0));
    }

    /// The names of a program's own spans: what has no room is counted all the same.
    #[test]
    fn a_thousand_names_are_counted() {
        let (_, monitor) = setup();
        let monitor = monitor.with_max_operations(10);
        with(SpanLayer::new(monitor.clone()), || {
            for number in 0..1000 {
                monitor.start(&format!("\"{number}\n\u{2028}")).succeed();
                info_span!("save").in_scope(|| info!(checkpoint = "x".repeat(1000)));
            }
        });
        let report = monitor.report();
        assert_eq!(report.overall().count(), 2000);
        assert_eq!(report.operations.len(), 11);
        let lines = |text: &str| {
            text.split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}'])
                .count()
        };
        assert_eq!(lines(&report.summary()), 2 + 11 + 1, "{}", report.summary());
    }

    #[test]
    fn spans_of_many_threads_add_up() {
        let (_, monitor) = setup();
        let subscriber = tracing_subscriber::registry().with(SpanLayer::new(monitor.clone()));
        let dispatch = tracing::Dispatch::new(subscriber);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    tracing::dispatcher::with_default(&dispatch, || {
                        for _ in 0..1000 {
                            info_span!("save").in_scope(|| ());
                        }
                    });
                });
            }
        });
        let save = of(&monitor, "save");
        assert_eq!((save.lifetime.count(), save.running), (4000, 0));
    }
}

#[cfg(feature = "metrics")]
mod recorder {
    use super::*;
    use metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder,
        SharedString, Unit,
    };
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };
    use tower_egress::{Status, monitor};

    type Values = Arc<Mutex<BTreeMap<String, f64>>>;

    #[derive(Clone, Default)]
    struct Keeps {
        values: Values,
        units: Arc<Mutex<BTreeMap<String, Option<Unit>>>>,
        kinds: Arc<Mutex<BTreeMap<String, &'static str>>>,
    }

    struct Cell(String, Values);

    impl CounterFn for Cell {
        fn increment(&self, _: u64) {
            panic!("counters are set to what they have come to");
        }
        fn absolute(&self, value: u64) {
            let value = u32::try_from(value).expect("a small number").into();
            let before = self
                .1
                .lock()
                .expect("nobody panics")
                .insert(format!("counter {}", self.0), value);
            assert!(before <= Some(value), "{} fell from {before:?}", self.0);
        }
    }

    impl GaugeFn for Cell {
        fn increment(&self, _: f64) {
            panic!("gauges are set");
        }
        fn decrement(&self, _: f64) {
            panic!("gauges are set");
        }
        fn set(&self, value: f64) {
            self.1
                .lock()
                .expect("nobody panics")
                .insert(format!("gauge {}", self.0), value);
        }
    }

    impl Keeps {
        fn describe(&self, name: &KeyName, unit: Option<Unit>, kind: &'static str) {
            let name = name.as_str().to_owned();
            let kinds = self.kinds.lock();
            kinds.expect("nobody panics").insert(name.clone(), kind);
            self.units.lock().expect("nobody panics").insert(name, unit);
        }

        fn cell(&self, key: &Key) -> Arc<Cell> {
            let labels: Vec<_> = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let name = format!("{} {}", key.name(), labels.join(","));
            Arc::new(Cell(name.trim().to_owned(), Arc::clone(&self.values)))
        }
    }

    impl Recorder for Keeps {
        fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
            self.describe(&name, unit, "counter");
        }
        fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
            self.describe(&name, unit, "gauge");
        }
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
            panic!("there are none");
        }
        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.cell(key))
        }
        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.cell(key))
        }
        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            panic!("there are none");
        }
    }

    /// Whatever is set anew: limits, rules, the minute.
    #[test]
    fn a_recorders_counters_never_fall() {
        let timer = ManualTimer::new();
        let monitor = Monitor::new(timer.clone());
        let flags = tower_egress::flags::Flags::builder().layers().build();
        let egress = tower_egress::Egress::builder_on(timer.clone());
        let egress = egress.flags(flags.clone()).build();
        let recorder = Keeps::default();
        metrics::with_local_recorder(&recorder, || {
            for round in 1..20_u32 {
                let percent = round * 5;
                flags
                    .apply_json(&format!("{{\"retries\": {percent}}}"))
                    .expect("a good one");
                let flag = flags.get("retries").expect("it is a layer");
                for n in 0..round {
                    flag.record(n % 2 == 0, n % 3 == 0, MILLI);
                    monitor.record("save", MILLI, Outcome::Failed);
                }
                monitor.set_limits(Limits::new().with_memory(round.into()));
                monitor.check_with(Sample {
                    memory_bytes: Some(10),
                    cpu_time: Some(MILLI * (20 - round)),
                });
                monitor::record_metrics(&egress.status(), &monitor.report());
                timer.advance(Duration::from_secs(30));
            }
        });
        let values = recorder.values.lock().unwrap();
        let failed =
            "counter tower_egress_flag_recorded_total flag=retries,group=on,outcome=failed";
        assert!(values[failed] > 20.0, "{values:#?}");
        assert_eq!(values["gauge tower_egress_cpu_seconds_total"], 0.0);
    }

    /// Some recorders keep descriptions by name and kind: those of another kind were nobody's.
    #[test]
    fn what_is_described_is_registered_as_what_it_is_described_as() {
        let monitor = Monitor::new(ManualTimer::new());
        monitor.record("save", MILLI, Outcome::Ok);
        monitor.check_with(Sample {
            memory_bytes: Some(1),
            cpu_time: Some(MILLI),
        });
        let recorder = Keeps::default();
        metrics::with_local_recorder(&recorder, || {
            monitor::record_metrics(&Status::default(), &monitor.report());
        });
        let kinds = recorder.kinds.lock().unwrap();
        for series in recorder.values.lock().unwrap().keys() {
            let mut words = series.split(' ');
            let (kind, name) = (words.next(), words.next().expect("a name"));
            assert!(
                kinds.get(name).is_none_or(|of| Some(*of) == kind),
                "{series}"
            );
        }
        assert_eq!(kinds["tower_egress_cpu_seconds_total"], "gauge");
        assert_eq!(kinds["tower_egress_warnings_total"], "counter");
    }

    /// A recorder keeps a gauge until it is set anew. What is over and was not said went on for ever, and so did whoever was alarmed by it.
    #[test]
    fn a_recorder_hears_that_something_is_over() {
        let timer = ManualTimer::new();
        let limits = Limits::new().with_memory(100).with_duration(MILLI);
        let monitor = Monitor::new(timer.clone()).with_limits(limits);
        let save = monitor.operation("save").with_warn_after(MILLI);
        let quota = tower_egress::Quota::new(1, Duration::from_secs(10)).expect("a quota");
        let egress = tower_egress::Egress::builder_on(timer.clone())
            .otherwise(tower_egress::Api::new("slow").with_quota(quota))
            .build();
        let client = egress.layer(tower::service_fn(|_| async {
            let body = http_body_util::Empty::<bytes::Bytes>::new();
            Ok::<_, tower::BoxError>(http::Response::new(body))
        }));
        let get = || tower_egress::FetchExt::get(&client, "http://example.com/").send();
        let recorder = Keeps::default();
        let hear = || {
            metrics::with_local_recorder(&recorder, || {
                monitor::record_metrics(&egress.status(), &monitor.report());
            });
            let values = recorder.values.lock().expect("nobody panics");
            [
                "limit_crossed limit=memory",
                "limit_crossed limit=duration",
                "limit_crossed limit=operation,operation=save",
                "operation_longest_running_seconds operation=save",
                "rate_limit_next_slot_seconds api=slow",
            ]
            .map(|name| values.get(&format!("gauge tower_egress_{name}")).copied())
        };
        assert_eq!(hear(), [Some(0.0); 5]);
        let run = save.start();
        timer.run(get()).expect("an answer");
        timer.advance(Duration::from_secs(2));
        monitor.check_with(memory(200));
        assert_eq!(hear(), [1.0, 1.0, 1.0, 2.0, 8.0].map(Some));
        run.succeed();
        timer.advance(Duration::from_secs(8));
        monitor.check_with(memory(50));
        assert_eq!(hear(), [Some(0.0); 5]);
    }

    #[test]
    fn a_recorder_hears_what_prometheus_reads() {
        let monitor = Monitor::new(ManualTimer::new());
        monitor.record("save", 250 * MILLI, Outcome::Ok);
        monitor.record("save", 250 * MILLI, Outcome::Failed);
        monitor.check_with(memory(4096));
        let mut status = Status::default();
        status.connections.active = 5;
        status.retries.retries = 7;
        let recorder = Keeps::default();
        metrics::with_local_recorder(&recorder, || {
            monitor::record_metrics(&status, &monitor.report());
        });
        let values = recorder.values.lock().unwrap();
        for (name, value) in [
            (
                "counter tower_egress_operation_runs_total operation=save,outcome=failed",
                1.0,
            ),
            (
                "counter tower_egress_operation_duration_seconds_count operation=save",
                2.0,
            ),
            (
                "gauge tower_egress_operation_duration_seconds_sum operation=save",
                0.5,
            ),
            ("gauge tower_egress_memory_bytes", 4096.0),
            ("gauge tower_egress_connections_active", 5.0),
            ("counter tower_egress_retries_total", 7.0),
        ] {
            assert_eq!(values.get(name), Some(&value), "{name} in {values:#?}");
        }
        let p95 = "gauge tower_egress_operation_duration_seconds operation=save,quantile=0.95";
        assert!((values[p95] - 0.25).abs() < 0.0025);
        let units = recorder.units.lock().unwrap();
        assert_eq!(
            units["tower_egress_operation_duration_seconds"],
            Some(Unit::Seconds)
        );
        assert_eq!(units["tower_egress_memory_bytes"], Some(Unit::Bytes));
        assert_eq!(units["tower_egress_retries_total"], None);
    }
}
