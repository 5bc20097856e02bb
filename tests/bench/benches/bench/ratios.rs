//! Ours beside the peers, as ratios of one run.

use crate::{buckets::Buckets, calls::Calls};
use bench::Cost;

/// Prints the ratios.
pub(crate) fn print(calls: &Calls, buckets: &Buckets) {
    println!(
        "\n{:<52}{:>9}{:>9}{:>9}{:>9}",
        "Ratios", "ours", "peers", "ratio", "allocs"
    );
    let added = |row| calls.report.added(row, calls.bare);
    let peers = added(calls.peers);
    compare("whole stack, added", added(calls.ours), peers);
    compare(
        "  without idle timeout",
        added(calls.ours_without_shelf),
        peers,
    );
    compare(
        "  and permits to headers",
        added(calls.ours_to_headers),
        peers,
    );
    compare(
        "only what the peers' stack does, added",
        added(calls.same_jobs),
        peers,
    );
    let (ours, governor) = (buckets.ours, buckets.governor);
    let bucket = &buckets.report;
    compare(
        "bucket / governor, with a clock",
        bucket[ours],
        bucket[governor],
    );
    let (ours, governor) = (buckets.ours_time_given, buckets.governor_time_given);
    compare(
        "bucket / governor, time given",
        bucket[ours],
        bucket[governor],
    );
}

fn compare(name: &str, ours: Cost, peers: Cost) {
    let allocations = ours.allocations - peers.allocations;
    let line = |kind: &str, ours: f64, peers: f64| {
        let ratio = ours / peers;
        println!("  {name:<41}{kind:<9}{ours:>9.1}{peers:>9.1}{ratio:>9.2}{allocations:>+9.2}");
    };
    line("fastest", ours.fastest, peers.fastest);
    line("median", ours.median, peers.median);
}
