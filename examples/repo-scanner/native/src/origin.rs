//! The strict test server, alone.

use crate::{catalogue::CATALOGUE, cli::OriginArgs, failure::Failure, interrupt, output, quota};
use strict_origin::{Catalogue, FaultPlan, NamedRule, StrictOrigin};

/// Runs the server until Ctrl-C, then prints what it saw.
pub(crate) async fn run(options: OriginArgs) -> Result<(), Failure> {
    quota::once_each(&options.quota)?;
    let origin = start(&options.quota, options.port, options.faults, options.seed).await?;
    interrupt::heeded(async |told| {
        output::print(origin.url())?;
        // Who could tell is there as long as this is.
        let _ = told.await;
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
    let catalogue = Catalogue::from_tsv(CATALOGUE)
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
