//! Races perennial against other actor libraries, against a bare tokio task, and against Erlang if that is here.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- [--rounds N] [--only WORK]... [--json FILE]
//! ```
//!
//! The rules, the same for everybody:
//!
//! - Every result is a cost, and the median over the rounds. In each round everybody does each work once, in a process of
//!   its own, and another one begins. Before a work is timed, a tenth of it is done to warm up, in the same process.
//! - The allocator is the system's. The runtime is tokio with two workers, timers and I/O enabled; the senders are tasks
//!   on it, as the actors are. With the suffix `_one_thread` it is the runtime of one thread. Only actix and Erlang bring their
//!   own: a thread for the senders and one for the actors, or one for all; two schedulers.
//! - Each is used as its documentation has it, with its default features; where that has more than one way to do a thing, the
//!   cheapest.
//! - The state of an actor is two words. It handles a message by counting down, and tells when it is at zero.
//! - `cast_1_1` and `cast_4_1` last until the last message is handled, not until the last is sent. The suffix `_bounded`
//!   stands for a mailbox with room for 1,024 messages whose sender waits for room; a `-` for who has none.
//! - `call` is one request after the other from one task. A call of perennial has a timeout of five seconds, as it has
//!   by default; nobody else's has one.
//! - `spawn_stop` starts 200,000 actors, then stops them all in good order, then waits for the end of all. Some libraries wait
//!   for each start too, as the file of each contestant says.
//! - `restart_error` and `restart_panic` last from the message at which the handler of a supervised actor returns an error, or
//!   panics, to the first answer of its next incarnation, 20,000 times in a row. Whose calls fail in between asks again, and
//!   yields before. No supervisor gives up, and nobody prints or logs a crash.
//! - `whereis`, `named_cast` and `named_cast_all` have 10,000 actors with a name each. `whereis` looks them all up, again and again in the
//!   same order, which looks like chance; what is found is dropped at once, and is of the right type where the library can tell. What it
//!   costs is, for everybody, mostly memory that is not in the cache. `named_cast` is `cast_1_1` to one of the 10,000, which is looked up
//!   before each message: the difference is what the lookup adds. `named_cast_all` sends to all in turn, so that each message wakes its
//!   actor. Both last until the last message is handled.
//! - `pool_empty_jobs` hands 500,000 jobs that are over at once to a pool of four workers, from one task, and lasts until the last is
//!   done. A job is a number, nobody wants its result, and the workers count down a number that they share.
//! - `pool_cpu_jobs` is how long a pool of two workers takes for jobs of some 50 microseconds of arithmetic, in percent of what a
//!   pool of one takes: 50 if two do twice as much, and nobody else wants the processors; so look at bare before blaming anybody.
//! - `idle_bytes` is resident memory, with one address kept of each actor.

mod contestants;
mod race;
mod report;
mod works;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

use contestants::Contestant;
use works::{WORKS, Work};

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
        contestant: Contestant,
    },
}

fn work_names() -> PossibleValuesParser {
    PossibleValuesParser::new(WORKS.iter().map(|work| work.name))
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(Inner::Child { work, contestant }) = cli.inner {
        let work = works::named(&work).context("there is no such work")?;
        println!("{}", contestant.run(work.task)?);
        return Ok(());
    }
    let works: Vec<&Work> =
        WORKS.iter().filter(|work| cli.only.is_empty() || cli.only.iter().any(|n| n == work.name)).collect();
    let results = race::run(&works, cli.rounds)?;
    let report = report::Report::new(&results);
    print!("{}", report::table(&report, &results));
    if let Some(file) = cli.json {
        let json = serde_json::to_string_pretty(&report).context("the report cannot be written as JSON")?;
        std::fs::write(&file, json + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}
