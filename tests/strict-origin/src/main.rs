//! Runs a strict origin until Ctrl-C, and prints the score.

use std::{fs, net::IpAddr, num::NonZeroUsize, path::PathBuf, process::ExitCode};

use clap::{Parser, error::ErrorKind};
use http::StatusCode;
use strict_origin::{
    Answer, Api, Catalogue, FaultKind, FaultPlan, HeaderSlots, Rule, Script, StrictOrigin,
};

/// Plays GitHub's and Anthropic's rules on a loopback port and keeps score of its client
///
/// Quotas read LIMIT/PERIOD[,burst=N][,spacing=TIME][,jitter=TIME][,slack=TIME][,concurrent=N], for
/// instance 600/1s,burst=10,spacing=5ms. The first line of the output is the URL; Ctrl-C prints the
/// score.
#[derive(Debug, Parser)]
#[command(name = "strict-origin", version)]
struct Options {
    /// The loopback address to listen at
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port to listen at; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Hold every API to its preset; the quotas below come on top
    #[arg(long)]
    presets: bool,
    /// The quota of GitHub
    #[arg(long, value_name = "QUOTA")]
    github: Option<Rule>,
    /// The quota of GitHub Search
    #[arg(long, value_name = "QUOTA")]
    github_search: Option<Rule>,
    /// The quota of Anthropic
    #[arg(long, value_name = "QUOTA")]
    anthropic: Option<Rule>,
    /// The quota of every other path
    #[arg(long, value_name = "QUOTA")]
    external: Option<Rule>,
    /// Faults: a rate from 0 to 1 for all kinds together, or KIND=RATE with commas between
    #[arg(long, value_name = "RATE")]
    faults: Option<String>,
    /// The seed of the faults
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The repositories that exist: lines of owner/name, further tab-separated columns as in a
    /// header line
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// The share of repositories that have another name today, 0 to 1: the old name is redirected
    #[arg(long, value_name = "SHARE")]
    renamed: Option<f64>,
    /// Hold requests beyond so many that wait for their response heads
    #[arg(long, value_name = "N")]
    header_slots: Option<NonZeroUsize>,
    /// Refuse requests beyond the header slots instead of holding them
    #[arg(long, requires = "header_slots")]
    refuse: bool,
    /// What a path answers first, second and third: a fault's name, a status, or "serve"
    #[arg(long, value_name = "PATH=ANSWER,…")]
    on: Vec<String>,
    /// Require the headers that the APIs require
    #[arg(long)]
    require_headers: bool,
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return usage_error(error.to_string().lines().next().unwrap_or_default()),
    };
    let builder = match builder(options) {
        Ok(builder) => builder,
        Err(message) => return usage_error(&format!("error: {message}")),
    };
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(run(builder)),
        Err(error) => failure(&error.to_string()),
    }
}

fn builder(options: Options) -> Result<strict_origin::Builder, String> {
    let mut builder = StrictOrigin::builder()
        .address((options.host, options.port).into())
        .require_headers(options.require_headers);
    if options.presets {
        builder = builder.presets();
    }
    let rules = [
        options.github,
        options.github_search,
        options.anthropic,
        options.external,
    ];
    for (api, rule) in Api::ALL.into_iter().zip(rules) {
        if let Some(rule) = rule {
            builder = builder.rule(api, rule);
        }
    }
    if let Some(faults) = options.faults {
        let plan = FaultPlan::parse(options.seed, &faults).map_err(|error| error.to_string())?;
        builder = builder.faults(plan);
    }
    if !options.on.is_empty() {
        let mut script = Script::new();
        for line in &options.on {
            let (path, answers) = line
                .split_once('=')
                .ok_or_else(|| format!("{line:?} has no answers: expected PATH=ANSWER,…"))?;
            let answers: Result<Vec<_>, _> = answers.split(',').map(answer).collect();
            script = script.on(path, answers?);
        }
        builder = builder.script(script);
    }
    if let Some(path) = options.catalogue {
        let name = path.display();
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let catalogue = Catalogue::from_tsv(&text).map_err(|error| format!("{name}: {error}"))?;
        builder = builder.catalogue(catalogue);
    }
    if let Some(share) = options.renamed {
        if !(0.0..=1.0).contains(&share) {
            return Err(format!(
                "{share} is no share: expected a number from 0 to 1"
            ));
        }
        builder = builder.renamed(share);
    }
    if let Some(count) = options.header_slots {
        builder = builder.header_slots(match options.refuse {
            true => HeaderSlots::Refuse(count),
            false => HeaderSlots::Hold(count),
        });
    }
    if !options.host.is_loopback() {
        return Err(format!("{} is no loopback address", options.host));
    }
    Ok(builder)
}

/// Reads one answer of a script.
fn answer(text: &str) -> Result<Answer, String> {
    if text == "serve" {
        return Ok(Answer::Serve);
    }
    if let Ok(status) = text.parse::<StatusCode>() {
        return Ok(status.into());
    }
    let kind: FaultKind = text.parse().map_err(|_| {
        format!("{text:?} is no answer: expected a fault's name, a status, or \"serve\"")
    })?;
    Ok(kind.into())
}

async fn run(builder: strict_origin::Builder) -> ExitCode {
    let origin = match builder.start().await {
        Ok(origin) => origin,
        Err(error) => return failure(&error.to_string()),
    };
    println!("{}", origin.url());
    if let Err(error) = tokio::signal::ctrl_c().await {
        return failure(&format!("cannot wait for Ctrl-C: {error}"));
    }
    println!("\n{}", origin.shutdown().await);
    ExitCode::SUCCESS
}

fn usage_error(line: &str) -> ExitCode {
    eprintln!("{line}");
    ExitCode::from(2)
}

fn failure(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
