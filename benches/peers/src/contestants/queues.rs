//! The durable queues apalis and River. They are in a program of their own,
//! `benches/peers/durable`, because sqlx links another version of SQLite than perennial.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::work::{Contestant, Task, printed};

/// apalis in the race.
pub const APALIS: Contestant = Contestant { name: "apalis", can, absence, run: |task| run("apalis", task) };

/// River in the race.
pub const RIVER: Contestant = Contestant { name: "river", can, absence, run: |task| run("river", task) };

/// The program, beside this one: both are built into one target directory.
const PROGRAM: &str = "perennial-durable-peers";

/// The most jobs of one work. 100,000 of apalis would take minutes in each round, and each of them
/// costs as much.
const MOST_JOBS: u64 = 6_400;

const fn can(task: Task) -> bool {
    matches!(task, Task::DurableJobs { .. })
}

fn absence() -> Option<&'static str> {
    program().is_none_or(|program| !program.is_file()).then_some("benches/peers/durable is not built")
}

fn program() -> Option<PathBuf> {
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    Some(std::env::current_exe().ok()?.parent()?.join(name))
}

fn run(name: &str, task: Task) -> Result<Vec<f64>> {
    let Task::DurableJobs { database, submitters, jobs } = task else {
        bail!("{name} has durable jobs only")
    };
    let place = database.create()?;
    let output = Command::new(program().context("this program does not find itself")?)
        .args([name, place.address(), &submitters.to_string(), &jobs.min(MOST_JOBS).to_string()])
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{PROGRAM} does not start"))?;
    ensure!(output.status.success(), "{name} failed: {}", output.status);
    printed(&output.stdout)
}
