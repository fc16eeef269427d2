//! The report of a run with accounts: as text for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::super::check::Check;
use super::super::data::RunData;
use super::super::report::{exit_code, shown_verdict, write_checks};
use super::super::text::counted;

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub is_interrupted: bool,
    pub numbers: Numbers,
    pub checks: Vec<Check>,
    pub elapsed: Duration,
}

/// What has happened, counted.
#[derive(Debug, Serialize)]
pub struct Numbers {
    pub accounts: u64,
    /// The transfers that were acknowledged, and those that were refused.
    pub acknowledged: u64,
    pub refused: u64,
    /// How often a worker process was killed.
    pub kills: u64,
    /// How many incarnations of accounts were killed, and how many of them went on beside the next
    /// one.
    pub killed_incarnations: u64,
    pub abandoned_incarnations: u64,
    /// How many writes of earlier incarnations the store has refused.
    pub refused_writes: u64,
    pub events: u64,
    pub jobs: u64,
}

impl Report {
    pub fn exit_code(&self) -> u8 {
        exit_code(&self.checks, self.is_interrupted, &BTreeMap::new())
    }

    /// Returns the result in one line.
    pub fn verdict(&self) -> String {
        let done = counted(self.numbers.acknowledged, "transfer");
        let what = counted(self.numbers.kills, "kill");
        shown_verdict(&self.checks, self.is_interrupted, &done, &what, 0, self.seed)
    }

    /// Returns the report as data.
    pub fn json(&self) -> impl Serialize + '_ {
        Data {
            run: RunData::new(self.seed, self.is_interrupted, &self.checks),
            numbers: &self.numbers,
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
    numbers: &'a Numbers,
    elapsed_ms: u128,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = &self.numbers;
        writeln!(f, "\naccounts  {}, {:.2} s", numbers.accounts, self.elapsed.as_secs_f64())?;
        writeln!(f, "transfers {} acknowledged, {} refused", numbers.acknowledged, numbers.refused)?;
        let kills = counted(numbers.killed_incarnations, "kill");
        writeln!(f, "kills     {} of the process, with SIGKILL; {kills} of single accounts", numbers.kills)?;
        let (late, writes) = (numbers.abandoned_incarnations, counted(numbers.refused_writes, "write"));
        writeln!(f, "late      {late} accounts went on beside their next incarnation; {writes} refused")?;
        writeln!(f, "store     {}, {}", counted(numbers.events, "event"), counted(numbers.jobs, "job"))?;
        write_checks(f, &self.checks)?;
        writeln!(f, "\n{}", self.verdict())
    }
}
