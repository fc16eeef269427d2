//! The limits: a count for each work, in a file, and how far a new count may be from it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The percentage by which a count may grow.
const TOLERANCE: u64 = 3;

/// What to do about a limit that is not right.
const BLESS: &str = "run ./x instructions --bless";

/// What the first line of the file says before it names the platform.
const PLATFORM: &str = "# Counted with ";

/// The limits of one platform: a compiler, a processor and a C library.
#[derive(Debug, PartialEq)]
pub(crate) struct Limits {
    platform: String,
    counts: BTreeMap<String, u64>,
}

/// What a comparison found, one text for each work.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// The works whose counts are too high, or that are in the program only or in the file only.
    pub(crate) wrong: Vec<String>,
    /// The works whose limits are higher than they have to be.
    pub(crate) fallen: Vec<String>,
}

impl Limits {
    /// Returns the line of a table for a work.
    pub(crate) fn row(&self, work: &str, count: u64) -> String {
        match self.counts.get(work) {
            Some(&limit) => {
                let change = format!("{:+.1} %", change(count, limit));
                format!("{work:<16} {count:>12} {limit:>9} {change:>9}")
            }
            None => format!("{work:<16} {count:>12} {:>9} {:>9}", "-", "-"),
        }
    }

    /// Returns `true` if a work has a limit, and the count is too far above it.
    pub(crate) fn is_exceeded(&self, work: &str, count: u64) -> bool {
        self.counts.get(work).is_some_and(|limit| count * 100 > limit * (100 + TOLERANCE))
    }

    /// Compares new counts with the limits. `exists` tells which works there are.
    pub(crate) fn check(&self, counts: &[(&str, u64)], exists: impl Fn(&str) -> bool) -> Report {
        let gone = self.counts.keys().filter(|work| !exists(work));
        let gone = gone.map(|work| format!("{work} does not exist, but has a limit: {BLESS}"));
        let mut report = Report { wrong: gone.collect(), fallen: Vec::new() };
        for &(work, count) in counts {
            let Some(&limit) = self.counts.get(work) else {
                report.wrong.push(format!("{work} has no limit: {BLESS}"));
                continue;
            };
            let change = change(count, limit);
            if self.is_exceeded(work, count) {
                report.wrong.push(format!(
                    "{work} grew by {change:.1} %, from {limit} to {count} instructions, and may grow by \
                     {TOLERANCE} %. If the reason is worth it, {BLESS}"
                ));
            } else if count * 100 < limit * (100 - TOLERANCE) {
                report.fallen.push(format!(
                    "{work} fell by {:.1} %, from {limit} to {count} instructions. To keep it there, {BLESS}",
                    -change
                ));
            }
        }
        report
    }

    /// Takes new counts for limits. Those of another platform, and of works that no longer exist,
    /// are removed.
    pub(crate) fn bless(&mut self, platform: &str, counts: &[(&str, u64)], exists: impl Fn(&str) -> bool) {
        let is_same = self.platform == platform;
        self.counts.retain(|work, _| is_same && exists(work));
        platform.clone_into(&mut self.platform);
        self.counts.extend(counts.iter().map(|&(work, count)| (work.to_owned(), count)));
    }
}

/// Returns the change from a limit to a count, in percent.
fn change(count: u64, limit: u64) -> f64 {
    (count as f64 - limit as f64) * 100.0 / limit as f64
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PLATFORM}{}", self.platform)?;
        writeln!(f, "# The instructions of one item; `./x instructions --bless` writes them.")?;
        self.counts.iter().try_for_each(|(work, count)| writeln!(f, "{work} {count}"))
    }
}

impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let platform = text.lines().find_map(|line| line.strip_prefix(PLATFORM)).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let parsed = line.split_once(' ').and_then(|(work, count)| Some((work, count.parse().ok()?)));
            match parsed {
                Some((work, count)) if count > 0 => counts.insert(work.to_owned(), count),
                _ => return Err(format!("a limit is a work and its instructions, and not: {line}")),
            };
        }
        Ok(Self { platform: platform.to_owned(), counts })
    }
}
