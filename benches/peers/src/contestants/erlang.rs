//! Erlang itself, if `erl` is on the PATH: a plain process with a receive loop, on two schedulers.
//!
//! A call is a message with a new reference and a selective receive, as in `gen`. The end of a
//! process is awaited with a monitor.
//!
//! A supervised process is a named `gen_server` under a `supervisor`, both of OTP. It is called by
//! its name until an incarnation answers. Nothing is logged.
//!
//! A tree has `simple_one_for_one` supervisors of `gen_server`s below another supervisor. The
//! periods are seconds: a supervisor remembers all crashes of a second, and scans them at each one.
//!
//! A pool is a process with the queue, and workers that request each job from it.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use crate::work::{
    CALLS, CASTS, CPU_JOBS, CRASHES, CROWD, Contestant, Crash, IDLE, JOB_ROUNDS, JOBS, LIVES, LOOKUPS, NAMES,
    ONE_CRASH_IN, Popularity, REPEATED, SUPERVISORS, Task, Threads, WORKERS, printed,
};

/// Erlang in the race. Its mailboxes have no bounds, and its schedulers are not ours to choose.
pub const CONTESTANT: Contestant = Contestant {
    name: "erlang",
    can: |task| {
        let is_here = !task.is_bounded() && task.is_local() && task.threads() == Threads::Two;
        is_here && !matches!(task, Task::CallInTime { .. })
    },
    absence: || (!is_on_path()).then_some("not on PATH"),
    run,
};

const SOURCE: &str = include_str!("peers.erl");

/// Returns `true` if Erlang and its compiler are on the PATH.
fn is_on_path() -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        ["erl", "erlc"].iter().all(|name| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
    })
}

/// Compiles the race in a temporary directory, and runs one task of it in a separate Erlang virtual
/// machine.
fn run(task: Task) -> Result<Vec<f64>> {
    let dir = tempfile::tempdir().context("there is no room for the Erlang sources")?;
    std::fs::write(dir.path().join("peers.erl"), SOURCE).context("the Erlang source cannot be written")?;
    succeed(Command::new("erlc").arg("peers.erl").current_dir(dir.path()), "erlc")?;
    let output = succeed(&mut erl(dir.path(), task)?, "erl")?;
    printed(&output.stdout)
}

fn erl(dir: &Path, task: Task) -> Result<Command> {
    let (work, numbers) = match task {
        Task::Cast { senders, .. } => ("cast", vec![senders, CASTS]),
        Task::Call { callers, .. } => ("call", vec![callers, CALLS]),
        Task::Ring => ("ring", vec![CROWD, CASTS]),
        Task::FanOut => ("fan_out", vec![CROWD, CASTS / CROWD]),
        Task::SpawnStop => ("spawn_stop", vec![LIVES]),
        Task::Restart(Crash::Error) => ("restart_error", vec![CRASHES]),
        Task::Restart(Crash::Panic) => ("restart_panic", vec![CRASHES]),
        Task::Whereis(Popularity::Even) => ("whereis", vec![NAMES, LOOKUPS]),
        Task::Whereis(Popularity::Skewed) => ("whereis_skewed", vec![NAMES, LOOKUPS]),
        Task::NamedCast { actors } => ("named_cast", vec![NAMES, actors, CASTS]),
        Task::EmptyJobs { .. } => ("empty_jobs", vec![WORKERS as u64, JOBS]),
        Task::CallInTime { .. } => bail!("its calls have no timeout here"),
        Task::SpeedUp => ("speed_up", vec![JOB_ROUNDS, CPU_JOBS]),
        Task::IdleBytes => ("idle_bytes", vec![IDLE]),
        Task::Children { children } => ("children", vec![children, (REPEATED / children).max(1)]),
        Task::Scale { workers } => {
            ("scale", vec![SUPERVISORS, workers, ONE_CRASH_IN, (REPEATED / workers).max(1)])
        }
        _ => bail!("it has nothing durable, and one node here"),
    };
    let mut erl = Command::new("erl");
    erl.args(["+S", "2:2", "+P", "2000000", "-noshell", "-noinput", "-run", "peers", "main", work]);
    erl.args(numbers.iter().map(u64::to_string)).current_dir(dir);
    Ok(erl)
}

fn succeed(command: &mut Command, name: &str) -> Result<Output> {
    let output = command.output().with_context(|| format!("{name} does not start"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{name} failed: {stderr}{stdout}");
    Ok(output)
}
