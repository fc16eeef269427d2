//! What is measured: the time for each of many, and the resident memory of this process.

use std::time::Duration;

use anyhow::{Context, Result};

/// Returns the cost of each, in nanoseconds.
pub fn each(all: Duration, count: u64) -> f64 {
    all.as_nanos() as f64 / count as f64
}

/// Returns the resident memory of this process in bytes.
pub fn resident() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("memory is read from /proc, on Linux")?;
    resident_in(&status).context("/proc/self/status has no VmRSS")
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_found() {
        assert_eq!(resident_in("Name:\tx\nVmRSS:\t    12 kB\nThreads: 1\n"), Some(12 * 1024));
        assert_eq!(resident_in("Name:\tx\n"), None);
    }
}
