//! The rescue of the jobs of a process that was killed: how long the next process needs.

use std::io::{BufRead, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use perennial::System;
use perennial::pool::Pool;
use perennial_durable::pool::Durable;

use super::durable::open;
use crate::work::{Database, KILLS, Threads, WORKERS, block_on};

/// The hidden command of the process that is killed.
pub const COMMAND: &str = "until-killed";

/// Kills a process that works [`KILLS`] times. Returns the median and the 99th percentile of the
/// time from before the start of the next process until its first attempt at one of the jobs that
/// were in work, in milliseconds.
pub fn rescues(database: Database) -> Result<Vec<f64>> {
    let place = database.create()?;
    // It has no jobs to rescue: it submits them.
    Process::start(place.address())?.kill_when_all_run()?;
    let mut times = Vec::new();
    for _ in 0..KILLS {
        let begin = Instant::now();
        let mut process = Process::start(place.address())?;
        process.wait_for_attempt()?;
        times.push(begin.elapsed().as_secs_f64() * 1_000.0);
        process.left -= 1;
        process.kill_when_all_run()?;
    }
    times.sort_by(f64::total_cmp);
    let part = |percent: usize| times.get((times.len() * percent).div_ceil(100) - 1).copied();
    Ok([part(50), part(99)].into_iter().flatten().collect())
}

/// A process that works, and prints a line at each attempt.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The attempts that have not started.
    left: usize,
}

impl Process {
    fn start(address: &str) -> Result<Self> {
        let program = std::env::current_exe().context("this program does not find itself")?;
        let mut child = Command::new(program)
            .arg(COMMAND)
            .arg(address)
            .stdout(Stdio::piped())
            .spawn()
            .context("the process does not start")?;
        let output = child.stdout.take().context("the process has no output")?;
        Ok(Self { child, lines: BufReader::new(output).lines(), left: WORKERS })
    }

    fn wait_for_attempt(&mut self) -> Result<()> {
        self.lines.next().context("the process ended before it ran all jobs")??;
        Ok(())
    }

    fn kill_when_all_run(mut self) -> Result<()> {
        for _ in 0..self.left {
            self.wait_for_attempt()?;
        }
        // SIGKILL.
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// Works on the jobs at this address, none of which ends. If there are none, they are submitted
/// first.
pub fn work_until_killed(address: String) -> Result<()> {
    block_on(Threads::Two, async move {
        let store = open(&address).await?;
        let pool = Pool::from_fn("jobs", WORKERS, |(): &()| async {
            let printed = announce();
            if printed.is_ok() {
                tokio::time::sleep(Duration::MAX).await;
            }
            printed
        });
        let pool = pool.durable(store).lost_workers(u32::MAX);
        let jobs = pool.handle();
        let app = pool.start(&System::new()).await.context("the pool did not start")?;
        if jobs.info().await?.jobs.is_empty() {
            for _ in 0..WORKERS {
                jobs.submit(()).await.map_err(|refused| anyhow!("{refused}"))?;
            }
        }
        std::future::pending::<()>().await;
        drop(app);
        Ok(())
    })
}

fn announce() -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "attempt")?;
    output.flush()
}
