//! A scan from the command line.

use crate::{
    asked::Asked,
    failure::Failure,
    flags,
    interrupt::{self, Told},
    list::List,
    memory, output,
    program::{self, Program, unwritable},
    report::{DatabaseReport, Report},
    target::Target,
};
use indicatif::{ProgressBar, ProgressStyle};
use repo_scanner_core::{
    BeginError, Begun, Ended, JobError, Outcome, ReposError, ScanStatus, Slice, StoreError, Summary,
};
use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};
use tower_egress::{Clock, TokioTimer};

/// How to scan.
#[derive(Debug)]
pub(crate) struct ScanCommand {
    pub(crate) asked: Asked,
    pub(crate) repos: Option<PathBuf>,
    pub(crate) db: PathBuf,
    pub(crate) json: bool,
}

/// Scans and prints what came of it.
pub(crate) async fn run(options: ScanCommand) -> Result<(), Failure> {
    // Everything that can be wrong with what was asked for is found before anything is fetched.
    let list = List::open(options.repos.as_deref())?;
    let flags = flags::new(&Default::default())?;
    let target = Target::of(&options.asked).await?;
    target.reach().await?;
    let program = Program::new(&options.asked, &target, &options.db, flags).await?;
    interrupt::heeded(async |told| {
        let result = scan(&options, &target, &program, list, &told).await;
        program.close().await;
        target.leave().await;
        result
    })
    .await
}

/// Scans a list with what was put together.
pub(crate) async fn scan(
    options: &ScanCommand,
    target: &Target,
    program: &Program,
    list: List,
    told: &Told,
) -> Result<(), Failure> {
    let db = &options.db;
    let held = program.lock.take().map_err(|error| unwritable(db, error))?;
    let busy = "another repo-scanner scans into it at this moment";
    let _held = held.ok_or_else(|| unwritable(db, busy))?;
    let what = format!("scanning {}", repositories(list.len()));
    program::announce(&options.asked, target, &what);
    let before = begin(program, list).await;
    let before = before.map_err(|error| unwritable(db, error))?;

    let bar = progress_bar(&before);
    let interrupted = async {
        told.to_end().await;
        bar.finish_and_clear();
        eprintln!("ending with what there is; Ctrl-C again ends at once");
    };
    let started = TokioTimer::new().now();
    let tally = RefCell::default();
    let progress = |outcome: &Outcome| {
        bar.inc(1);
        count(&mut tally.borrow_mut(), outcome);
    };
    let ended = program
        .scans
        .work(Slice::default(), progress, interrupted)
        .await;
    bar.finish_and_clear();
    let ended = ended.map(|worked| worked.map_or(Ended::Finished, |(_, ended)| ended));
    let analysed = match &ended {
        Ok(Ended::Finished) => analyse(program, told).await,
        _ => Ok(None),
    };
    let elapsed = TokioTimer::new().now() - started;

    let summary = tally.into_inner();
    let interrupted = matches!(ended, Ok(Ended::Interrupted));
    let mut report = Report::new(&summary, interrupted, &program.egress, elapsed);
    report.peak_rss_bytes = memory::peak_rss();
    report.database = DatabaseReport::new(&program.monitor.report());
    report.already_done = before.total - before.remaining;
    report.analysed = analysed
        .as_ref()
        .ok()
        .and_then(|it| Some(it.as_ref()?.scanned));
    print(&report, ended.is_ok() && analysed.is_ok(), options)?;
    finish(&summary, ended, db)?;
    match analysed.map_err(|error| unwritable(db, error))? {
        Some(analysed) => complain_of(&analysed),
        None => Ok(()),
    }
}

/// Begins, or goes on where an interrupted scan of the same list was. Returns what is done of it.
async fn begin(program: &Program, list: List) -> Result<ScanStatus, BeginError<ReposError>> {
    let key = list.key().to_owned();
    if let Some(running) = program.store.running_scan().await?
        && running.list != key
    {
        program.scans.end().await?;
        eprintln!(
            "a scan of another list was not finished, and is given up; what it has stored stays"
        );
    }
    let begun = program.scans.begin(&key, list.names()).await?;
    let status = program.scans.status().await?;
    if let Begun::Joined(_) = begun {
        let done = status.total - status.remaining;
        eprintln!(
            "going on where a scan of this list was interrupted: {done} of {} are done",
            status.total
        );
    }
    Ok(status)
}

/// Has the best known repositories described, if somebody asked for that.
async fn analyse(program: &Program, told: &Told) -> Result<Option<Summary>, StoreError> {
    if program.analyse == 0 {
        return Ok(None);
    }
    eprintln!(
        "asking for descriptions of up to {}",
        repositories(program.analyse.into())
    );
    let asked = program.analyst.work(program.analyse, told.to_end());
    asked.await.map(Some)
}

fn count(summary: &mut Summary, outcome: &Outcome) {
    match outcome {
        Outcome::Scanned(_) => summary.scanned += 1,
        Outcome::Unchanged(_) => summary.unchanged += 1,
        Outcome::Failed(failed) => {
            summary.failed += 1;
            *summary.reasons.entry(failed.reason.clone()).or_default() += 1;
        }
    }
}

fn print(report: &Report, written: bool, options: &ScanCommand) -> Result<(), Failure> {
    let text = if options.json {
        serde_json::to_string(report).map_err(|error| Failure::failed("cannot print", error))?
    } else if written {
        format!("{report}\nwritten to {}", options.db.display())
    } else {
        report.to_string()
    };
    output::print(text)
}

fn finish(summary: &Summary, ended: Result<Ended, JobError>, db: &Path) -> Result<(), Failure> {
    let known = summary.scanned + summary.unchanged;
    match ended.map_err(|error| unwritable(db, error))? {
        Ended::Interrupted => Err(Failure::interrupted(format!(
            "interrupted after {}; what was scanned is kept, and the same command goes on from there",
            repositories(known)
        ))),
        Ended::ServerGone(why) => Err(Failure::failed(
            format!(
                "stopped after {}, what was scanned is kept, and the same command goes on from there",
                repositories(known)
            ),
            why,
        )),
        _ if known == 0 && summary.failed > 0 => {
            let why = summary.reasons.keys().next().cloned().unwrap_or_default();
            Err(Failure::failed("nothing could be scanned", why))
        }
        _ => Ok(()),
    }
}

/// A scan is done whatever becomes of descriptions; that there is none is told all the same.
fn complain_of(analysed: &Summary) -> Result<(), Failure> {
    for (reason, count) in &analysed.reasons {
        eprintln!("{} not described: {reason}", repositories(*count));
    }
    match analysed.scanned == 0 && analysed.failed > 0 {
        true => {
            let why = analysed.reasons.keys().next().cloned().unwrap_or_default();
            Err(Failure::failed("nothing could be described", why))
        }
        false => Ok(()),
    }
}

pub(crate) fn repositories(count: u64) -> String {
    match count {
        1 => "1 repository".to_owned(),
        _ => format!("{count} repositories"),
    }
}

fn progress_bar(before: &ScanStatus) -> ProgressBar {
    let bar = ProgressBar::new(before.total).with_position(before.total - before.remaining);
    bar.reset_eta();
    let style = "{wide_bar} {pos}/{len}  {per_sec}  {eta} left";
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
