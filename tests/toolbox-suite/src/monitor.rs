//! The monitor.

use crate::same;
use futures_util::future::{join, pending, ready, select};
use std::{pin::pin, time::Duration};
use tower_egress::{
    SleepUntil, Timer,
    monitor::{LimitKind, Limits, Monitor, OperationReport, Outcome},
};

const MILLI: Duration = Duration::from_millis(1);

fn of<T: Timer>(monitor: &Monitor<T>, name: &str) -> OperationReport {
    let mut operations = monitor.report().operations;
    operations.remove(name).unwrap_or_default()
}

async fn sleep<T: Timer>(timer: &T, time: Duration) {
    SleepUntil::new(timer.clone(), timer.now() + time).await;
}

pub(crate) async fn a_run_takes_as_long_as_it_waits<T: Timer>(timer: T) -> Result<(), String> {
    let monitor = Monitor::new(timer.clone());
    let short = monitor.run("wait", async {
        sleep(&timer, 5 * MILLI).await;
        Ok::<_, String>(1)
    });
    let long = monitor.run("wait", async {
        sleep(&timer, 20 * MILLI).await;
        Err::<u32, _>("no")
    });
    let (short, long) = join(short, long).await;
    same("answers", (short, long), (Ok(Ok(1)), Ok(Err("no"))))?;
    let wait = of(&monitor, "wait");
    same(
        "errors",
        (wait.lifetime.count(), wait.lifetime.errors()),
        (2, 1),
    )?;
    same("running", wait.running, 0)?;
    let total = wait.lifetime.total();
    let waited = (25 * MILLI..1000 * MILLI).contains(&total);
    waited.then_some(()).ok_or(format!("it waited {total:?}"))
}

pub(crate) async fn what_takes_too_long_is_ended<T: Timer>(timer: T) -> Result<(), String> {
    let monitor = Monitor::new(timer.clone());
    let stuck = monitor.operation("stuck").with_timeout(5 * MILLI);
    let error = stuck.time(pending::<()>()).await.err();
    let error = error.ok_or("it has answered")?;
    same("which", error.operation.as_str(), "stuck")?;
    same("in time", error.after >= error.timeout, true)?;
    let ended = of(&monitor, "stuck").lifetime.outcome(Outcome::TimedOut);
    same("timed out", ended, 1)
}

pub(crate) async fn a_run_that_is_dropped_is_cancelled<T: Timer>(timer: T) -> Result<(), String> {
    let monitor = Monitor::new(timer.clone());
    {
        let never = pin!(monitor.time("left", pending::<()>()));
        select(never, pin!(sleep(&timer, MILLI))).await;
        drop(monitor.time("left", ready(())));
    }
    let left = of(&monitor, "left");
    let cancelled = left.lifetime.outcome(Outcome::Cancelled);
    same("cancelled", (cancelled, left.lifetime.count()), (1, 1))?;
    same("running", left.running, 0)
}

pub(crate) async fn memory_is_sampled_and_its_limit_told_once<T: Timer>(
    timer: T,
) -> Result<(), String> {
    if !cfg!(any(target_os = "linux", target_arch = "wasm32")) {
        return Ok(());
    }
    let monitor = Monitor::new(timer).with_limits(Limits::new().with_memory(1));
    for _ in 0..3 {
        let crossed = monitor.check();
        same("crossed", crossed.len(), 1)?;
        same("what", crossed[0].limit, LimitKind::Memory)?;
    }
    same("warnings", monitor.take_warnings().len(), 1)?;
    let report = monitor.report();
    same("samples", report.memory.samples, 3)?;
    let bytes = report.memory.bytes.unwrap_or_default();
    (bytes >= 65_536)
        .then_some(())
        .ok_or(format!("{bytes} bytes"))
}

pub(crate) async fn a_report_is_written_in_each_way<T: Timer>(timer: T) -> Result<(), String> {
    let monitor = Monitor::new(timer);
    same("of nothing", monitor.summary().lines().count(), 2)?;
    let mut run = monitor.start("say \"hello\"\n");
    run.checkpoint("hello");
    run.succeed();
    same("a line each", monitor.summary().lines().count(), 3)?;
    let page = monitor.prometheus();
    let line =
        "tower_egress_operation_runs_total{operation=\"say \\\"hello\\\"\\n\",outcome=\"ok\"} 1";
    same("escaped", page.lines().any(|found| found == line), true)
}
