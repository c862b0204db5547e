//! What the process has cost so far, as the kernel counts it. It owns no clock; `sample` does.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What the whole process has used since it started, finished threads included.
///
/// One process per measurement: two runs in one process share these counters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// The most memory ever resident, in KiB (`VmHWM`). Zero where there is no `/proc`.
    pub peak_rss_kb: u64,
    /// User and system time over all threads, in seconds.
    pub cpu_secs: f64,
    /// Context switches because a thread had to wait.
    pub n_voluntary_switches: u64,
    /// Context switches because a thread's slice was up.
    pub n_involuntary_switches: u64,
}

impl Usage {
    /// Reads the counters now.
    ///
    /// # Panics
    ///
    /// Only if the kernel refuses to account for its own process.
    #[must_use]
    pub fn now() -> Self {
        let usage = getrusage(UsageWho::RUSAGE_SELF)
            .expect("the kernel knows RUSAGE_SELF and nix owns the buffer");
        Usage {
            peak_rss_kb: status_kb("VmHWM:"),
            cpu_secs: secs(usage.user_time()) + secs(usage.system_time()),
            n_voluntary_switches: usage.voluntary_context_switches().unsigned_abs(),
            n_involuntary_switches: usage.involuntary_context_switches().unsigned_abs(),
        }
    }
}

/// Memory resident now, in KiB. Zero where there is no `/proc`.
pub(crate) fn resident_kb() -> u64 {
    status_kb("VmRSS:")
}

fn secs(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 * 1e-6
}

fn status_kb(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(field));
    value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn counters_grow_with_what_the_process_does() {
        let before = Usage::now();
        let ballast = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = Usage::now();
        assert!(after.peak_rss_kb >= 64 << 10, "{after:?}");
        assert!(resident_kb() >= 64 << 10, "the ballast is still held");
        assert!(after.cpu_secs > before.cpu_secs, "touching 64 MiB takes time: {after:?}");
        drop(ballast);
    }
}
