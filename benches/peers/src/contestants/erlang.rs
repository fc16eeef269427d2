//! Erlang itself, if `erl` is on the PATH: a plain process with a receive loop, on two schedulers.
//!
//! A call is a message with a new reference and a selective receive, as in `gen`. The end of a
//! process is awaited with a monitor.
//!
//! A supervised process is a named `gen_server` under a `supervisor`, both of OTP. It is called by
//! its name until an incarnation answers. Nothing is logged.
//!
//! A pool is a process with the queue, and workers that request each job from it.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use crate::work::{
    CALLS, CASTS, CPU_JOBS, CRASHES, Contestant, Crash, IDLE, JOB_ROUNDS, JOBS, LIVES, LOOKUPS, NAMES, Task,
    Threads, WORKERS,
};

/// Erlang in the race. Its mailboxes have no bounds, and its schedulers are not ours to choose.
pub const CONTESTANT: Contestant = Contestant {
    name: "erlang",
    can: |task| !task.is_bounded() && task.threads() == Threads::Two,
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
fn run(task: Task) -> Result<f64> {
    let dir = tempfile::tempdir().context("there is no room for the Erlang sources")?;
    std::fs::write(dir.path().join("peers.erl"), SOURCE).context("the Erlang source cannot be written")?;
    succeed(Command::new("erlc").arg("peers.erl").current_dir(dir.path()), "erlc")?;
    let output = succeed(&mut erl(dir.path(), task), "erl")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("erl printed {text:?} instead of a number"))
}

fn erl(dir: &Path, task: Task) -> Command {
    let args = match task {
        Task::Cast { senders, .. } => vec!["cast".to_owned(), senders.to_string(), CASTS.to_string()],
        Task::Call { .. } => vec!["call".to_owned(), CALLS.to_string()],
        Task::SpawnStop => vec!["spawn_stop".to_owned(), LIVES.to_string()],
        Task::Restart(crash) => {
            let how = if crash == Crash::Error { "error" } else { "panic" };
            vec!["restart".to_owned(), how.to_owned(), CRASHES.to_string()]
        }
        Task::Whereis => vec!["whereis".to_owned(), NAMES.to_string(), LOOKUPS.to_string()],
        Task::NamedCast { actors } => {
            vec!["named_cast".to_owned(), NAMES.to_string(), actors.to_string(), CASTS.to_string()]
        }
        Task::EmptyJobs { .. } => vec!["empty_jobs".to_owned(), WORKERS.to_string(), JOBS.to_string()],
        Task::SpeedUp => vec!["speed_up".to_owned(), JOB_ROUNDS.to_string(), CPU_JOBS.to_string()],
        Task::IdleBytes => vec!["idle_bytes".to_owned(), IDLE.to_string()],
    };
    let mut erl = Command::new("erl");
    erl.args(["+S", "2:2", "+P", "1000000", "-noshell", "-noinput", "-run", "peers", "main"]);
    erl.args(args).current_dir(dir);
    erl
}

fn succeed(command: &mut Command, name: &str) -> Result<Output> {
    let output = command.output().with_context(|| format!("{name} does not start"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{name} failed: {stderr}{stdout}");
    Ok(output)
}
