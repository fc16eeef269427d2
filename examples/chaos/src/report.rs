//! The report of a run: as text for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use perennial::pool::PoolStats;
use perennial::{MessageStats, SupervisionStats};
use serde::Serialize;

use super::check::Check;
use super::data::{FileData, RunData, total_bytes, violations};
use super::files::Digest;
use super::history::History;
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
    pub totals: SupervisionStats,
    pub messages: MessageStats,
    pub jobs: PoolStats,
    pub recovery: Recovery,
    pub history: History,
    pub checks: Vec<Check>,
    /// The tree after the attack.
    pub tree: String,
    pub elapsed: Duration,
}

/// The report as data.
#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    run: RunData,
    #[serde(flatten)]
    files: FileData<'a>,
    faults: FaultData,
    supervision: SupervisionStats,
    messages: MessageStats,
    jobs: PoolStats,
    recovery_us: Recovery,
    elapsed_ms: u128,
}

#[derive(Serialize)]
struct FaultData {
    planned: usize,
    #[serde(flatten)]
    done: FaultCounts,
}

/// How many lines the tree takes, and how many it takes at least when other lines need the room.
const TREE_LINES: usize = 10;
const FEWEST_TREE_LINES: usize = 4;

/// How many other lines there is room for on a screen, besides those that every report has.
const ROOM: usize = 1;

/// How many files that were not read are listed.
const LISTED: usize = 3;

/// The same for the alternate form, which lists more than that only in the JSON report.
const LISTED_ALTERNATE: usize = 1000;

/// The longest line of the short form.
const LINE: usize = 100;

impl Report {
    pub fn exit_code(&self) -> u8 {
        exit_code(&self.checks, self.is_interrupted, &self.failed)
    }

    /// Returns the result in one line.
    pub fn verdict(&self) -> String {
        let what = counted(self.faults.total, "fault");
        let files = counted(self.matching.len() as u64, "file");
        shown_verdict(&self.checks, self.is_interrupted, &files, &what, self.failed.len(), self.seed)
    }

    /// Returns the report as data.
    pub fn json(&self) -> impl Serialize + '_ {
        Data {
            run: RunData::new(self.seed, self.is_interrupted, &self.checks),
            files: FileData::new(&self.matching, self.special, &self.failed),
            faults: FaultData { planned: self.planned, done: self.faults },
            supervision: self.totals,
            messages: self.messages,
            jobs: self.jobs,
            recovery_us: self.recovery,
            elapsed_ms: self.elapsed.as_millis(),
        }
    }

    /// Returns how many lines of the tree the short form shows.
    fn tree_lines(&self) -> usize {
        let unread = if self.failed.is_empty() { 0 } else { 2 + self.failed.len().min(LISTED) };
        let violated = self.checks.iter().filter(|check| !check.passed()).count();
        (TREE_LINES + ROOM).saturating_sub(unread + violated).clamp(FEWEST_TREE_LINES, TREE_LINES)
    }

    fn write_tree(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nThe tree after the attack. <7.3> is the third incarnation of actor 7.")?;
        let lines: Vec<&str> = self.tree.lines().collect();
        let shown = if f.alternate() { lines.len() } else { self.tree_lines() };
        if lines.len() <= shown {
            return lines.iter().try_for_each(|line| writeln!(f, "{line}"));
        }
        // The lines in the middle are workers of the pool. One line says that they are hidden.
        let (first, last) = (shown / 2, shown - shown / 2 - 1);
        lines[..first].iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "      ... {} more lines, shown with --verbose", lines.len() - first - last)?;
        lines[lines.len() - last..].iter().try_for_each(|line| writeln!(f, "{line}"))
    }

    fn write_numbers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FaultCounts { panic, error, kill, exhaust_restarts, total } = self.faults;
        let Recovery { p50, p99, max, .. } = self.recovery;
        let (m, jobs) = (&self.messages, &self.jobs);
        let (files, bytes) = (self.matching.len(), Bytes(total_bytes(&self.matching)));
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
            "restarts  {}, {}; recovery {p50} µs (median), {p99} µs (p99), {max} µs (max)",
            self.totals.restarts,
            counted(self.totals.escalations, "escalation"),
        )?;
        writeln!(
            f,
            "messages  {} = {} handled + {} lost in flight + {} dead-lettered + {} queued",
            m.accepted, m.handled, m.lost_in_flight, m.dead_lettered, m.queued
        )?;
        writeln!(
            f,
            "jobs      {} = {} completed + {} failed + {} dropped + {} left; {} tried again",
            jobs.submitted,
            jobs.completed,
            jobs.failed,
            jobs.dropped,
            jobs.submitted - jobs.completed - jobs.failed - jobs.dropped,
            jobs.retried
        )
    }
}

pub fn exit_code(checks: &[Check], is_interrupted: bool, failed: &BTreeMap<PathBuf, String>) -> u8 {
    match (checks.iter().all(Check::passed), is_interrupted, failed.is_empty()) {
        (false, ..) => 1,
        (true, true, _) => interrupt::EXIT_CODE,
        (true, false, false) => 3,
        (true, false, true) => 0,
    }
}

/// Returns a result in one line: what was `done`, and what was done to the system.
pub fn shown_verdict(
    checks: &[Check],
    is_interrupted: bool,
    done: &str,
    what: &str,
    failed: usize,
    seed: u64,
) -> String {
    let violations = violations(checks);
    if let Some(first) = violations.first() {
        let count = counted(violations.len() as u64, "violation");
        return shorten(&format!("VIOLATED (seed {seed}): {count}, the first: {first}"), LINE);
    }
    if is_interrupted {
        return format!("interrupted: {done} and {what} so far, not verified (seed {seed})");
    }
    match failed {
        0 => format!("verified: {done}, {what}, nothing lost (seed {seed})"),
        failed => format!("verified: {done}, {what}, but {failed} could not be read (seed {seed})"),
    }
}

/// Writes the files that were not read.
pub fn write_failed(f: &mut fmt::Formatter<'_>, failed: &BTreeMap<PathBuf, String>) -> fmt::Result {
    if failed.is_empty() {
        return Ok(());
    }
    writeln!(f, "not read  {}", counted(failed.len() as u64, "file"))?;
    let (listed, width) = limits(f, LISTED);
    for (path, error) in failed.iter().take(listed) {
        writeln!(f, "{}", shorten(&format!("    {}: {error}", path.display()), width))?;
    }
    match failed.len().saturating_sub(listed) {
        0 => Ok(()),
        more => writeln!(f, "    ... and {more} more"),
    }
}

/// Writes the checks: those that failed, and in the alternate form all of them.
pub fn write_checks(f: &mut fmt::Formatter<'_>, checks: &[Check]) -> fmt::Result {
    let passed = checks.iter().filter(|check| check.passed()).count();
    writeln!(f, "checks    {passed} of {} passed", checks.len())?;
    let (listed, width) = limits(f, 1);
    for Check { invariant, violations } in checks {
        match violations.as_slice() {
            [] if f.alternate() => writeln!(f, "passed    {invariant}")?,
            [] => {}
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                let line = format!("VIOLATED  {invariant}: {first}");
                writeln!(f, "{}{more}", shorten(&line, width.saturating_sub(more.len())))?;
                let rest = rest.iter().take(listed - 1);
                rest.map(|text| shorten(text, width)).try_for_each(|text| writeln!(f, "    {text}"))?;
            }
        }
    }
    Ok(())
}

/// Returns how many entries of a list are written, and the longest line.
fn limits(f: &fmt::Formatter<'_>, listed: usize) -> (usize, usize) {
    if f.alternate() { (LISTED_ALTERNATE, usize::MAX) } else { (listed, LINE) }
}

/// Returns the text in one line of at most `width` characters. A name of a file may hold a line
/// break.
fn shorten(text: &str, width: usize) -> String {
    let line = text.replace(char::is_control, "?");
    if line.chars().count() <= width {
        return line;
    }
    line.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_tree(f)?;
        self.write_numbers(f)?;
        write_failed(f, &self.failed)?;
        write_checks(f, &self.checks)?;
        writeln!(f, "\n{}", self.verdict())
    }
}
