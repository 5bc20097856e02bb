//! The strict test server, alone.

use crate::{cli::share, failure::Failure, interrupt, output, quota};
use clap::Args;
use strict_origin::{Catalogue, FaultPlan, NamedRule, StrictOrigin};

/// The repositories that it has: those of the list, and what there is to know of them.
const LISTED: &str = include_str!("../../data/repositories.tsv");

/// How to run the test server.
#[derive(Debug, Args)]
pub(crate) struct OriginArgs {
    /// The port on 127.0.0.1; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value = "8788")]
    port: u16,

    /// What an API permits, for example github=600/1s,burst=10,spacing=5ms; may be given once for each API
    ///
    /// Requests per time, with us, ms, s, m or h; then any of these:
    ///
    ///   burst=N        so many at once; more are told at the end
    ///   spacing=TIME   this far apart; what is closer is told at the end
    ///   concurrent=N   so many in flight; more are refused
    ///   jitter=TIME    how early a request may come and not be told [default: 10ms]
    ///   slack=TIME     how much shorter the time is made, in which more are refused [default: 0]
    ///
    /// Without it nothing is limited.
    #[arg(long, verbatim_doc_comment, value_name = "API=QUOTA", value_parser = quota::parse)]
    quota: Vec<NamedRule>,

    /// The share of requests that are answered with a fault, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    faults: f64,

    /// Decides which requests meet which fault
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    seed: u64,
}

/// Runs the server until Ctrl-C, then prints what it saw.
pub(crate) async fn run(options: OriginArgs) -> Result<(), Failure> {
    quota::once_each(&options.quota)?;
    let origin = start(&options.quota, options.port, options.faults, options.seed).await?;
    interrupt::heeded(async |told| {
        output::print(origin.url())?;
        told.to_end().await;
        output::print(origin.shutdown().await)
    })
    .await
}

/// Starts the server with the repositories that ship with this program.
pub(crate) async fn start(
    rules: &[NamedRule],
    port: u16,
    faults: f64,
    seed: u64,
) -> Result<StrictOrigin, Failure> {
    let catalogue = Catalogue::from_tsv(LISTED)
        .map_err(|error| Failure::failed("the list inside this program is broken", error))?;
    let mut origin = StrictOrigin::builder()
        .catalogue(catalogue)
        .port(port)
        .faults(FaultPlan::mixed(seed, faults));
    for rule in rules {
        origin = origin.named_rule(rule.clone());
    }
    origin
        .start()
        .await
        .map_err(|error| Failure::failed(format!("cannot serve on port {port}"), error))
}
