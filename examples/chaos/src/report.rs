//! The report of a run: as text for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use perennial::pool::PoolStats;
use perennial::{Counters, Totals};
use serde_json::{Value, json};

use super::check::Check;
use super::files::Digest;
use super::interrupt;
use super::recovery::{FaultCounts, Recovery};
use super::text::{Bytes, counted};

/// The result of a run. As text it fits a screen; the alternate form (`{:#}`) lists everything.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    /// Ctrl-C has ended the run: the result is what there is so far, and was not checked.
    pub is_interrupted: bool,
    /// The files that have the same digest as in the sequential pass.
    pub matching: BTreeMap<PathBuf, Digest>,
    pub failed: BTreeMap<PathBuf, String>,
    pub special: u64,
    pub faults: FaultCounts,
    /// How many faults the plan has.
    pub planned: usize,
    pub totals: Totals,
    pub messages: Counters,
    pub jobs: PoolStats,
    pub recovery: Recovery,
    pub checks: Vec<Check>,
    /// The tree after the attack.
    pub tree: String,
    pub elapsed: Duration,
}

/// How many lines of the tree, and of each list, are printed.
const TREE_LINES: usize = 10;
const LISTED: usize = 3;

/// The same for the alternate form.
const LISTED_ALTERNATE: usize = 1000;

/// The longest line of a list in the short form.
const LINE: usize = 96;

impl Report {
    fn violations(&self) -> Vec<String> {
        let all = self.checks.iter();
        all.flat_map(|check| check.violations.iter().map(|text| format!("{}: {text}", check.invariant)))
            .collect()
    }

    fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }

    fn bytes(&self) -> u64 {
        self.matching.values().map(|digest| digest.bytes).sum()
    }

    pub fn exit_code(&self) -> u8 {
        match (self.passed(), self.is_interrupted, self.failed.is_empty()) {
            (false, ..) => 1,
            (true, true, _) => interrupt::EXIT_CODE,
            (true, false, false) => 3,
            (true, false, true) => 0,
        }
    }

    /// Returns the result in one line.
    pub fn verdict(&self) -> String {
        let seed = self.seed;
        let files = counted(self.matching.len() as u64, "file");
        let faults = counted(self.faults.total, "fault");
        if !self.passed() {
            let violations = self.violations();
            let listed = violations.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join("; ");
            let count = counted(violations.len() as u64, "time");
            return format!("VIOLATED (seed {seed}), {count}: {listed}");
        }
        if self.is_interrupted {
            return format!("interrupted: {files} and {faults} so far, not verified (seed {seed})");
        }
        match self.failed.len() {
            0 => format!("verified: {files}, {faults}, nothing lost (seed {seed})"),
            failed => {
                format!("verified: {files}, {faults}, but {failed} could not be read (seed {seed})")
            }
        }
    }

    pub fn json(&self) -> Value {
        let Counters { accepted, handled, lost_in_flight, dead_lettered, queued } = self.messages;
        let PoolStats { submitted, done, failed, dropped, retried, .. } = self.jobs;
        let FaultCounts { panic, error, kill, exhaust_restarts, total } = self.faults;
        let Recovery { p50, p90, p99, max } = self.recovery;
        let failed_files = self.failed.iter();
        let failed_files: Vec<Value> = failed_files
            .map(|(path, error)| json!({ "path": path.to_string_lossy(), "error": error }))
            .collect();
        json!({
            "version": 1,
            "seed": self.seed,
            "interrupted": self.is_interrupted,
            "verified": self.passed() && !self.is_interrupted,
            "files": self.matching.len(),
            "bytes": self.bytes(),
            "special": self.special,
            "failed": failed_files,
            "faults": {
                "planned": self.planned,
                "panic": panic,
                "error": error,
                "kill": kill,
                "exhaust_restarts": exhaust_restarts,
                "total": total,
            },
            "restarts": self.totals.restarts,
            "escalations": self.totals.escalations,
            "messages": {
                "accepted": accepted,
                "handled": handled,
                "lost_in_flight": lost_in_flight,
                "dead_lettered": dead_lettered,
                "queued": queued,
            },
            "jobs": {
                "submitted": submitted,
                "completed": done,
                "failed": failed,
                "dropped": dropped,
                "retried": retried,
            },
            "recovery_us": { "p50": p50, "p90": p90, "p99": p99, "max": max },
            "violations": self.violations(),
            "elapsed_ms": self.elapsed.as_millis() as u64,
        })
    }

    fn write_tree(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nThe tree after the attack. <7.3> is the third incarnation of actor 7.")?;
        let lines: Vec<&str> = self.tree.lines().collect();
        let hidden = if f.alternate() { 0 } else { lines.len().saturating_sub(TREE_LINES) };
        // The lines in the middle are workers of the pool.
        let (first, rest) = lines.split_at(lines.len().min(TREE_LINES / 2));
        first.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        if hidden > 0 {
            let hidden = counted(hidden as u64 + 1, "more line");
            writeln!(f, "      ... {hidden}, shown with --verbose")?;
        }
        let skipped = if hidden > 0 { hidden + 1 } else { 0 };
        rest.iter().skip(skipped).try_for_each(|line| writeln!(f, "{line}"))
    }

    fn write_numbers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FaultCounts { panic, error, kill, exhaust_restarts, total } = self.faults;
        let Recovery { p50, p99, max, .. } = self.recovery;
        let (m, jobs) = (&self.messages, &self.jobs);
        let (files, bytes) = (self.matching.len(), Bytes(self.bytes()));
        let special = counted(self.special, "special file");
        writeln!(f, "\nfiles     {files} ({bytes}), {special} skipped, {:.2} s", self.elapsed.as_secs_f64())?;
        writeln!(
            f,
            "faults    {total}: {}, {}, {}, {} of a supervisor",
            counted(panic, "panic"),
            counted(error, "error"),
            counted(kill, "kill"),
            counted(exhaust_restarts, "exhaustion"),
        )?;
        writeln!(
            f,
            "restarts  {}, {}; from crash to restart {p50} µs (median), {p99} µs (p99), {max} µs (max)",
            self.totals.restarts,
            counted(self.totals.escalations, "escalation"),
        )?;
        writeln!(
            f,
            "messages  {} = {} handled + {} lost in flight + {} dead letters + {} queued",
            m.accepted, m.handled, m.lost_in_flight, m.dead_lettered, m.queued
        )?;
        writeln!(
            f,
            "jobs      {} = {} completed + {} failed + {} dropped + {} left; {} tried again",
            jobs.submitted,
            jobs.done,
            jobs.failed,
            jobs.dropped,
            jobs.submitted - jobs.done - jobs.failed - jobs.dropped,
            jobs.retried
        )
    }

    fn write_failed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failed.is_empty() {
            return Ok(());
        }
        writeln!(f, "not read  {}", counted(self.failed.len() as u64, "file"))?;
        let failed = self.failed.iter().map(|(path, error)| format!("{}: {error}", path.display()));
        write_list(f, failed)
    }

    fn write_checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.checks.iter().filter(|check| check.passed()).count();
        writeln!(f, "checks    {passed} of {} passed", self.checks.len())?;
        for check in &self.checks {
            if !check.passed() {
                writeln!(f, "VIOLATED  {}", check.invariant)?;
                write_list(f, check.violations.iter().cloned())?;
            } else if f.alternate() {
                writeln!(f, "passed    {}", check.invariant)?;
            }
        }
        Ok(())
    }
}

/// Writes the lines of a list, and how many more there are.
fn write_list(f: &mut fmt::Formatter<'_>, lines: impl Iterator<Item = String>) -> fmt::Result {
    let (listed, width) = if f.alternate() { (LISTED_ALTERNATE, usize::MAX) } else { (LISTED, LINE - 4) };
    let mut lines = lines.fuse();
    for line in lines.by_ref().take(listed) {
        // A name of a file may hold a line break.
        let line = line.replace(char::is_control, "?");
        let end = line.char_indices().nth(width).map_or(line.len(), |(at, _)| at);
        writeln!(f, "    {}{}", &line[..end], if end < line.len() { "..." } else { "" })?;
    }
    match lines.count() as u64 {
        0 => Ok(()),
        more => writeln!(f, "    ... and {more} more"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_tree(f)?;
        self.write_numbers(f)?;
        self.write_failed(f)?;
        self.write_checks(f)?;
        writeln!(f, "\n{}", self.verdict())
    }
}
