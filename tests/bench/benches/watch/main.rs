//! What it costs to watch, and to have flags; see the README.

use bench::{Effort, Entry, Meter, Origin, exchange, request};
use egress_time::TokioTimer;
use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tower_egress::{
    Api, Egress, EgressBuilder, Quota,
    flags::{Flags, Rule},
    monitor::{Monitor, Outcome, SpanLayer},
};
use tracing::info_span;
use tracing_subscriber::{Registry, layer::SubscriberExt};

fn main() {
    let effort = Effort::from_args();
    let mut meter = Meter::new();
    let operations = operations(&mut meter);
    let spans = spans(&mut meter);
    let flags = flags(&mut meter);
    let requests = requests(&mut meter);
    let report = meter.measure(effort);
    println!("Nanoseconds, allocations and bytes of one.\n{report}");
    println!("Ratios, of the fastest:");
    for (what, one, other) in operations
        .iter()
        .chain(&spans)
        .chain(&flags)
        .chain(&requests)
    {
        let ratio = report[*one].fastest / report[*other].fastest;
        println!("  {what:<76}{ratio:>7.2}");
    }
}

type Ratio = (&'static str, Entry, Entry);

fn share(percent: f64) -> Rule {
    Rule::share(percent).expect("that is a share")
}

/// Runs of an operation.
fn operations(meter: &mut Meter) -> [Ratio; 2] {
    meter.section("A run of an operation");
    let timer = TokioTimer::new();
    let clock = meter.add("reading the clock twice", move || {
        use egress_time::Clock;
        black_box((timer.now(), timer.now()));
    });
    let monitor = Monitor::new(timer);
    let save = monitor.operation("save");
    let handle = meter.add("Operation::start, succeed", move || save.start().succeed());
    let by_name = monitor.clone();
    let name = meter.add("Monitor::start, by name, succeed", move || {
        by_name.start("save").succeed();
    });
    let warned = monitor
        .operation("warned")
        .with_warn_after(Duration::from_secs(60));
    meter.add("Operation::record, with a limit", move || {
        warned.record(Duration::from_millis(5), Outcome::Ok);
    });
    let run = monitor.clone();
    meter.add("Monitor::run of what is ready", move || {
        let mut cx = Context::from_waker(Waker::noop());
        let run = pin!(run.run("run", async { Ok::<_, ()>(black_box(1)) }));
        assert!(matches!(run.poll(&mut cx), Poll::Ready(Ok(Ok(1)))));
    });
    meter.add("Monitor::start, two checkpoints, succeed", move || {
        let mut run = monitor.start("points");
        run.checkpoint("one");
        run.checkpoint("two");
        run.succeed();
    });
    [
        ("a run / two readings of the clock", handle, clock),
        ("a run by name / by its handle", name, handle),
    ]
}

/// Spans with and without the layer.
fn spans(meter: &mut Meter) -> [Ratio; 1] {
    meter.section("A span, entered once");
    let span = || info_span!("save").in_scope(|| black_box(1));
    let plain = tracing::Dispatch::new(Registry::default());
    let bare = meter.add("registry alone", move || {
        tracing::dispatcher::with_default(&plain, || _ = black_box(span()));
    });
    let layer = SpanLayer::new(Monitor::new(TokioTimer::new()));
    let counted = tracing::Dispatch::new(Registry::default().with(layer));
    let counted = meter.add("with SpanLayer", move || {
        tracing::dispatcher::with_default(&counted, || _ = black_box(span()));
    });
    [("a span with SpanLayer / without", counted, bare)]
}

/// A flag's decision.
fn flags(meter: &mut Meter) -> [Ratio; 1] {
    meter.section("A flag");
    let add = |meter: &mut Meter, name, rule: Rule| {
        let flags = Flags::builder().flag("newSearch", rule).build();
        let flag = flags.get("newSearch").expect("it was declared");
        meter.add(name, move || {
            _ = black_box(flag.is_on(black_box("tower-rs/tower")))
        })
    };
    let all = add(meter, "on for all", Rule::on());
    let some = add(meter, "on for a share", share(50.0));
    add(meter, "on for a share, ten keys by name", {
        (0..10).fold(share(50.0), |rule, key| rule.on_for(format!("key {key}")))
    });
    let flags = Flags::builder().flag("newSearch", share(50.0)).build();
    let flag = flags.get("newSearch").expect("it was declared");
    let mut is_on = false;
    meter.add("record", move || {
        is_on = !is_on;
        flag.record(is_on, true, Duration::from_millis(5));
    });
    [("a flag on for a share / for all", some, all)]
}

/// A request through the stack.
fn requests(meter: &mut Meter) -> [Ratio; 6] {
    meter.section("A request through the whole stack");
    let add = |meter: &mut Meter, name, egress: EgressBuilder<TokioTimer>| {
        let mut client = egress.build().layer(Origin::new());
        let request = request();
        meter.add(name, move || _ = exchange(&mut client, request.clone()))
    };
    let egress = || {
        let quota = Quota::new(1_000_000_000, Duration::from_secs(1)).expect("a quota");
        let api = Api::new("github").with_host("api.github.com");
        Egress::builder()
            .concurrency(64)
            .deadline(Duration::from_secs(30))
            .api(api.with_quota(quota))
    };
    let with = |rules: &[(&'static str, Rule)]| {
        let flags = Flags::builder().layers().build();
        let config = rules.iter().fold(
            tower_egress::flags::Config::default(),
            |config, (name, rule)| config.with(*name, rule.clone()),
        );
        flags.apply(&config).expect("they are declared");
        egress().flags(flags)
    };
    let none = add(meter, "without flags", egress());
    let all = add(meter, "with flags, all on", with(&[]));
    let off = add(
        meter,
        "one layer off for all",
        with(&[("rateLimit", Rule::off())]),
    );
    let some = add(
        meter,
        "one layer off for half of them",
        with(&[("retries", share(50.0))]),
    );
    let two = add(
        meter,
        "two layers off for half of them, each",
        with(&[("retries", share(50.0)), ("timing", share(50.0))]),
    );
    // As hyper-util's client and axum's handlers do.
    let client = with(&[("retries", share(50.0))])
        .build()
        .layer(Origin::new());
    let request = request();
    let cloned = meter.add(
        "one layer off for half of them, cloned for each",
        move || {
            _ = exchange(&mut client.clone(), request.clone());
        },
    );
    let bare = {
        let client = egress().build().layer(Origin::new());
        let request = bench::request();
        meter.add("without flags, cloned for each", move || {
            _ = exchange(&mut client.clone(), request.clone());
        })
    };
    [
        ("a request with flags, all on / without flags", all, none),
        ("one layer off for all / without flags", off, none),
        ("one layer off for half / without flags", some, none),
        ("two layers off for half / without flags", two, none),
        (
            "a request of a clone, without flags / of one service",
            bare,
            none,
        ),
        (
            "a clone, one layer off for half / without flags",
            cloned,
            bare,
        ),
    ]
}
