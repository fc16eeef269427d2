//! Races perennial against other actor libraries, a bare tokio task, and Erlang if it is installed;
//! and its durable pools against other durable queues.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- [--rounds N] [--only WORK]...
//! [--json FILE] [--markdown DIR] [--from FILE] [--against PROGRAM]
//! ```
//!
//! `--json` writes the results into a file. `--markdown` writes them into the documentation of the
//! repository in this folder: the tables of `docs/PERFORMANCE.md` and `README.md`, and the plots in
//! `docs/performance/`. With `--from`, the results are those of such a file, and nothing is
//! measured.
//!
//! With `--against`, the perennial of this build races that of another, say of an older checkout,
//! and nothing else. The two take turns, and the ratio of their medians is shown. The other is a
//! program of this package that was built there.
//!
//! The rules, the same for every contestant:
//!
//! - Every result is a cost, the median over the rounds. In each round every contestant does each
//!   work once, in a process of its own. A ratio is that of two costs of the same round, and the
//!   median over the rounds. The works whose slowest round has a target, and those that wait for a
//!   disk, have nine rounds, unless there is one of all. The order of the contestants rotates. A
//!   tenth of the work is done before it is measured, in the same process.
//! - The allocator is the system's. The runtime is tokio with two workers, timers and I/O enabled.
//!   The senders are tasks on it, as the actors are. With the suffix `_one_thread` it is the
//!   runtime of one thread. Actix and Erlang bring their own: a thread for the senders and one for
//!   the actors, or one for all; two schedulers.
//! - Each library is used as its documentation shows, with its default features. Where that shows
//!   more than one way, the cheapest is used.
//! - The state of an actor is two words. It counts messages down, and notifies the race at zero.
//! - `cast_1_1` and `cast_4_1` end when the last message is handled. The suffix `_bounded` stands
//!   for a mailbox of 1,024 messages whose sender waits for room; a `-` for a library without one.
//! - `cast_N_1` and `call_N_1` have N senders or callers, each a task, that share the messages or
//!   the calls. `fan_in` has 1,000 senders. `fan_out` is one task that sends to 1,000 actors in
//!   turn. In `ring`, 1,000 actors hand a number on, one to the next: there is one message at any
//!   time, and each wakes its actor.
//! - `call` is one request after the other from one task. A call of perennial has its default
//!   timeout of five seconds. No other contestant's call has a timeout.
//! - `spawn_stop` starts 200,000 actors, then stops them all, then waits for all exits. Some
//!   libraries wait for each start too, as the file of each contestant says.
//! - `restart_error` and `restart_panic` last from the message at which the handler of a supervised
//!   actor returns an error, or panics, to the first answer of its next incarnation, 20,000 times
//!   in a row. A call that fails in between yields and is repeated. No supervisor gives up, and no
//!   crash is printed or logged.
//! - `whereis`, `named_cast` and `named_cast_all` have 10,000 actors with a name each. `whereis`
//!   looks them all up in the same pseudo-random order, again and again. The result is dropped at
//!   once, and has the right type where the library can tell. Most of the cost is memory that is
//!   not cached. `named_cast` is `cast_1_1` to one of the 10,000, with a lookup before each
//!   message: the difference is the lookup. `named_cast_all` sends to all in turn, so that each
//!   message wakes its actor. Both end when the last message is handled.
//!   `whereis_skewed` looks up the n-th name in proportion to 1/n.
//! - `pool_empty_jobs` submits 500,000 empty jobs to a pool of four workers, from one task, and
//!   ends when the last is done. A job is a number without a result. The workers count down a
//!   number that they share.
//! - `pool_cpu_jobs` is the time of a pool of two workers for jobs of some 50 microseconds of
//!   arithmetic, in percent of the time of a pool of one. It is 50 if two workers do twice as much
//!   and no other program wants the processors: compare with bare.
//! - `durable_sync` is the floor of a job of one submitter: a page of 4 KiB is written over the one
//!   that is there, and synced, 1,000 times.
//! - `durable_jobs_1` and `durable_jobs_64` have so many submitters of 1,000 and of 6,400 empty
//!   jobs to a durable queue, which they share. A submitter goes on when its job is synced to the
//!   disk, and the work ends when the last completion is stored. The file is beside this program.
//!   Every commit of every contestant is synced: SQLite with a log ahead and `synchronous=FULL`.
//!   What has completed is kept, as is the default of all. Perennial's store is SQLite too. A pool
//!   has four workers and takes up to 256 jobs from the file at once. apalis and River are a
//!   program of their own, in `benches/peers/durable`, whose files say how they are used. The
//!   floor, bare, is one thread that inserts as many jobs as there are submitters and commits, and
//!   then takes them, marks them as done and commits, with one table and one index.
//!   `durable_jobs_100k` is 100,000 jobs of 64 submitters. apalis and River do 6,400 of them, so
//!   that a round takes a minute: what is compared is the cost of each job.
//! - `durable_calls_1` and `durable_calls_64` have so many callers of a durable actor each, which
//!   share 1,000 and 12,800 calls. Each persists an event, and is answered when that is synced to
//!   the disk. The floor, bare, is one thread that inserts an event for each caller, and commits.
//! - `durable_recovery` is the start of a durable actor with 1,000,000 events, without a snapshot
//!   and with one.
//! - `durable_rescue` kills a process with SIGKILL, 200 times, while its four workers each run a
//!   job, and starts it again. The results are the median and the 99th percentile of the time from
//!   before that start until the first job that was in work runs again.
//! - `remote_call` and `remote_cast` are messages between two processes, in plain TCP, or with the
//!   suffix `_quic` encrypted with certificates on both sides. The number is that of their bytes.
//!   The contestants are in a program of their own, `benches/peers/remote`, whose files say how
//!   they are used. The floor is zenoh, by which perennial sends: a call has to cost at most 1.3
//!   times `put` there and back, and a cast at most 1.25 times `put`. Bare is a connection of TCP
//!   with frames. kameo has no plain TCP, and encrypts all.
//! - The suffix `_postgres` stands for a PostgreSQL server on this machine with its default
//!   settings, so that each commit is synced. Each contestant has a server of its own, beside this
//!   program, whose start is not measured. Without PostgreSQL there are no such rows.
//! - `idle_bytes` is resident memory, with one address kept of each actor.
//! - `children_100` and `children_100k` start so many children of one dynamic supervisor, one after
//!   the other, and stop the tree. The result is the time for each child.
//! - `scale_10k`, `scale_100k` and `scale_1m` have so many workers below ten dynamic supervisors.
//!   The results are the time of the start for each worker, that of one message to each, that of a
//!   crash for each crash, if one in a hundred crashes at the same time, and that of the orderly
//!   stop for each worker; the time of all four for each worker; the peak of the resident memory,
//!   for each worker and of the process; and the resident memory after all have gone, in percent of
//!   that after the first repetition. Each is repeated until 200,000 workers have been measured,
//!   after a repetition that is not measured. A start is over when the worker runs, a crash when
//!   the next incarnation runs, and the stop when every supervisor and every worker has ended.
//!   Mailboxes are the default ones. There is no tree of actix.

mod builds;
mod contestants;
mod race;
mod report;
mod shared;
mod targets;
mod work;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

use race::Entrant;
use report::Report;
use work::{WORKS, Work};

/// Races perennial against its peers and says which of its targets it meets.
#[derive(Debug, Parser)]
struct Cli {
    /// How often each contestant does each work; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only this work; may be given more than once.
    #[arg(long, value_name = "WORK", value_parser = work_names())]
    only: Vec<String>,
    /// Writes the results here too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the results into the documentation of the repository in this folder.
    #[arg(long, value_name = "DIR")]
    markdown: Option<PathBuf>,
    /// Reads the results from a file that --json wrote, and measures nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rounds", "only", "json", "against"])]
    from: Option<PathBuf>,
    /// Races only the perennial of this build, against that of another build of this program.
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["json", "markdown"])]
    against: Option<PathBuf>,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// Does one work once, in this process, and prints the cost.
    #[command(hide = true, name = race::CHILD)]
    Child {
        #[arg(value_parser = work_names())]
        work: String,
        #[arg(value_parser = contestant_names())]
        contestant: String,
    },
    /// Works on the jobs in a file or a server until it is killed.
    #[command(hide = true, name = contestants::UNTIL_KILLED)]
    UntilKilled { address: String },
}

fn work_names() -> PossibleValuesParser {
    PossibleValuesParser::new(WORKS.iter().map(|work| work.name))
}

fn contestant_names() -> PossibleValuesParser {
    PossibleValuesParser::new(contestants::ALL.map(|contestant| contestant.name))
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(inner) = cli.inner {
        let (work, contestant) = match inner {
            Inner::Child { work, contestant } => (work, contestant),
            Inner::UntilKilled { address } => return contestants::work_until_killed(address),
        };
        let work = work::named(&work).context("there is no such work")?;
        let contestant = contestants::ALL.into_iter().find(|other| other.name == contestant);
        let contestant = contestant.context("there is no such contestant")?;
        for result in (contestant.run)(work.task)? {
            println!("{result}");
        }
        return Ok(());
    }
    let works: Vec<&Work> =
        WORKS.iter().filter(|work| cli.only.is_empty() || cli.only.iter().any(|n| n == work.name)).collect();
    let program = std::env::current_exe().context("this program does not find itself")?;
    if let Some(other) = cli.against {
        let results = builds::run(&works, &program, &other, cli.rounds)?;
        print!("{}", builds::table(&results));
        return Ok(());
    }
    let report = match &cli.from {
        Some(file) => read(file)?,
        None => race(&works, &program, cli.rounds)?,
    };
    print!("{}", report::table(&report));
    if let Some(file) = cli.json {
        let json = serde_json::to_string_pretty(&report).context("the report cannot be written as JSON")?;
        std::fs::write(&file, json + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if let Some(root) = cli.markdown {
        report::write(&report, &root)?;
    }
    Ok(())
}

fn race(works: &[&'static Work], program: &Path, rounds: u32) -> Result<Report> {
    let entrants = contestants::ALL.map(|contestant| Entrant { name: contestant.name, contestant, program });
    let outcomes = race::run(works, &entrants, |work| targets::rounds(work, rounds))?;
    Report::new(&outcomes, rounds)
}

fn read(file: &Path) -> Result<Report> {
    let json = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&json).with_context(|| format!("{} is no report", file.display()))
}
