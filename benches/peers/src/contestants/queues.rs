//! The durable queues apalis and River, and the durable actors of tellus. They are in a program of
//! their own, `benches/peers/durable`, because sqlx links another version of SQLite than perennial.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::work::{Contestant, Database, Task, printed};

/// apalis in the race.
pub const APALIS: Contestant = Contestant { name: "apalis", can, absence, run: |task| run("apalis", task) };

/// River in the race.
pub const RIVER: Contestant = Contestant { name: "river", can, absence, run: |task| run("river", task) };

/// tellus in the race. Its only store that outlives the process is in PostgreSQL.
pub const TELLUS: Contestant = Contestant {
    name: "tellus",
    can: |task| matches!(task, Task::DurableCalls { database: Database::Postgres, .. }),
    absence,
    run: |task| run("tellus", task),
};

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
    let (database, submitters, count) = match task {
        Task::DurableJobs { database, submitters, jobs } => (database, submitters, jobs.min(MOST_JOBS)),
        Task::DurableCalls { database, callers, calls } => (database, callers, calls),
        _ => bail!("{name} has nothing like it"),
    };
    let place = database.create()?;
    let output = Command::new(program().context("this program does not find itself")?)
        .args([name, place.address(), &submitters.to_string(), &count.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{PROGRAM} does not start"))?;
    ensure!(output.status.success(), "{name} failed: {}", output.status);
    printed(&output.stdout)
}
