//! How much memory the process used at most.

/// Returns the peak resident size in bytes, where the system tells (Linux).
pub(crate) fn peak_rss() -> Option<u64> {
    peak_rss_of("self")
}

/// Returns that of a process, by its number.
pub(crate) fn peak_rss_of(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
