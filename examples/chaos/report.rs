//! What a run came to: for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::HumanBytes;
use perennial::pool::PoolStats;
use perennial::{MessageStats, SupervisionStats};
use serde::Serialize;

use super::check::Check;
use super::files::Digest;
use super::recovery::{Faults, Recovery};

/// Everything there is to say about a run.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub sound: BTreeMap<PathBuf, Digest>,
    pub failed: BTreeMap<PathBuf, String>,
    pub special: u64,
    pub faults: Faults,
    pub totals: SupervisionStats,
    pub messages: MessageStats,
    pub jobs: PoolStats,
    pub recovery: Recovery,
    pub checks: Vec<Check>,
    pub tree: String,
    pub elapsed: Duration,
}

/// How many violations of one invariant, and how many failed files, are printed. JSON has them all.
const SHOWN: usize = 10;

impl Report {
    fn violations(&self) -> Vec<String> {
        let all = self.checks.iter();
        all.flat_map(|check| check.violations.iter().map(|text| format!("{}: {text}", check.invariant)))
            .collect()
    }

    fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.violations.is_empty())
    }

    fn bytes(&self) -> u64 {
        self.sound.values().map(|digest| digest.bytes).sum()
    }

    pub fn exit_code(&self) -> u8 {
        match (self.holds(), self.failed.is_empty()) {
            (false, _) => 1,
            (true, false) => 3,
            (true, true) => 0,
        }
    }

    /// The whole run in one line.
    pub fn verdict(&self) -> String {
        let (files, faults, seed) = (self.sound.len(), self.faults.total, self.seed);
        match self.exit_code() {
            0 => format!("verified: {files} files, {faults} faults, nothing lost (seed {seed})"),
            3 => format!(
                "verified: {files} files, {faults} faults, but {} could not be read (seed {seed})",
                self.failed.len()
            ),
            _ => {
                let violations = self.violations();
                let shown = violations.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
                format!("VIOLATED (seed {seed}), {} times: {shown}", violations.len())
            }
        }
    }

    pub fn json(&self) -> impl Serialize {
        let MessageStats { accepted, handled, lost_in_flight, dead_lettered, queued } = self.messages;
        let PoolStats { submitted, completed: done, failed, dropped, retried, .. } = self.jobs;
        let jobs = Jobs { submitted, done, failed, dropped, retried };
        let failed = self.failed.iter();
        Json {
            version: 1,
            seed: self.seed,
            files: self.sound.len() as u64,
            bytes: self.bytes(),
            special: self.special,
            failed: failed
                .map(|(path, error)| FailedFile {
                    path: path.to_string_lossy().into_owned(),
                    error: error.clone(),
                })
                .collect(),
            faults: self.faults,
            restarts: self.totals.restarts,
            escalations: self.totals.escalations,
            messages: Messages { accepted, handled, lost_in_flight, dead_lettered, queued },
            jobs,
            recovery_us: self.recovery,
            violations: self.violations(),
            verified: self.holds(),
            elapsed_ms: self.elapsed.as_millis() as u64,
        }
    }

    fn write_failed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failed.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nnot read:")?;
        for (path, error) in self.failed.iter().take(SHOWN) {
            writeln!(f, "  {}: {error}", path.display())?;
        }
        more(f, self.failed.len())
    }

    fn write_checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\ninvariants:")?;
        for Check { invariant, violations } in &self.checks {
            writeln!(f, "  {}  {invariant}", if violations.is_empty() { "held    " } else { "VIOLATED" })?;
            for text in violations.iter().take(SHOWN) {
                writeln!(f, "            {text}")?;
            }
            more(f, violations.len())?;
        }
        Ok(())
    }
}

fn more(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    if count > SHOWN { writeln!(f, "  ... and {} more", count - SHOWN) } else { Ok(()) }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Faults { panic, error, kill, total } = self.faults;
        let Recovery { p50, p90, p99, max } = self.recovery;
        let (m, jobs) = (&self.messages, &self.jobs);
        writeln!(f, "the tree after the attack:\n{}", self.tree)?;
        writeln!(
            f,
            "files        {} ({}), {} special ones skipped",
            self.sound.len(),
            HumanBytes(self.bytes()),
            self.special
        )?;
        writeln!(f, "faults       {total}: {panic} panics, {error} errors, {kill} kills")?;
        writeln!(f, "restarts     {}, escalations {}", self.totals.restarts, self.totals.escalations)?;
        writeln!(
            f,
            "messages     {} accepted = {} handled + {} lost in flight + {} dead-lettered + {} queued",
            m.accepted, m.handled, m.lost_in_flight, m.dead_lettered, m.queued
        )?;
        writeln!(
            f,
            "jobs         {} submitted = {} done + {} failed + {} dropped; {} attempts tried again",
            jobs.submitted, jobs.completed, jobs.failed, jobs.dropped, jobs.retried
        )?;
        writeln!(
            f,
            "recovery     p50 {p50} µs, p90 {p90} µs, p99 {p99} µs, max {max} µs (crash to the next one at work)"
        )?;
        writeln!(f, "elapsed      {:.2} s", self.elapsed.as_secs_f64())?;
        self.write_failed(f)?;
        self.write_checks(f)?;
        writeln!(f, "\n{}", self.verdict())
    }
}

#[derive(Serialize)]
struct Json {
    version: u32,
    seed: u64,
    files: u64,
    bytes: u64,
    special: u64,
    failed: Vec<FailedFile>,
    faults: Faults,
    restarts: u64,
    escalations: u64,
    messages: Messages,
    jobs: Jobs,
    recovery_us: Recovery,
    violations: Vec<String>,
    verified: bool,
    elapsed_ms: u64,
}

#[derive(Serialize)]
struct FailedFile {
    path: String,
    error: String,
}

#[derive(Serialize)]
struct Messages {
    accepted: u64,
    handled: u64,
    lost_in_flight: u64,
    dead_lettered: u64,
    queued: u64,
}

#[derive(Serialize)]
struct Jobs {
    submitted: u64,
    done: u64,
    failed: u64,
    dropped: u64,
    retried: u64,
}
