//! The report of a run with a durable pool: as text for people, and as JSON.

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

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub is_interrupted: bool,
    /// The files that have the same digest as in the sequential pass.
    pub matching: BTreeMap<PathBuf, Digest>,
    pub failed: BTreeMap<PathBuf, String>,
    pub special: u64,
    /// How often a worker process was killed.
    pub kills: u64,
    /// The jobs that were acknowledged.
    pub acknowledged: u64,
    /// The jobs in the store.
    pub jobs: u64,
    /// Their attempts, and those that a kill has cut off.
    pub attempts: u64,
    pub cut_off: u64,
    /// How often a process found jobs of a killed one.
    pub rescues: u64,
    pub rescue: Recovery,
    pub checks: Vec<Check>,
    pub elapsed: Duration,
}

impl Report {
    pub fn exit_code(&self) -> u8 {
        exit_code(&self.checks, self.is_interrupted, &self.failed)
    }

    /// Returns the result in one line.
    pub fn verdict(&self) -> String {
        let what = counted(self.kills, "kill");
        let files = counted(self.matching.len() as u64, "file");
        shown_verdict(&self.checks, self.is_interrupted, &files, &what, self.failed.len(), self.seed)
    }

    /// Returns the report as data.
    pub fn json(&self) -> impl Serialize + '_ {
        Data {
            run: RunData::new(self.seed, self.is_interrupted, &self.checks),
            files: FileData::new(&self.matching, self.special, &self.failed),
            kills: self.kills,
            jobs: JobData {
                acknowledged: self.acknowledged,
                stored: self.jobs,
                attempts: self.attempts,
                cut_off: self.cut_off,
            },
            rescues: self.rescues,
            rescue_us: self.rescue,
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
    kills: u64,
    jobs: JobData,
    rescues: u64,
    rescue_us: Recovery,
    elapsed_ms: u128,
}

#[derive(Serialize)]
struct JobData {
    acknowledged: u64,
    stored: u64,
    attempts: u64,
    cut_off: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, bytes) = (self.matching.len(), Bytes(total_bytes(&self.matching)));
        let special = counted(self.special, "special file");
        writeln!(f, "\nfiles     {files} ({bytes}), {special} skipped, {:.2} s", self.elapsed.as_secs_f64())?;
        writeln!(f, "kills     {} of the process, with SIGKILL", self.kills)?;
        writeln!(
            f,
            "jobs      {} acknowledged, {} in the store; {}, {} of them cut off by a kill",
            self.acknowledged,
            self.jobs,
            counted(self.attempts, "attempt"),
            self.cut_off,
        )?;
        let Recovery { p50, p99, max, .. } = self.rescue;
        writeln!(
            f,
            "rescues   {}; from the start of a process {p50} µs (median), {p99} µs (p99), {max} µs (max)",
            self.rescues
        )?;
        write_failed(f, &self.failed)?;
        write_checks(f, &self.checks)?;
        writeln!(f, "\n{}", self.verdict())
    }
}
