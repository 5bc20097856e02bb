//! A scan from the command line.

use crate::{
    client,
    failure::Failure,
    list::List,
    memory, origin,
    quota::Pace,
    report::Report,
    stack,
    store::{Store, StoreError, StoreGone},
};
use http::Uri;
use indicatif::{ProgressBar, ProgressStyle};
use repo_scanner_core::{GitHub, ReposError, ScanOptions, Scanner, Stopped, Summary};
use std::{io::Write, num::NonZeroUsize, path::PathBuf, time::Duration};
use strict_origin::{NamedRule, StrictOrigin};
use tower_egress::{Clock, Egress, TokioExecutor, TokioTimer};

const GITHUB: &str = "https://api.github.com";

/// What the server inside permits when nobody says otherwise: 200 requests a second.
const DEMO_RULE: &str = "github=600/1s,burst=10,spacing=5ms";

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

/// Where to scan, and the server inside if it is that.
struct Target {
    base: Uri,
    pace: Pace,
    inside: Option<StrictOrigin>,
}

/// Scans and prints what came of it.
pub(crate) async fn run(options: ScanCommand) -> Result<(), Failure> {
    // Everything that can be wrong with what was asked for is found before anything is fetched.
    let list = List::open(options.repos.as_deref())?;
    let target = target(&options).await?;
    reach(&target.base).await?;
    let store = Store::open(&options.db).map_err(|error| unwritable(&options, error))?;

    let place = match &target.inside {
        Some(_) => format!(
            "{} (a strict test server inside this program)",
            place(&target.base)
        ),
        None => place(&target.base),
    };
    eprintln!("scanning {} repositories at {place}", list.len());
    eprintln!("permitted: {}", target.pace);
    let report = scan(&options, &target, list, store).await;
    if let Some(inside) = target.inside {
        let complaints = inside.shutdown().await.complaints();
        if !complaints.is_empty() {
            eprintln!("the server complains of: {}", complaints.join("; "));
        }
    }
    report
}

async fn scan(
    options: &ScanCommand,
    target: &Target,
    list: List,
    store: Store,
) -> Result<(), Failure> {
    let authority = target.base.authority().cloned();
    let authority = authority.ok_or_else(|| Failure::usage("the origin has no host"))?;
    let (builder, quota) = (Egress::builder(), target.pace.quota);
    let egress = stack::set_up(builder, &authority, quota, options.concurrency)
        .executor(TokioExecutor::new())
        .build();
    let token = options.token.clone();
    // The command line has it for GitHub only.
    let token = token.filter(|_| options.origin.is_none() && target.inside.is_none());
    let github = GitHub::new(egress.layer(client::http_client()), &target.base).with_token(token);
    let mut scan_options = ScanOptions::default();
    let twice = options
        .concurrency
        .saturating_add(options.concurrency.get());
    scan_options.at_once = scan_options.at_once.max(twice);
    let scanner = Scanner::new(github, TokioTimer::new(), scan_options);

    let bar = progress_bar(list.len());
    let started = TokioTimer::new().now();
    let (summary, ended) = scanner
        .scan(
            list.names(),
            async |outcome| {
                store.keep(outcome).await?;
                bar.inc(1);
                Ok(())
            },
            ctrl_c(),
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

/// Waits for Ctrl-C; for ever, where the system does not tell.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
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
    // A reader that has gone away (`| head`) is no reason to panic.
    writeln!(std::io::stdout(), "{text}").map_err(|error| Failure::failed("cannot print", error))
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
            "interrupted after {} repositories, which are kept",
            summary.scanned
        ))),
        Err(stopped) => Err(Failure::failed(
            format!(
                "stopped after {} repositories, which are kept",
                summary.scanned
            ),
            stopped,
        )),
    }
}

fn unwritable(options: &ScanCommand, error: StoreError) -> Failure {
    Failure::failed(format!("cannot write to {}", options.db.display()), error)
}

async fn target(options: &ScanCommand) -> Result<Target, Failure> {
    let given = options.quota.as_ref();
    let pace = |rule: Option<&NamedRule>| rule.map_or(Ok(Pace::GITHUB), Pace::new);
    if let Some(origin) = &options.origin {
        return Ok(Target {
            base: origin.clone(),
            pace: pace(given)?,
            inside: None,
        });
    }
    if options.token.is_some() {
        return Ok(Target {
            base: Uri::from_static(GITHUB),
            pace: pace(given)?,
            inside: None,
        });
    }
    let demo: NamedRule = DEMO_RULE
        .parse()
        .map_err(|error| Failure::failed("the default quota is broken", error))?;
    let rule = given.unwrap_or(&demo);
    let pace = pace(Some(rule))?;
    let inside = origin::start(std::slice::from_ref(rule), 0, options.faults, 1).await?;
    Ok(Target {
        base: inside
            .url()
            .parse()
            .map_err(|error| Failure::failed("the server inside has no address", error))?,
        pace,
        inside: Some(inside),
    })
}

/// Finds out whether anybody is there, so that an address that nobody serves is one clear line and not a thousand.
async fn reach(base: &Uri) -> Result<(), Failure> {
    let host = base.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = base.port_u16().unwrap_or(match base.scheme_str() {
        Some("https") => 443,
        _ => 80,
    });
    let connect = tokio::net::TcpStream::connect((host, port));
    #[allow(
        clippy::disallowed_methods,
        reason = "the program itself, not a layer: it owns its runtime"
    )]
    let connected = tokio::time::timeout(Duration::from_secs(10), connect).await;
    match connected {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failure::failed(unreachable(base), error)),
        Err(_) => Err(Failure::failed(unreachable(base), "no answer in 10 s")),
    }
}

fn unreachable(base: &Uri) -> String {
    format!("cannot reach {}", place(base))
}

/// An address as it may be shown: without user and query, which may hold secrets.
fn place(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = uri.path().trim_end_matches('/');
    format!("{}://{host}{path}", uri.scheme_str().unwrap_or("http"))
}

fn progress_bar(count: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    let style = "{wide_bar} {pos}/{len}  {per_sec}  {eta} left";
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
