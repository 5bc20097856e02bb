//! The whole module through its handle, on virtual time.

use super::*;
use egress_time::{Clock, Instant, ManualTimer, SleepUntil};
use std::{cell::Cell, convert::Infallible, future, io, rc::Rc, time::Duration};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn monitor() -> (ManualTimer, Monitor<ManualTimer>) {
    let timer = ManualTimer::new();
    (timer.clone(), Monitor::new(timer))
}

fn of(monitor: &Monitor<ManualTimer>, name: &str) -> OperationReport {
    let mut report = monitor.report();
    report.operations.remove(name).unwrap_or_default()
}

fn memory(bytes: u64) -> Sample {
    Sample {
        memory_bytes: Some(bytes),
        cpu_time: None,
    }
}

#[test]
fn the_defaults_are_the_documented_ones() {
    assert_eq!(DEFAULT_MAX_OPERATIONS, 64);
    assert_eq!(DEFAULT_FORGET_AFTER, 3600 * SECOND);
    let (_, monitor) = monitor();
    assert_eq!(monitor.limits(), Limits::new());
    for number in 0..100 {
        monitor.start(&number.to_string()).succeed();
    }
    let report = monitor.report();
    assert_eq!(report.operations.len(), 64 + 1);
    assert_eq!(report.operations[OTHER].lifetime.count(), 100 - 64);
}

#[test]
fn each_run_is_counted_once_with_its_outcome() {
    let (timer, monitor) = monitor();
    monitor.start("a").succeed();
    monitor.start("a").fail();
    monitor.start("a").end(Outcome::TimedOut);
    monitor.start("a").finish(&Ok::<_, io::Error>(()));
    monitor
        .start("a")
        .finish(&Err::<(), _>(io::Error::other("x")));
    let running = monitor.start("a");
    assert_eq!(of(&monitor, "a").running, 1);
    timer.advance(5 * MILLI);
    drop(running);
    let a = of(&monitor, "a");
    let outcomes = Outcome::ALL
        .iter()
        .map(|outcome| a.lifetime.outcome(*outcome));
    assert_eq!(outcomes.collect::<Vec<_>>(), [2, 2, 1, 1]);
    assert_eq!(a.running, 0);
    assert_eq!(a.last.unwrap().outcome, Outcome::Cancelled);
    assert_eq!(a.slowest.unwrap().duration_ms, 5.0);
    assert_eq!(a.last_minute, a.lifetime);
    timer.advance(61 * SECOND);
    let a = of(&monitor, "a");
    assert_eq!((a.last_minute.count(), a.lifetime.count()), (0, 6));
}

#[test]
fn a_future_is_a_run_from_its_first_poll_to_its_answer() {
    let (timer, monitor) = monitor();
    let answer = monitor.run("a", async {
        SleepUntil::new(timer.clone(), timer.now() + SECOND).await;
        Ok::<_, Infallible>(7)
    });
    timer.advance(SECOND);
    assert_eq!(of(&monitor, "a").running, 0, "it has not been polled");
    assert_eq!(timer.run(answer), Ok(Ok(7)));
    let a = of(&monitor, "a");
    assert_eq!(a.lifetime.outcome(Outcome::Ok), 1);
    assert_eq!(a.lifetime.total(), SECOND);
    let failed = timer.run(monitor.run("a", async { Err::<(), _>("no") }));
    assert_eq!(failed, Ok(Err("no")));
    assert_eq!(of(&monitor, "a").lifetime.outcome(Outcome::Failed), 1);
    // An error is a value like others to `time`.
    let timed = timer.run(monitor.time("b", async { Err::<(), _>("no") }));
    assert_eq!(timed, Ok(Err("no")));
    assert_eq!(of(&monitor, "b").lifetime.errors(), 0);
    drop(monitor.run("c", future::pending::<Result<(), ()>>()));
    assert_eq!(of(&monitor, "c").lifetime.count(), 0, "it never began");
    assert_eq!(
        timer.requested().len(),
        1,
        "there is no timer without a timeout"
    );
}

#[test]
fn a_dropped_future_counts_as_cancelled_and_leaves_no_timer() {
    let (timer, monitor) = monitor();
    let slow = monitor.operation("slow").with_timeout(SECOND);
    let mut run = tokio_test::task::spawn(slow.time(future::pending::<()>()));
    assert!(run.poll().is_pending());
    assert_eq!((of(&monitor, "slow").running, timer.sleepers()), (1, 1));
    drop(run);
    let report = of(&monitor, "slow");
    assert_eq!(report.lifetime.outcome(Outcome::Cancelled), 1);
    assert_eq!((report.running, timer.sleepers()), (0, 0));
}

#[test]
fn a_timeout_ends_the_future_and_drops_it_before_anybody_hears() {
    let (timer, monitor) = monitor();
    let slow = monitor.operation("slow").with_timeout(3 * SECOND);
    let held = Rc::new(Cell::new(true));
    struct Holds(Rc<Cell<bool>>);
    impl Drop for Holds {
        fn drop(&mut self) {
            self.0.set(false);
        }
    }
    let holds = Holds(Rc::clone(&held));
    let mut run = tokio_test::task::spawn(slow.run(async move {
        let _holds = holds;
        future::pending::<Result<(), io::Error>>().await
    }));
    assert!(run.poll().is_pending());
    timer.advance(3 * SECOND - MILLI);
    assert!(run.poll().is_pending());
    timer.advance(2 * MILLI);
    assert!(run.is_woken());
    let std::task::Poll::Ready(Err(error)) = run.poll() else {
        panic!("its time is over");
    };
    assert!(!held.get(), "what it held is free");
    assert_eq!(error.operation, "slow");
    assert_eq!(error.timeout, 3 * SECOND);
    assert_eq!(error.after, 3 * SECOND + MILLI);
    let report = of(&monitor, "slow");
    assert_eq!(report.lifetime.outcome(Outcome::TimedOut), 1);
    assert_eq!(report.lifetime.count(), 1);
    drop(run);
    assert_eq!(of(&monitor, "slow").lifetime.count(), 1, "once");
}

#[test]
fn an_answer_that_is_there_counts_however_late() {
    let (timer, monitor) = monitor();
    let slow = monitor.operation("slow").with_timeout(SECOND);
    let sleep = SleepUntil::new(timer.clone(), timer.now() + 2 * SECOND);
    let mut run = tokio_test::task::spawn(slow.time(sleep));
    assert!(run.poll().is_pending());
    timer.advance(5 * SECOND);
    assert_eq!(run.poll(), std::task::Poll::Ready(Ok(())));
    assert_eq!(of(&monitor, "slow").lifetime.outcome(Outcome::Ok), 1);
}

#[test]
#[cfg(not(target_arch = "wasm32"))] // there, a panic ends the program
fn a_panic_counts_as_a_failure() {
    let (_, monitor) = monitor();
    let inner = monitor.clone();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _running = inner.start("a");
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!(of(&monitor, "a").lifetime.outcome(Outcome::Failed), 1);
}

#[test]
fn checkpoints_are_bounded_and_kept_of_the_last_and_of_the_slowest_run() {
    let (timer, monitor) = monitor();
    let mut slowest = monitor.start("a");
    for _ in 0..MAX_CHECKPOINTS + 5 {
        timer.advance(MILLI);
        slowest.checkpoint("é".repeat(MAX_NAME));
    }
    slowest.succeed();
    let mut last = monitor.start("a");
    timer.advance(2 * MILLI);
    last.checkpoint("only");
    drop(last);
    let a = of(&monitor, "a");
    let (slowest, last) = (a.slowest.unwrap(), a.last.unwrap());
    assert_eq!(slowest.checkpoints.len(), MAX_CHECKPOINTS);
    assert_eq!(slowest.dropped_checkpoints, 5);
    assert_eq!(slowest.checkpoints[3].name.len(), MAX_NAME);
    assert_eq!(slowest.checkpoints[3].since_start_ms, 4.0);
    assert_eq!(slowest.checkpoints[3].since_last_ms, 1.0);
    assert_eq!(last.outcome, Outcome::Cancelled);
    assert_eq!(last.checkpoints.len(), 1, "how far it came");
    assert_eq!(last.checkpoints[0].since_start_ms, 2.0);
}

#[test]
fn names_from_outside_do_not_grow_memory() {
    let (_, monitor) = monitor();
    let monitor = monitor.with_max_operations(3);
    for number in 0..10_000 {
        monitor.start(&format!("made up {number}")).succeed();
    }
    // What the program sets up has room all the same.
    let declared = monitor.operation("save").with_warn_after(SECOND);
    assert_eq!(declared.name(), "save");
    monitor.start("save").succeed();
    let report = monitor.report();
    assert_eq!(report.operations.len(), 3 + 1 + 1);
    assert_eq!(report.operations[OTHER].lifetime.count(), 10_000 - 3);
    assert_eq!(report.operations["save"].lifetime.count(), 1);
    assert_eq!(report.overall().count(), 10_001);
}

#[test]
fn a_run_that_is_not_heard_of_is_lost_and_counts_if_it_ends_all_the_same() {
    let (timer, monitor) = monitor();
    let monitor = monitor.with_forget_after(60 * SECOND);
    let late = monitor.start("a");
    // As in a Worker whose invocation was ended from outside.
    Box::leak(Box::new(monitor.start("a")));
    timer.advance(59 * SECOND);
    let report = of(&monitor, "a");
    assert_eq!((report.running, report.lost), (2, 0));
    assert_eq!(report.longest_running_ms, Some(59e3));
    timer.advance(SECOND);
    let young = monitor.start("a");
    let report = of(&monitor, "a");
    assert_eq!((report.running, report.lost), (1, 2));
    assert_eq!(report.longest_running_ms, Some(0.0));
    late.succeed();
    let report = of(&monitor, "a");
    assert_eq!((report.running, report.lost), (1, 1));
    assert_eq!(report.lifetime.total(), 60 * SECOND);
    young.succeed();
}

#[test]
fn runs_that_are_never_over_are_bounded() {
    let (_, monitor) = monitor();
    let runs: Vec<_> = (0..17_000).map(|_| monitor.start("a")).collect();
    let report = of(&monitor, "a");
    assert_eq!(report.running, 16_384);
    assert_eq!(report.lost, 17_000 - 16_384);
    drop(runs);
    let report = of(&monitor, "a");
    assert_eq!((report.running, report.lost), (0, 0));
    assert_eq!(report.lifetime.count(), 17_000);
}

#[test]
fn a_slow_operation_is_warned_of_once_until_it_is_fast_again() {
    let (timer, monitor) = monitor();
    let save = monitor.operation("save").with_warn_after(100 * MILLI);
    let warned = |millis| {
        let before = monitor.report().warnings;
        save.record(millis * MILLI, Outcome::Ok);
        monitor.report().warnings - before
    };
    let warnings = [100, 101, 300, 95, 200, 90, 200].map(warned);
    assert_eq!(warnings, [0, 1, 0, 0, 0, 0, 1]);
    assert_eq!(of(&monitor, "save").slow, 4);
    let taken = monitor.take_warnings();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].crossing.limit, LimitKind::Operation);
    assert_eq!(taken[0].crossing.operation.as_deref(), Some("save"));
    assert_eq!(
        (taken[0].crossing.value, taken[0].crossing.threshold),
        (101.0, 100.0)
    );
    let unix_ms = u64::try_from(timer.unix_time().as_millis()).unwrap();
    assert_eq!(taken[0].unix_ms, unix_ms);
    assert_eq!(monitor.take_warnings(), []);
    assert_eq!(
        monitor.report().warnings,
        2,
        "taking them does not undo them"
    );
}

#[test]
fn a_run_that_does_not_end_is_warned_of_once_whatever_ends_meanwhile() {
    let (timer, monitor) = monitor();
    let _ = monitor.operation("save").with_warn_after(5 * SECOND);
    let stuck = monitor.start("save");
    timer.advance(6 * SECOND);
    for _ in 0..3 {
        assert_eq!(monitor.check_with(Sample::default()).len(), 1);
        let quick = monitor.start("save");
        timer.advance(SECOND);
        quick.succeed();
    }
    stuck.succeed();
    assert_eq!(monitor.report().warnings, 1);
}

#[test]
fn a_run_that_does_not_end_is_warned_of_by_check() {
    let (timer, monitor) = monitor();
    let monitor = monitor.with_limits(Limits::new().with_duration(60 * SECOND));
    let _ = monitor.operation("save").with_warn_after(SECOND);
    let save = monitor.start("save");
    let _scan = monitor.start("scan");
    timer.advance(SECOND);
    assert_eq!(monitor.check_with(Sample::default()), []);
    timer.advance(MILLI);
    for _ in 0..3 {
        let crossed = monitor.check_with(Sample::default());
        assert_eq!(crossed.len(), 1);
        assert_eq!(crossed[0].limit, LimitKind::Operation);
        assert_eq!(crossed[0].operation.as_deref(), Some("save"));
    }
    assert_eq!(monitor.report().warnings, 1);
    assert_eq!(monitor.report().crossed.len(), 1);
    save.succeed();
    assert_eq!(monitor.report().warnings, 1, "it was said while it ran");
    timer.advance(60 * SECOND);
    let crossed = monitor.check_with(Sample::default());
    assert_eq!(crossed.len(), 1);
    assert_eq!(
        crossed[0].to_string(),
        "\"scan\" takes 61 s, the limit is 60 s"
    );
    assert_eq!(monitor.report().warnings, 2);
}

#[test]
fn limits_are_warned_of_once_for_each_crossing() {
    let (_, monitor) = monitor();
    let monitor = monitor.with_limits(Limits::new().with_memory(1000).with_hysteresis(0.2));
    let crossed = [999, 1001, 2000, 900, 1001, 800, 1001].map(|bytes| {
        let crossed = !monitor.check_with(memory(bytes)).is_empty();
        (crossed, monitor.report().warnings)
    });
    assert_eq!(
        crossed,
        [
            (false, 0),
            (true, 1),
            (true, 1),
            (false, 1),
            (true, 1),
            (false, 1),
            (true, 2)
        ]
    );
    assert_eq!(monitor.report().warnings, 2, "a report warns of nothing");
    monitor.set_limits(Limits::new());
    assert_eq!(monitor.report().crossed, []);
}

#[test]
fn warnings_that_nobody_takes_are_bounded_and_the_newest_are_kept() {
    let (_, monitor) = monitor();
    let monitor = monitor.with_limits(Limits::new().with_memory(1));
    for number in 2..102 {
        monitor.check_with(memory(number));
        monitor.check_with(memory(0));
    }
    let report = monitor.report();
    assert_eq!(report.warnings, 100);
    assert_eq!(report.recent_warnings.len(), MAX_WARNINGS);
    assert_eq!(report.recent_warnings[0].crossing.value, 38.0);
    assert_eq!(
        report.recent_warnings[MAX_WARNINGS - 1].crossing.value,
        101.0
    );
    assert_eq!(monitor.take_warnings(), report.recent_warnings);
    assert_eq!(monitor.report().recent_warnings, []);
}

#[test]
fn a_check_samples_this_process() {
    let (_, monitor) = monitor();
    monitor.check();
    monitor.sample();
    let report = monitor.report();
    #[cfg(any(target_os = "linux", target_arch = "wasm32"))]
    assert!(report.memory.bytes >= Some(65_536) && report.memory.samples == 2);
    assert_eq!(report.cpu.time_ms.is_some(), cfg!(target_os = "linux"));
}

#[test]
fn an_idle_report_is_valid_and_full_of_zeros() {
    let (_, monitor) = monitor();
    let json = serde_json::to_value(monitor.report()).unwrap();
    let expected = serde_json::json!({
        "uptimeMs": 0.0,
        "operations": {},
        "memory": { "bytes": null, "peakBytes": null, "meanBytes": null, "limitBytes": null, "samples": 0 },
        "cpu": { "timeMs": null, "share": null, "peakShare": null, "limitTimeMs": null, "limitShare": null },
        "crossed": [],
        "warnings": 0,
        "recentWarnings": [],
    });
    assert_eq!(json, expected);
}

#[test]
fn a_report_has_everything_with_its_name() {
    let (timer, monitor) = monitor();
    let monitor = monitor.with_limits(Limits::new().with_memory(1));
    let save = monitor
        .operation("save")
        .with_timeout(9 * SECOND)
        .with_warn_after(SECOND);
    let mut run = save.start();
    timer.advance(2 * SECOND);
    run.checkpoint("parsed");
    run.fail();
    monitor.check_with(memory(5));
    let json = serde_json::to_value(monitor.report()).unwrap();
    assert_eq!(json["uptimeMs"], 2000.0);
    let save = &json["operations"]["save"];
    assert_eq!(save["timeoutMs"], 9000.0);
    assert_eq!(save["warnAfterMs"], 1000.0);
    assert_eq!(save["slow"], 1);
    assert_eq!(save["lifetime"]["errors"], 1);
    let run = serde_json::json!({
        "outcome": "failed",
        "durationMs": 2000.0,
        "checkpoints": [{ "name": "parsed", "sinceStartMs": 2000.0, "sinceLastMs": 2000.0 }],
        "droppedCheckpoints": 0,
    });
    assert_eq!(save["slowest"], run);
    assert_eq!(json["crossed"][0]["limit"], "memory");
    let warning = &json["recentWarnings"][1];
    assert_eq!(
        (&warning["limit"], &warning["value"]),
        (&"memory".into(), &5.0.into())
    );
}

/// At global scope of a Worker the clock says zero; it jumps to the present with the first request.
#[test]
fn uptime_counts_from_the_first_use() {
    let timer = ManualTimer::new();
    timer.set(Instant::ORIGIN);
    let monitor = Monitor::new(timer.clone());
    timer.set(Instant::ORIGIN + 1_000_000 * SECOND);
    monitor.start("a").succeed();
    timer.advance(SECOND);
    assert_eq!(monitor.report().uptime_ms, 1000.0);
}

#[test]
fn a_clock_that_steps_back_makes_no_run_negative() {
    let (timer, monitor) = monitor();
    let run = monitor.start("a");
    timer.set(timer.now() - 10 * SECOND);
    assert_eq!(run.elapsed(), Duration::ZERO);
    run.succeed();
    let a = of(&monitor, "a");
    assert_eq!(
        (a.lifetime.count(), a.lifetime.total()),
        (1, Duration::ZERO)
    );
}

#[test]
fn a_monitor_goes_wherever_its_clock_goes() {
    const fn shared<X: Send + Sync + 'static>() {}
    shared::<Monitor<ManualTimer>>();
    shared::<Operation<ManualTimer>>();
    shared::<Running<ManualTimer>>();
    static IN_A_STATIC: std::sync::LazyLock<Monitor<ManualTimer>> =
        std::sync::LazyLock::new(|| Monitor::new(ManualTimer::new()));
    IN_A_STATIC.start("a").succeed();

    const fn send<X: Send>(_: &X) {}
    let (timer, monitor) = monitor();
    send(&monitor.time("a", async {}));
    // And a future that is not `Send` runs as well.
    let local = Rc::new(3);
    let three = monitor.time("a", async move {
        future::ready(()).await;
        *local
    });
    assert_eq!(timer.run(three), Ok(3));
}

/// The panic is caught before the run is dropped, as `catch_unwind` of futures and a service's `CatchPanic` do.
#[test]
#[cfg(not(target_arch = "wasm32"))] // there, a panic ends the program
fn a_future_that_panics_has_failed_whoever_catches_it() {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        task::{Context, Waker},
    };
    let (timer, monitor) = monitor();
    let _ = monitor.operation("a").with_timeout(SECOND);
    let mut run = Box::pin(monitor.time("a", async { panic!("on purpose") }));
    let mut poll = || {
        let mut cx = Context::from_waker(Waker::noop());
        catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(&mut cx).is_ready()))
    };
    assert!(poll().is_err());
    assert!(poll().is_err(), "it has nothing to answer");
    drop(run);
    let a = of(&monitor, "a");
    assert_eq!(a.lifetime.outcome(Outcome::Failed), 1);
    assert_eq!((a.lifetime.count(), a.running), (1, 0));
    assert_eq!(timer.sleepers(), 0);
}

/// Who is over in order while something else unwinds has done what it was to do.
#[test]
#[cfg(not(target_arch = "wasm32"))]
fn a_run_that_begins_and_is_given_up_while_a_panic_unwinds_has_not_panicked() {
    struct TidiesUp(Monitor<ManualTimer>);
    impl Drop for TidiesUp {
        fn drop(&mut self) {
            drop(self.0.start("tidy up"));
        }
    }
    let (_, monitor) = monitor();
    let tidies_up = std::panic::AssertUnwindSafe(TidiesUp(monitor.clone()));
    let unwound = std::panic::catch_unwind(move || {
        let _tidies_up = tidies_up;
        panic!("on purpose");
    });
    assert!(unwound.is_err());
    let tidied = of(&monitor, "tidy up").lifetime;
    assert_eq!(tidied.outcome(Outcome::Cancelled), 1);
}

/// However often it was polled, it counts once, and neither a timer nor a run is left.
#[test]
fn a_run_that_is_dropped_after_any_number_of_polls_counts_once() {
    for polls in 0..8_u64 {
        let (timer, monitor) = monitor();
        let _ = monitor.operation("a").with_timeout(10 * SECOND);
        let steps = async {
            for second in 1..5 {
                SleepUntil::new(timer.clone(), Instant::ORIGIN + second * SECOND).await;
            }
        };
        timer.set(Instant::ORIGIN);
        let mut run = tokio_test::task::spawn(monitor.time("a", steps));
        let mut is_over = false;
        for _ in 0..polls {
            if !is_over {
                is_over = run.poll().is_ready();
                timer.advance(SECOND);
            }
        }
        drop(run);
        let a = of(&monitor, "a");
        let expected = match polls {
            0 => (0, 0),
            1..5 => (0, 1),
            _ => (1, 0),
        };
        let [ok, cancelled] =
            [Outcome::Ok, Outcome::Cancelled].map(|outcome| a.lifetime.outcome(outcome));
        assert_eq!((ok, cancelled), expected, "after {polls}");
        assert_eq!((a.running, timer.sleepers()), (0, 0), "after {polls}");
    }
}

#[test]
fn a_limit_that_was_taken_away_is_crossed_anew_when_it_is_set_again() {
    let (_, monitor) = monitor();
    let limits = Limits::new().with_memory(1000);
    monitor.set_limits(limits);
    monitor.check_with(memory(2000));
    monitor.set_limits(Limits::new());
    monitor.check_with(memory(10));
    monitor.set_limits(limits);
    monitor.check_with(memory(2000));
    assert_eq!(monitor.report().warnings, 2);
}

/// What began before the clock was set back must not hide those that began after it.
#[test]
fn runs_are_forgotten_after_the_clock_was_set_back() {
    let (timer, monitor) = monitor();
    let monitor = monitor.with_forget_after(60 * SECOND);
    timer.set(Instant::ORIGIN + 100_000 * SECOND);
    let before = [monitor.start("a"), monitor.start("a")];
    timer.set(Instant::ORIGIN + 1000 * SECOND);
    let after = monitor.start("a");
    timer.advance(30 * SECOND);
    let report = of(&monitor, "a");
    assert_eq!((report.running, report.lost), (3, 0));
    assert_eq!(report.longest_running_ms, Some(30e3), "as far as one knows");
    timer.advance(30 * SECOND);
    let report = of(&monitor, "a");
    assert_eq!((report.running, report.lost), (0, 3));
    drop((before, after));
    let report = of(&monitor, "a");
    assert_eq!((report.running, report.lost), (0, 0));
}

#[test]
fn cpu_time_that_falls_is_not_taken_back() {
    let (timer, monitor) = monitor();
    let spent = [5, 9, 3, 4, 12].map(|seconds| {
        timer.advance(SECOND);
        monitor.check_with(Sample {
            cpu_time: Some(seconds * SECOND),
            ..Sample::default()
        });
        let cpu = monitor.report().cpu;
        assert!(cpu.share.unwrap_or_default() >= 0.0);
        cpu.time_ms.unwrap_or_default()
    });
    assert_eq!(spent, [0.0, 4e3, 4e3, 4e3, 7e3]);
}

/// Figures are rounded to microseconds where they are written, not where they are compared.
#[test]
fn what_is_slow_is_warned_of_by_however_little() {
    let (_, monitor) = monitor();
    let save = monitor.operation("save").with_warn_after(100 * MILLI);
    save.record(100 * MILLI + Duration::from_nanos(400), Outcome::Ok);
    assert_eq!(of(&monitor, "save").slow, 1);
    assert_eq!(monitor.report().warnings, 1);
    let zero = monitor.operation("zero").with_warn_after(Duration::ZERO);
    zero.record(Duration::from_nanos(1), Outcome::Ok);
    assert_eq!(of(&monitor, "zero").slow, 1);
    assert_eq!(monitor.report().warnings, 2);
}

/// Of the 1025th, nothing is known apart, and what it should take must not end what others do.
#[test]
fn what_has_no_room_sets_nothing_up_for_others() {
    let (timer, monitor) = monitor();
    let monitor = monitor.with_max_operations(0);
    for number in 0..1024 {
        assert_eq!(
            monitor.operation(&number.to_string()).name(),
            number.to_string()
        );
    }
    let beyond = monitor
        .operation("one too many")
        .with_timeout(MILLI)
        .with_warn_after(MILLI);
    assert_eq!(beyond.name(), OTHER);
    let run = monitor.start("from outside");
    assert_eq!(run.deadline(), None);
    timer.advance(SECOND);
    run.succeed();
    assert_eq!(monitor.report().warnings, 0);
    // Unless it is they who are meant.
    let others = monitor.operation(OTHER).with_timeout(SECOND);
    assert!(others.start().deadline().is_some());
}
