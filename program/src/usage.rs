//! What this process has used so far, for the summary that a command ends with.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Processor time and peak memory since the process began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Seconds of processor time, user and system, of all threads.
    pub cpu_seconds: f64,
    /// Most memory that was resident at once, in bytes (`VmHWM`); 0 where /proc does not tell.
    pub peak_memory_bytes: u64,
}

impl Usage {
    /// As of now.
    pub fn now() -> Usage {
        Usage { cpu_seconds: cpu_seconds(), peak_memory_bytes: status_kilobytes("VmHWM:") * 1024 }
    }
}

/// Seconds of processor time.
pub(crate) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Memory resident now, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    status_kilobytes("VmRSS:") * 1024
}

/// Open files, sockets and pipes.
pub(crate) fn open_files() -> u64 {
    // The folder that is being read is open too, for a moment.
    fs::read_dir("/proc/self/fd").map_or(0, |entries| (entries.count() as u64).saturating_sub(1))
}

fn status_kilobytes(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_as_time_and_memory() {
        let before = Usage::now();
        let block = vec![1_u8; 64 << 20];
        let sum: u64 = block.iter().map(|byte| u64::from(std::hint::black_box(*byte))).sum();
        assert_eq!(sum, 64 << 20);
        let after = Usage::now();
        assert!(after.cpu_seconds > before.cpu_seconds);
        assert!(after.peak_memory_bytes >= 64 << 20 && after.peak_memory_bytes >= before.peak_memory_bytes);
        assert!(resident_bytes() >= 64 << 20, "the block is still resident");
        assert!(block.len() == 64 << 20 && open_files() >= 3);
    }
}
