//! Metrics as Prometheus reads them: [the text format, version
//! 0.0.4](https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).

use super::{
    Report, export,
    family::{Family, Kind, Label},
};
use crate::Status;
use std::fmt::{self, Write};

/// The content type of what is rendered here.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes what an egress and a monitor say as one page for Prometheus.
///
/// Names begin with `tower_egress_`, times are in seconds. Percentiles are of the last minute, and `NaN` if nothing was in it;
/// counters are of the lifetime. In a Worker they are those of one isolate: let Prometheus know which, or it takes each answer of
/// another isolate for a restart.
///
/// ```
/// use tower_egress::{Api, Egress, monitor::{Monitor, prometheus}};
///
/// let timer = egress_time::ManualTimer::new();
/// let egress = Egress::builder_on(timer.clone()).api(Api::github()).build();
/// let monitor = Monitor::new(timer);
/// monitor.start("scan").succeed();
///
/// let page = prometheus::render(&egress.status(), &monitor.report());
/// assert!(page.contains("\ntower_egress_rate_limit_available_tokens{api=\"github\"} 10\n"));
/// assert!(page.contains("\ntower_egress_operation_runs_total{operation=\"scan\",outcome=\"ok\"} 1\n"));
/// ```
pub fn render(status: &Status, report: &Report) -> String {
    let mut families = export::of_status(status);
    families.extend(export::of_report(report));
    text(&families)
}

impl Report {
    /// Writes the report as a page for Prometheus; [`prometheus::render`](render) adds the status of an egress.
    ///
    /// ```
    /// use tower_egress::monitor::Monitor;
    ///
    /// let monitor = Monitor::new(egress_time::ManualTimer::new());
    /// monitor.start("scan").fail();
    /// let page = monitor.report().prometheus();
    /// assert!(page.contains("\ntower_egress_operation_runs_total{operation=\"scan\",outcome=\"failed\"} 1\n"));
    /// ```
    pub fn prometheus(&self) -> String {
        text(&export::of_report(self))
    }
}

fn text(families: &[Family<'_>]) -> String {
    let mut text = String::new();
    for family in families {
        write_family(&mut text, family).expect("a string takes whatever is written to it");
    }
    text
}

fn write_family(text: &mut String, family: &Family<'_>) -> fmt::Result {
    if family.values.is_empty() {
        return Ok(());
    }
    let Family {
        name, help, kind, ..
    } = family;
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Summary => "summary",
    };
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
    for value in &family.values {
        write!(text, "{name}{}", value.suffix)?;
        write_labels(text, &value.labels)?;
        writeln!(text, " {}", Number(value.value))?;
    }
    Ok(())
}

fn write_labels(text: &mut String, labels: &[Label<'_>]) -> fmt::Result {
    let mut before = '{';
    for (name, value) in labels {
        write!(text, "{before}{name}=\"")?;
        for character in value.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
        before = ',';
    }
    if !labels.is_empty() {
        text.push('}');
    }
    Ok(())
}

/// A number as Go's `ParseFloat` reads it.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            number => write!(f, "{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        PerformanceStatus, PhaseStatus, RateLimitStatus, ServerView,
        monitor::{Limits, Monitor, Outcome, Sample},
    };
    use egress_time::ManualTimer;
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    };
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    type Page = BTreeMap<(String, BTreeMap<String, String>), f64>;

    /// Reads a page as strictly as the format is described, and panics where it is not of it.
    fn parse(page: &str) -> Page {
        assert!(
            page.is_empty() || page.ends_with('\n'),
            "the last line ends"
        );
        let mut values = Page::new();
        let mut families = BTreeSet::new();
        let mut family: Option<(String, String)> = None;
        let mut help = None;
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').expect("a help");
                assert!(!text.contains('\\') && !text.is_empty());
                assert!(families.insert(name.to_owned()), "{name} comes once");
                help = Some(name.to_owned());
                family = None;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert_eq!(help.take().as_deref(), Some(name), "help, then type");
                assert!(["counter", "gauge", "summary"].contains(&kind), "{kind}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (name, labels, value) = parse_value(line);
                let (family, kind) = family.as_ref().expect("a family before its values");
                let suffix = name.strip_prefix(family.as_str()).expect("of the family");
                let suffixes: &[&str] = match kind.as_str() {
                    "summary" => &["", "_sum", "_count"],
                    _ => &[""],
                };
                assert!(suffixes.contains(&suffix), "{name} in {family}");
                assert_eq!(
                    kind == "summary" && suffix.is_empty(),
                    labels.contains_key("quantile"),
                    "{line}"
                );
                assert!(kind != "counter" || value >= 0.0, "{line}");
                let twice = values.insert((name, labels), value);
                assert_eq!(twice, None, "{line} comes once");
            }
        }
        values
    }

    fn parse_value(line: &str) -> (String, BTreeMap<String, String>, f64) {
        let end = line.find(['{', ' ']).expect("a name");
        let (name, mut rest) = line.split_at(end);
        assert!(is_name(name), "{name}");
        let mut labels = BTreeMap::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            loop {
                let (label, after) = rest.split_once("=\"").expect("a label");
                assert!(is_name(label) && !label.starts_with("__"), "{label}");
                let mut value = String::new();
                let mut characters = after.char_indices();
                let end = loop {
                    match characters.next().expect("an end of the label") {
                        (end, '"') => break end,
                        (_, '\\') => match characters.next().expect("something escaped").1 {
                            'n' => value.push('\n'),
                            escaped @ ('\\' | '"') => value.push(escaped),
                            other => panic!("{other:?} is not to be escaped"),
                        },
                        (_, other) => value.push(other),
                    }
                };
                assert!(!value.is_empty(), "an empty label is none");
                assert_eq!(
                    labels.insert(label.to_owned(), value),
                    None,
                    "{label} twice"
                );
                rest = &after[end + 1..];
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => break,
                }
            }
            rest = rest.strip_prefix('}').expect("the end of the labels");
        }
        let value = rest.strip_prefix(' ').expect("one space");
        let number = match value {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            "NaN" => f64::NAN,
            value => {
                let plain = |byte: u8| byte.is_ascii_digit() || b"-.".contains(&byte);
                assert!(value.bytes().all(plain), "{value:?}");
                value.parse().expect("a number")
            }
        };
        (name.to_owned(), labels, number)
    }

    fn is_name(name: &str) -> bool {
        let ok = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !name.is_empty() && name.bytes().all(ok) && !name.as_bytes()[0].is_ascii_digit()
    }

    fn get(page: &Page, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let key = (name.to_owned(), labels.collect());
        *page
            .get(&key)
            .unwrap_or_else(|| panic!("no {key:?} in {page:#?}"))
    }

    #[test]
    fn an_idle_page_is_valid() {
        let page = parse(&render(&Status::default(), &Report::default()));
        assert_eq!(get(&page, "tower_egress_warnings_total", &[]), 0.0);
        assert_eq!(get(&page, "tower_egress_connections_active", &[]), 0.0);
        let monitor = Monitor::new(ManualTimer::new());
        let _ = monitor.operation("set up").with_timeout(Duration::MAX);
        let page = parse(&monitor.prometheus());
        let labels = [("operation", "set up"), ("quantile", "0.5")];
        assert!(get(&page, "tower_egress_operation_duration_seconds", &labels).is_nan());
    }

    #[test]
    fn labels_are_escaped_whatever_they_contain() {
        let monitor = Monitor::new(ManualTimer::new());
        let names = [
            "a\"b",
            "a\\b",
            "a\nb",
            "a\\\"\n",
            "größer {x=\"y\"} 1",
            "\\n",
        ];
        for name in names {
            monitor.start(name).succeed();
        }
        let page = parse(&monitor.prometheus());
        for name in names {
            let labels = [("operation", name), ("outcome", "ok")];
            assert_eq!(
                get(&page, "tower_egress_operation_runs_total", &labels),
                1.0
            );
        }
    }

    #[test]
    fn what_a_monitor_says_is_there_in_seconds_and_bytes() {
        let timer = ManualTimer::new();
        let limits = Limits::new().with_memory(1000);
        let monitor = Monitor::new(timer.clone()).with_limits(limits);
        let save = monitor
            .operation("save")
            .with_warn_after(Duration::from_millis(100));
        let _running = save.start();
        save.record(Duration::from_millis(250), Outcome::Ok);
        save.record(Duration::from_millis(250), Outcome::TimedOut);
        timer.advance(Duration::from_secs(2));
        let sample = |cpu| Sample {
            memory_bytes: Some(4096),
            cpu_time: Some(Duration::from_secs(cpu)),
        };
        monitor.check_with(sample(1));
        timer.advance(Duration::from_secs(1));
        monitor.check_with(sample(2));
        let page = parse(&monitor.prometheus());
        let save = ("operation", "save");
        let metric = |name: &str, labels: &[_]| get(&page, &format!("tower_egress_{name}"), labels);
        let p95 = metric("operation_duration_seconds", &[save, ("quantile", "0.95")]);
        assert!((p95 - 0.25).abs() < 0.0025, "{p95}");
        assert_eq!(metric("operation_duration_seconds_sum", &[save]), 0.5);
        assert_eq!(metric("operation_duration_seconds_count", &[save]), 2.0);
        let timed_out = [save, ("outcome", "timed_out")];
        assert_eq!(metric("operation_runs_total", &timed_out), 1.0);
        assert_eq!(metric("operation_running", &[save]), 1.0);
        assert_eq!(metric("operation_longest_running_seconds", &[save]), 3.0);
        assert_eq!(metric("operation_slow_total", &[save]), 2.0);
        assert_eq!(metric("memory_bytes", &[]), 4096.0);
        assert_eq!(metric("cpu_seconds_total", &[]), 1.0);
        assert_eq!(metric("cpu_share", &[]), 1.0);
        assert_eq!(metric("limit_crossed", &[("limit", "memory")]), 1.0);
        assert_eq!(
            metric("limit_crossed", &[("limit", "operation"), save]),
            1.0
        );
        assert_eq!(metric("warnings_total", &[]), 2.0);
        assert_eq!(metric("uptime_seconds", &[]), 3.0);
    }

    #[test]
    fn what_an_egress_says_is_there_and_sums_up() {
        let performance = |ok, attempts| {
            let mut of = PerformanceStatus::default();
            of.outcomes.insert("ok", ok);
            of.attempts = attempts;
            let mut phase = PhaseStatus::default();
            (phase.count, phase.p50_ms) = (ok, 12.5);
            of.lifetime.insert("headers", phase);
            of.last_minute.insert("headers", phase);
            of.lifetime.insert("body", phase);
            of
        };
        let mut status = Status::default();
        status.connections.limit = 6;
        status.connections.mean = 1.5;
        status.bodies.drained = 3;
        let github = RateLimitStatus {
            available_tokens: 7,
            next_slot_ms: Some(1500.0),
            departed: u64::from(u32::MAX) + 1,
            server: Some(ServerView {
                remaining: Some(4999),
                ..ServerView::default()
            }),
            ..RateLimitStatus::default()
        };
        status.rate_limits.insert("git\"hub".into(), github);
        status
            .performance
            .insert("github".into(), performance(5, 6));
        status.performance.insert("all".into(), performance(7, 9));
        let page = parse(&render(&status, &Report::default()));
        let metric = |name: &str, labels: &[_]| get(&page, &format!("tower_egress_{name}"), labels);
        let api = ("api", "git\"hub");
        assert_eq!(metric("connections_limit", &[]), 6.0);
        assert_eq!(metric("connections_mean", &[]), 1.5);
        assert_eq!(metric("bodies_total", &[("end", "drained")]), 3.0);
        assert_eq!(metric("rate_limit_available_tokens", &[api]), 7.0);
        assert_eq!(metric("rate_limit_next_slot_seconds", &[api]), 1.5);
        assert_eq!(metric("rate_limit_paused_seconds", &[api]), 0.0);
        assert_eq!(metric("rate_limit_server_remaining", &[api]), 4999.0);
        let departed = [api, ("outcome", "departed")];
        assert_eq!(
            metric("rate_limit_requests_total", &departed),
            4_294_967_296.0
        );
        let ok = |api| [("api", api), ("outcome", "ok")];
        assert_eq!(metric("requests_total", &ok("github")), 5.0);
        assert_eq!(metric("requests_total", &ok("none")), 2.0);
        assert_eq!(metric("attempts_total", &[("api", "none")]), 3.0);
        let sum: f64 = page
            .iter()
            .filter(|((name, _), _)| name == "tower_egress_requests_total")
            .map(|(_, value)| value)
            .sum();
        assert_eq!(sum, 7.0, "those of all APIs, once");
        let phase = |phase| [("api", "all"), ("phase", phase), ("quantile", "0.5")];
        assert_eq!(metric("request_phase_seconds", &phase("headers")), 0.0125);
        assert!(metric("request_phase_seconds", &phase("body")).is_nan());
        let headers = [("api", "all"), ("phase", "headers")];
        assert_eq!(metric("request_phase_seconds_count", &headers), 7.0);
    }

    /// Those of no API stand beside them, under a name that none of them may have taken.
    #[test]
    fn no_series_comes_twice_whatever_apis_are_called() {
        let mut of = PerformanceStatus::default();
        of.outcomes.insert("ok", 5);
        of.attempts = 5;
        let mut all = of.clone();
        all.outcomes.insert("ok", 7);
        all.attempts = 9;
        let mut status = Status::default();
        status.performance.insert("none".into(), of);
        status.performance.insert("all".into(), all);
        let page = parse(&render(&status, &Report::default()));
        let sum = |name: &str| -> f64 {
            let of = page.iter().filter(|((found, _), _)| found == name);
            of.map(|(_, value)| value).sum()
        };
        assert_eq!(sum("tower_egress_requests_total"), 7.0);
        assert_eq!(sum("tower_egress_attempts_total"), 9.0);
    }

    #[test]
    fn what_flags_say_is_there_and_its_counters_never_fall() {
        let flags = crate::flags::Flags::builder()
            .flag(
                "a\"b",
                crate::flags::Rule::share(25.0).unwrap().on_for("me"),
            )
            .flag("c", true)
            .build();
        let flag = flags.get("a\"b").unwrap();
        let page = || {
            let mut status = Status::default();
            status.connections.unlimited = 4;
            status.flags = flags.status();
            parse(&render(&status, &Report::default()))
        };
        for n in 0..300 {
            flag.record(true, n % 3 > 0, Duration::from_millis(20));
        }
        let before = page();
        let metric = |page: &Page, name: &str, labels: &[_]| {
            get(page, &format!("tower_egress_{name}"), labels)
        };
        let of = ("flag", "a\"b");
        let (on, off) = (("group", "on"), ("group", "off"));
        assert_eq!(metric(&before, "connections_unlimited", &[]), 4.0);
        assert_eq!(metric(&before, "flag_percent", &[of]), 25.0);
        assert_eq!(metric(&before, "flag_percent", &[("flag", "c")]), 100.0);
        assert_eq!(metric(&before, "flag_named_keys", &[of, on]), 1.0);
        let count = |page: &_, group, outcome| {
            metric(
                page,
                "flag_recorded_total",
                &[of, group, ("outcome", outcome)],
            )
        };
        assert_eq!(count(&before, on, "ok"), 200.0);
        assert_eq!(count(&before, on, "failed"), 100.0);
        assert_eq!(count(&before, off, "ok"), 0.0);
        let p95 = metric(&before, "flag_p95_seconds", &[of, on]);
        assert!((p95 - 0.02).abs() < 0.0002, "{p95}");
        assert!(metric(&before, "flag_p95_seconds", &[of, off]).is_nan());
        assert_eq!(metric(&before, "flag_worse", &[of]), 0.0);
        assert_eq!(metric(&before, "flags_refused", &[]), 0.0);
        // Another rule compares anew, and a wrong one changes nothing.
        flags.apply_json(r#"{"a\"b": 50}"#).unwrap();
        flags.apply_json("{").unwrap_err();
        let after = page();
        assert_eq!(count(&after, on, "failed"), 100.0);
        assert_eq!(metric(&after, "flags_refused", &[]), 1.0);
        assert!(metric(&after, "flag_p95_seconds", &[of, on]).is_nan());
        for ((name, labels), value) in before {
            if name.ends_with("_total") {
                assert!(after[&(name, labels)] >= value);
            }
        }
    }

    #[test]
    fn figures_of_the_program_are_there_if_they_are_numbers() {
        let status = Status::default()
            .with_business("repositories", 1200)
            .with_business("cache \"hits\"", 0.25)
            .with_business("largest", u64::MAX)
            .with_business("version", "1.2")
            .with_business("isReady", true)
            .with_business("unknown", serde_json::Value::Null)
            .with_business("list", vec![1, 2]);
        let page = parse(&render(&status, &Report::default()));
        let figure = |name| get(&page, "tower_egress_business", &[("figure", name)]);
        assert_eq!(figure("repositories"), 1200.0);
        assert_eq!(figure("cache \"hits\""), 0.25);
        assert_eq!(figure("largest"), 18_446_744_073_709_551_615.0);
        let all = page
            .keys()
            .filter(|(name, _)| name == "tower_egress_business");
        assert_eq!(all.count(), 3, "and nothing else");
    }

    #[test]
    fn numbers_are_written_as_go_reads_them() {
        let written = [
            1.0,
            0.1,
            1e-9,
            1e21,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        let written = written.map(|number| Number(number).to_string());
        let expected = [
            "1",
            "0.1",
            "0.000000001",
            "1000000000000000000000",
            "NaN",
            "+Inf",
            "-Inf",
        ];
        assert_eq!(written, expected);
    }
}
