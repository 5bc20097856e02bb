//! What the process uses.

use std::time::Duration;

/// What the process, or the wasm module, uses at one moment: what can be known of it.
///
/// # What can be known
///
/// | | memory | CPU time |
/// |---|---|---|
/// | Linux | resident, from `/proc/self/status` | user and system, from `/proc/self/stat`, in steps of 10 ms |
/// | wasm, so a Worker | the module's heap, which never shrinks | nothing |
/// | elsewhere | nothing | nothing |
///
/// A Worker cannot see JavaScript's heap, where streams, requests and responses are, although it counts toward the same
/// [128 MB](https://developers.cloudflare.com/workers/platform/limits/#memory); the runtime's `process.memoryUsage()` says zero.
/// It has no CPU clock either: the clock it has stands still while code runs. Its CPU time is in the platform's logs, for
/// each invocation.
///
/// Whoever knows more says so: the fields are public, and [`Monitor::check_with`](super::Monitor::check_with) takes any sample.
///
/// ```
/// use tower_egress::monitor::Sample;
///
/// let sample = Sample::of_process();
/// # #[cfg(target_os = "linux")]
/// assert!(sample.memory_bytes > Some(1024));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// How much memory it has, in bytes.
    pub memory_bytes: Option<u64>,
    /// How much CPU time it has spent since it started, on all cores together.
    pub cpu_time: Option<Duration>,
}

impl Sample {
    /// Asks the system; it costs some ten microseconds on Linux, and a single instruction in wasm.
    pub fn of_process() -> Self {
        platform::sample()
    }
}

#[cfg(target_arch = "wasm32")]
mod platform {
    use super::Sample;

    pub(super) fn sample() -> Sample {
        /// [As wasm says](https://webassembly.github.io/spec/core/exec/runtime.html#page-size).
        const PAGE: u64 = 65_536;
        let pages = u64::try_from(core::arch::wasm32::memory_size::<0>());
        Sample {
            memory_bytes: pages.ok().map(|pages| pages * PAGE),
            cpu_time: None,
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use super::{Sample, cpu_time, resident};
    use std::fs::read_to_string;

    pub(super) fn sample() -> Sample {
        let read = |path| read_to_string(path).ok();
        Sample {
            memory_bytes: read("/proc/self/status").and_then(|status| resident(&status)),
            cpu_time: read("/proc/self/stat").and_then(|stat| cpu_time(&stat)),
        }
    }
}

#[cfg(not(any(target_arch = "wasm32", target_os = "linux", target_os = "android")))]
mod platform {
    use super::Sample;

    pub(super) const fn sample() -> Sample {
        Sample {
            memory_bytes: None,
            cpu_time: None,
        }
    }
}

/// Reads what [`proc_pid_status(5)`](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html) says. It is in kB, where
/// `statm` is in pages, whose size only a call of C's tells.
#[cfg(any(test, target_os = "linux", target_os = "android"))]
fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let (number, unit) = line.trim().split_once(' ')?;
    let kilobytes: u64 = number.parse().ok()?;
    (unit == "kB").then(|| kilobytes.saturating_mul(1024))
}

/// Reads what [`proc_pid_stat(5)`](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html) says.
#[cfg(any(test, target_os = "linux", target_os = "android"))]
fn cpu_time(stat: &str) -> Option<Duration> {
    /// What the kernel tells user space, whatever it counts by itself: `USER_HZ` is 100 on every machine Rust's std is built
    /// for with Linux.
    const TICK: Duration = Duration::from_millis(10);
    // The second field is the program's name in parentheses, with whatever is in it; the third comes after the last of them.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()?.saturating_add(ticks()?);
    let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
    Some(TICK.saturating_mul(ticks))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_linux_says_is_understood() {
        let status = "Name:\tscan\nVmHWM:\t   99999 kB\nVmRSS:\t   12345 kB\nThreads:\t4\n";
        assert_eq!(resident(status), Some(12_345 * 1024));
        let stat = "42 (a) b) R 1 1 1 0 -1 4194304 90 0 0 0 150 25 7 8 20 0 4 0 100 1 1";
        assert_eq!(cpu_time(stat), Some(Duration::from_millis(1750)));
    }

    #[test]
    fn what_is_not_understood_is_not_known() {
        for status in ["", "VmRSS:", "VmRSS:\t 12 pages", "VmRSS:\t x kB"] {
            assert_eq!(resident(status), None, "{status:?}");
        }
        for stat in [
            "",
            "1 (x) R",
            "1 x R 1 1 1 0 -1 4194304 90 0 0 0 150 25",
            "1 (x) R 1 1 1 0 -1 4 90 0 0 0 150",
        ] {
            assert_eq!(cpu_time(stat), None, "{stat:?}");
        }
        let long = format!("1 (x) R 1 1 1 0 -1 4 90 0 0 0 {0} {0}", u64::MAX);
        assert!(cpu_time(&long).is_some(), "and nothing overflows");
    }

    /// On this machine, whichever it is; in Node it is the wasm heap.
    #[cfg(any(target_os = "linux", target_arch = "wasm32"))]
    #[test]
    fn this_process_has_memory() {
        let before = Sample::of_process().memory_bytes.unwrap();
        assert!(before >= 65_536);
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = Sample::of_process().memory_bytes.unwrap();
        assert!(
            after >= before + (48 << 20) || after >= 64 << 20,
            "{before} to {after}"
        );
        assert_eq!(block.len(), 64 << 20);
        #[cfg(target_os = "linux")]
        assert!(Sample::of_process().cpu_time.is_some());
        #[cfg(target_arch = "wasm32")]
        assert!(Sample::of_process().cpu_time.is_none());
    }
}
