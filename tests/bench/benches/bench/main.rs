//! What a call costs; see the README.

mod buckets;
mod calls;
mod ours;
mod peers;
mod queue;
mod ratios;

use bench::Effort;

fn main() {
    let effort = Effort::from_args();
    // Peers make sleeps of tokio's for each request. They are never polled, and nothing else runs here.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime needs nothing but memory");
    let _entered = runtime.enter();

    println!(
        "Nanoseconds, allocations and bytes per call. Load {}",
        load()
    );
    let calls = calls::measure(effort);
    println!("{}", calls.report);
    let buckets = buckets::measure(effort);
    println!("{}", buckets.report);
    queue::measure(effort);
    ratios::print(&calls, &buckets);
    println!("\nLoad {}", load());
}

/// Returns the load averages, where the system tells them.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg");
    load.map_or_else(|_| "unknown".into(), |load| load.trim().into())
}
