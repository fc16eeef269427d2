//! Races perennial against other actor libraries, against a bare tokio task, and against Erlang if that is here.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- [--rounds N] [--only WORK]... [--json FILE]
//! ```

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
