//! The report of a run with nodes: as text for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::super::check::Check;
use super::super::data::{FileData, RunData, total_bytes};
use super::super::files::Digest;
use super::super::recovery::Recovery;
use super::super::report::{exit_code, shown_verdict, write_checks, write_failed};
use super::super::text::{Bytes, counted};
use super::recovery::Counts;

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub is_interrupted: bool,
    /// The files that have the same digest as in the sequential pass.
    pub matching: BTreeMap<PathBuf, Digest>,
    pub failed: BTreeMap<PathBuf, String>,
    pub special: u64,
    pub nodes: usize,
    /// How many faults were carried out, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    pub counts: Counts,
    pub recovery: Recovery,
    pub checks: Vec<Check>,
    pub elapsed: Duration,
}

impl Report {
    pub fn exit_code(&self) -> u8 {
        exit_code(&self.checks, self.is_interrupted, &self.failed)
    }

    /// Returns the result in one line.
    pub fn verdict(&self) -> String {
        let what = format!("{} nodes, {}", self.nodes, counted(self.total(), "fault"));
        let files = counted(self.matching.len() as u64, "file");
        shown_verdict(&self.checks, self.is_interrupted, &files, &what, self.failed.len(), self.seed)
    }

    fn total(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Returns the report as data.
    pub fn json(&self) -> impl Serialize + '_ {
        Data {
            run: RunData::new(self.seed, self.is_interrupted, &self.checks),
            files: FileData::new(&self.matching, self.special, &self.failed),
            nodes: self.nodes,
            faults: &self.faults,
            messages: self.counts,
            recovery_us: self.recovery,
            elapsed_ms: self.elapsed.as_millis(),
        }
    }
}

/// The report as data.
#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    run: RunData,
    #[serde(flatten)]
    files: FileData<'a>,
    nodes: usize,
    faults: &'a BTreeMap<&'static str, u64>,
    messages: Counts,
    recovery_us: Recovery,
    elapsed_ms: u128,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, bytes) = (self.matching.len(), Bytes(total_bytes(&self.matching)));
        let special = counted(self.special, "special file");
        writeln!(f, "\nfiles     {files} ({bytes}), {special} skipped, {:.2} s", self.elapsed.as_secs_f64())?;
        let Counts { boots, sent, acknowledged, refused, unknown, handled, monitors, disconnected, lost } =
            self.counts;
        let disconnected = counted(disconnected, "lost connection");
        writeln!(f, "nodes     {} in {}; {disconnected}", self.nodes, counted(boots, "boot"))?;
        let kinds = self.faults.iter().map(|(kind, count)| format!("{count} {kind}"));
        writeln!(f, "faults    {}: {}", self.total(), kinds.collect::<Vec<_>>().join(", "))?;
        writeln!(
            f,
            "messages  {sent} sent, {handled} handled, {refused} refused; {}",
            counted(lost, "lost packet")
        )?;
        writeln!(f, "calls     {acknowledged} acknowledged, {unknown} without an answer")?;
        writeln!(f, "monitors  {monitors} ended")?;
        let Recovery { p50, p99, max, .. } = self.recovery;
        writeln!(
            f,
            "recovery  from the end of a fault {} ms (median), {} ms (p99), {} ms (max)",
            p50 / 1000,
            p99 / 1000,
            max / 1000
        )?;
        write_failed(f, &self.failed)?;
        write_checks(f, &self.checks)?;
        writeln!(f, "\n{}", self.verdict())
    }
}
