//! Reads the memory of a process after a tenth of its work, and after all of it.

use std::fmt;
use std::fs;

/// The last reading is at most this many times the first, plus [`ALLOWANCE`].
const RATIO: f64 = 1.1;

/// The bytes that the allocator may take for itself.
const ALLOWANCE: f64 = 2e6;

/// The bytes above the limit at which a row ends early.
const ENOUGH: f64 = 64e6;

/// How often a row is checked for that.
const LOOKS: u64 = 50;

/// Returns the resident memory of this process in bytes, or `None` where it is not known.
pub(crate) fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok().map(|kib: u64| kib * 1024)
}

/// Counts the repetitions of a row, and reads the memory after a tenth of them.
pub(crate) struct Meter {
    done: u64,
    times: u64,
    first: Option<u64>,
}

impl Meter {
    pub(crate) const fn new(times: u64) -> Self {
        Self { done: 0, times, first: None }
    }

    /// Returns the number of the next repetition, or `None` after the last.
    pub(crate) fn next(&mut self) -> Option<u64> {
        if self.done == self.times / 10 {
            self.first = resident();
        }
        if self.done >= self.times || (self.done % (self.times / LOOKS) == 0 && self.has_grown()) {
            return None;
        }
        self.done += 1;
        Some(self.done)
    }

    /// Returns `true` during the first repetition.
    pub(crate) const fn is_first(&self) -> bool {
        self.done == 1
    }

    fn has_grown(&self) -> bool {
        let limit = self.first.map(|first| bound(first) + ENOUGH);
        limit.zip(resident()).is_some_and(|(limit, now)| now as f64 > limit)
    }

    /// Reads the memory at the end.
    pub(crate) fn read(&self) -> Reading {
        let end = resident().unwrap_or_default();
        Reading { first: self.first.unwrap_or(end), end, times: self.done }
    }
}

fn bound(first: u64) -> f64 {
    RATIO * first as f64 + ALLOWANCE
}

/// The measurement of one row.
pub(crate) struct Reading {
    pub(crate) first: u64,
    pub(crate) end: u64,
    /// The number of repetitions that were done.
    pub(crate) times: u64,
}

impl Reading {
    pub(crate) fn is_within_bounds(&self) -> bool {
        self.end as f64 <= bound(self.first)
    }

    pub(crate) fn ratio(&self) -> f64 {
        self.end as f64 / self.first as f64
    }

    /// Returns the growth per repetition after the first reading, in bytes.
    pub(crate) fn bytes_each(&self, wanted: u64) -> f64 {
        (self.end as f64 - self.first as f64) / (self.times.saturating_sub(wanted / 10)).max(1) as f64
    }

    /// Parses what another process has printed.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut numbers = std::str::from_utf8(text).ok()?.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self { first: next()?, end: next()?, times: next()? })
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.first, self.end, self.times)
    }
}
