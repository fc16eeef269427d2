//! What is measured: the time for each of many, the memory of this process, and the results that
//! another process prints.

use std::time::Duration;

use anyhow::{Context, Result};

/// Returns the cost of each, in nanoseconds.
pub fn each(all: Duration, count: u64) -> f64 {
    all.as_nanos() as f64 / count as f64
}

/// Returns the resident memory of this process in bytes.
pub fn resident() -> Result<u64> {
    memory("VmRSS:")
}

/// Returns the most resident memory that this process has had, in bytes.
pub fn peak() -> Result<u64> {
    memory("VmHWM:")
}

fn memory(what: &str) -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("memory is read from /proc, on Linux")?;
    memory_in(&status, what).with_context(|| format!("/proc/self/status has no {what}"))
}

fn memory_in(status: &str, what: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Returns the results that another process printed, each on a line of its own.
pub fn printed(text: &[u8]) -> Result<Vec<f64>> {
    let text = std::str::from_utf8(text).context("it is no text")?;
    let number = |line: &str| line.trim().parse().with_context(|| format!("{line:?} is no number"));
    text.lines().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_found() {
        assert_eq!(memory_in("Name:\tx\nVmRSS:\t    12 kB\nThreads: 1\n", "VmRSS:"), Some(12 * 1024));
        assert_eq!(memory_in("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn each_result_is_on_a_line_of_its_own() {
        assert_eq!(printed(b"1.5\n20\n").unwrap(), [1.5, 20.0]);
        assert!(printed(b"much\n").is_err());
    }
}
