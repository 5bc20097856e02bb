//! A scan from the command line.

use crate::{
    client,
    failure::Failure,
    interrupt,
    list::List,
    memory, output, quota,
    report::Report,
    stack,
    store::{Store, StoreError, StoreGone},
    target::Target,
};
use http::Uri;
use indicatif::{ProgressBar, ProgressStyle};
use repo_scanner_core::{GitHub, ReposError, ScanOptions, Scanner, Stopped, Summary};
use std::{num::NonZeroUsize, path::PathBuf};
use strict_origin::NamedRule;
use tokio::sync::oneshot;
use tower_egress::{Clock, Egress, TokioExecutor, TokioTimer};

/// How to scan.
#[derive(Debug)]
pub(crate) struct ScanCommand {
    pub(crate) origin: Option<Uri>,
    pub(crate) repos: Option<PathBuf>,
    pub(crate) db: PathBuf,
    pub(crate) quota: Option<NamedRule>,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) faults: f64,
    pub(crate) json: bool,
    pub(crate) token: Option<String>,
}

/// Scans and prints what came of it.
pub(crate) async fn run(options: ScanCommand) -> Result<(), Failure> {
    // Everything that can be wrong with what was asked for is found before anything is fetched.
    let list = List::open(options.repos.as_deref())?;
    let target = Target::of(&options).await?;
    target.reach().await?;
    let store = Store::open(&options.db).map_err(|error| unwritable(&options, error))?;

    eprintln!("scanning {} at {target}", repositories(list.len()));
    eprintln!("permitted: {}", target.pace);
    let unheard = options.quota.as_ref().and_then(quota::only_inside);
    if let Some(parts) = unheard.filter(|_| !target.is_inside()) {
        eprintln!("unused: {parts} of --quota, for the test server inside to count by");
    }
    interrupt::heeded(async |told| {
        let result = scan(&options, &target, list, store, told).await;
        target.leave().await;
        result
    })
    .await
}

async fn scan(
    options: &ScanCommand,
    target: &Target,
    list: List,
    store: Store,
    told: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let authority = target.base.authority().cloned();
    let authority = authority.ok_or_else(|| Failure::usage("the origin has no host"))?;
    let (builder, quota) = (Egress::builder(), target.pace.quota);
    let concurrency = target.pace.concurrency(options.concurrency);
    let egress = stack::set_up(builder, &authority, quota, concurrency)
        .executor(TokioExecutor::new())
        .build();
    let token = options.token.clone();
    // The command line has it for GitHub only.
    let token = token.filter(|_| options.origin.is_none() && !target.is_inside());
    let github = GitHub::new(egress.layer(client::http_client()), &target.base).with_token(token);
    let mut scan_options = ScanOptions::default();
    let twice = concurrency.saturating_add(concurrency.get());
    scan_options.at_once = scan_options.at_once.max(twice);
    let scanner = Scanner::new(github, TokioTimer::new(), scan_options);

    let bar = progress_bar(list.len());
    let interrupted = async {
        // Who could tell is there as long as this is.
        let _ = told.await;
        bar.finish_and_clear();
        eprintln!("ending with what there is; Ctrl-C again ends at once");
    };
    let started = TokioTimer::new().now();
    let (summary, ended) = scanner
        .scan(
            list.names(),
            async |outcome| {
                store.keep(outcome).await?;
                bar.inc(1);
                Ok(())
            },
            interrupted,
        )
        .await;
    let elapsed = TokioTimer::new().now() - started;
    bar.finish_and_clear();
    let written = store.close().await;

    let interrupted = matches!(ended, Err(Stopped::Interrupted));
    let peak_rss = memory::peak_rss();
    let report = Report::new(&summary, interrupted, &egress, elapsed, peak_rss);
    print(&report, written.is_ok(), options)?;
    finish(&summary, ended, written, options)
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

fn finish(
    summary: &Summary,
    ended: Result<(), Stopped<ReposError, StoreGone>>,
    written: Result<(), StoreError>,
    options: &ScanCommand,
) -> Result<(), Failure> {
    written.map_err(|error| unwritable(options, error))?;
    match ended {
        Ok(()) if summary.scanned == 0 && summary.failed > 0 => {
            let why = summary.reasons.keys().next().cloned().unwrap_or_default();
            Err(Failure::failed("nothing could be scanned", why))
        }
        Ok(()) => Ok(()),
        Err(Stopped::Interrupted) => Err(Failure::interrupted(format!(
            "interrupted after {}; what was scanned is kept",
            repositories(summary.scanned)
        ))),
        Err(stopped) => Err(Failure::failed(
            format!(
                "stopped after {}, what was scanned is kept",
                repositories(summary.scanned)
            ),
            stopped,
        )),
    }
}

fn repositories(count: u64) -> String {
    match count {
        1 => "1 repository".to_owned(),
        _ => format!("{count} repositories"),
    }
}

fn unwritable(options: &ScanCommand, error: StoreError) -> Failure {
    Failure::failed(format!("cannot write to {}", options.db.display()), error)
}

fn progress_bar(count: u64) -> ProgressBar {
    let bar = ProgressBar::new(count);
    let style = "{wide_bar} {pos}/{len}  {per_sec}  {eta} left";
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
