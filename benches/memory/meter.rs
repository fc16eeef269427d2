//! How much memory a process has when a tenth of its work is done, and when all of it is.

use std::fmt;
use std::fs;

/// The end is at most this many times the first reading, plus [`ALLOWANCE`].
const RATIO: f64 = 1.1;

/// What the allocator may take for itself, in bytes.
const ALLOWANCE: f64 = 2e6;

/// A row that has this much more than it may have ends, in bytes.
const ENOUGH: f64 = 64e6;

/// How often a row is looked at for that.
const LOOKS: u64 = 50;

/// Returns the resident memory of this process in bytes, where there is such a thing.
pub(crate) fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok().map(|kib: u64| kib * 1024)
}

/// Counts how often a row has done what it does, and reads the memory at a tenth.
pub(crate) struct Meter {
    done: u64,
    times: u64,
    first: Option<u64>,
}

impl Meter {
    pub(crate) const fn new(times: u64) -> Self {
        Self { done: 0, times, first: None }
    }

    /// Returns the number of this time, or `None` if it is enough.
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

    /// Returns `true` during the first time.
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

/// What a row came to.
pub(crate) struct Reading {
    pub(crate) first: u64,
    pub(crate) end: u64,
    /// How often it did what it does.
    pub(crate) times: u64,
}

impl Reading {
    pub(crate) fn is_within_bounds(&self) -> bool {
        self.end as f64 <= bound(self.first)
    }

    pub(crate) fn ratio(&self) -> f64 {
        self.end as f64 / self.first as f64
    }

    /// Returns by how much the memory grew for each time after the first reading, in bytes.
    pub(crate) fn bytes_each(&self, wanted: u64) -> f64 {
        (self.end as f64 - self.first as f64) / (self.times.saturating_sub(wanted / 10)).max(1) as f64
    }

    /// Reads what another process has printed.
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
