//! Races perennial against other actor libraries, a bare tokio task, and Erlang if it is installed.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- [--rounds N] [--only WORK]...
//! [--json FILE] [--against PROGRAM]
//! ```
//!
//! With `--against`, the perennial of this build races that of another, say of an older checkout,
//! and nothing else. The two take turns, and the ratio of their medians is shown. The other is a
//! program of this package that was built there.
//!
//! The rules, the same for every contestant:
//!
//! - Every result is a cost, the median over the rounds. In each round every contestant does each
//!   work once, in a process of its own. The order of the contestants rotates. A tenth of the work
//!   is done before it is measured, in the same process.
//! - The allocator is the system's. The runtime is tokio with two workers, timers and I/O enabled.
//!   The senders are tasks on it, as the actors are. With the suffix `_one_thread` it is the
//!   runtime of one thread. Actix and Erlang bring their own: a thread for the senders and one for
//!   the actors, or one for all; two schedulers.
//! - Each library is used as its documentation shows, with its default features. Where that shows
//!   more than one way, the cheapest is used.
//! - The state of an actor is two words. It counts messages down, and notifies the race at zero.
//! - `cast_1_1` and `cast_4_1` end when the last message is handled. The suffix `_bounded` stands
//!   for a mailbox of 1,024 messages whose sender waits for room; a `-` for a library without one.
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
//! - `pool_empty_jobs` submits 500,000 empty jobs to a pool of four workers, from one task, and
//!   ends when the last is done. A job is a number without a result. The workers count down a
//!   number that they share.
//! - `pool_cpu_jobs` is the time of a pool of two workers for jobs of some 50 microseconds of
//!   arithmetic, in percent of the time of a pool of one. It is 50 if two workers do twice as much
//!   and no other program wants the processors: compare with bare.
//! - `idle_bytes` is resident memory, with one address kept of each actor.

mod builds;
mod contestants;
mod race;
mod report;
mod targets;
mod work;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

use race::Entrant;
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
    /// Races only the perennial of this build, against that of another build of this program.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "json")]
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
}

fn work_names() -> PossibleValuesParser {
    PossibleValuesParser::new(WORKS.iter().map(|work| work.name))
}

fn contestant_names() -> PossibleValuesParser {
    PossibleValuesParser::new(contestants::ALL.map(|contestant| contestant.name))
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(Inner::Child { work, contestant }) = cli.inner {
        let work = work::named(&work).context("there is no such work")?;
        let contestant = contestants::ALL.into_iter().find(|other| other.name == contestant);
        let contestant = contestant.context("there is no such contestant")?;
        println!("{}", (contestant.run)(work.task)?);
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
    let entrants =
        contestants::ALL.map(|contestant| Entrant { name: contestant.name, contestant, program: &program });
    let results = race::run(&works, &entrants, cli.rounds)?;
    let report = report::Report::new(&results);
    print!("{}", report::table(&report, &results));
    if let Some(file) = cli.json {
        let json = serde_json::to_string_pretty(&report).context("the report cannot be written as JSON")?;
        std::fs::write(&file, json + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}
