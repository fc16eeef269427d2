//! Indexes a folder while faults are injected, and checks that nothing was lost.
//!
//! A pool in a tree of supervisors computes the SHA-256 of every regular file below a folder. An
//! injector panics, fails and kills workers and supervisors, as a plan says that depends on the
//! seed. Work that a crash interrupts is done again. Every file ends in the result exactly once. At
//! the end a sequential pass without any actor checks the result.
//!
//! ```text
//! cargo run --release --example chaos
//! cargo run --release --example chaos -- --input DIR --manifest FILE --seed 7 && sha256sum -c FILE
//! ```
//!
//! Exit codes: 0 every check passed, 1 a check failed, 2 wrong usage, 3 every check passed but some
//! files could not be read, 130 interrupted by Ctrl-C.
//!
//! The modules, from the outside in:
//!
//! - [`options`]: the command line. [`run`]: one run, from the options to a [`report`].
//!   [`interrupt`]: Ctrl-C. [`progress`]: the line on a terminal.
//! - [`tree`]: the supervisors and the workers below them. [`walker`], [`hasher`], [`collector`]:
//!   the workers, in the order in which a file passes through them; the hashers are a pool.
//!   [`files`]: walking and hashing, without actors. [`journal`]: the results, which survive every
//!   crash.
//! - [`plan`]: the faults, from a seed. [`fault_point`] and [`target`]: how a fault reaches its
//!   target. [`injector`]: carries the plan out. [`recovery`]: how long the targets took to return.
//! - [`check`]: the checks of a run. [`follower`]: a client that follows what operators see.
//!   [`manifest`]: the result for other tools. [`history`]: what happened when. [`page`]: the
//!   report as a page of HTML. [`console`]: the console of `--console`.
//! - [`scenario`] and [`sabotage`]: two options. `durable`: the run of `--durable`, whose jobs
//!   outlive their process. `ledger`: that of `--scenario ledger`, with durable actors. `nodes`:
//!   that of `--nodes`, on several nodes.

#![expect(unreachable_pub, reason = "in a program, pub says what the other modules may use")]

#[macro_use]
#[path = "../../support/output.rs"]
mod output;

mod check;
mod collector;
mod console;
mod data;
#[cfg(feature = "durable")]
mod durable;
mod fault_point;
mod files;
mod follower;
mod hasher;
mod history;
mod injector;
mod interrupt;
mod journal;
#[cfg(feature = "durable")]
mod ledger;
mod manifest;
#[cfg(feature = "cluster")]
mod nodes;
mod options;
mod page;
mod panics;
mod plan;
mod progress;
mod recovery;
mod report;
mod run;
mod sabotage;
mod scenario;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod walker;

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Instant;

use options::{Options, Parsed};

fn main() -> ExitCode {
    let began = Instant::now();
    match options::parse() {
        Parsed::Run(options) => run(&options, began).unwrap_or_else(|line| wrong_usage(&line)),
        Parsed::Print(text) => {
            print_text!("{text}");
            ExitCode::SUCCESS
        }
        Parsed::Wrong(line) => wrong_usage(&line),
    }
}

/// Runs what the options ask for. The error says what is wrong with them.
fn run(options: &Options, began: Instant) -> Result<ExitCode, String> {
    let outputs = manifest::Outputs::create(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime does not start: {error}"))?;
    #[cfg(feature = "durable")]
    if let Some(target) = &options.durable {
        if options.scenario == scenario::Scenario::Ledger {
            return runtime.block_on(run_ledger(options, target, &outputs));
        }
        return runtime.block_on(run_durable(options, target, &outputs, began));
    }
    #[cfg(feature = "cluster")]
    if options.nodes.is_some() || options.node_process.is_some() {
        return runtime.block_on(run_nodes(options, &outputs));
    }
    let _ = began;
    let report = runtime.block_on(run::run(options, &outputs));
    outputs.write(&report.matching, &report.json())?;
    outputs.write_page(|| page::page(&report))?;
    print(options, &report, &report.verdict());
    Ok(ExitCode::from(report.exit_code()))
}

/// Runs the demo with jobs that outlive their process, or as that process.
#[cfg(feature = "durable")]
async fn run_durable(
    options: &Options,
    target: &str,
    outputs: &manifest::Outputs,
    began: Instant,
) -> Result<ExitCode, String> {
    if let Some(queue) = &options.worker_process {
        return durable::work(options, target, queue, began).await.map(|()| ExitCode::SUCCESS);
    }
    let report = durable::run(options, target, outputs).await?;
    outputs.write(&report.matching, &report.json())?;
    print(options, &report, &report.verdict());
    Ok(ExitCode::from(report.exit_code()))
}

/// Runs the scenario of the ledger, or as its worker process.
#[cfg(feature = "durable")]
async fn run_ledger(
    options: &Options,
    target: &str,
    outputs: &manifest::Outputs,
) -> Result<ExitCode, String> {
    if let Some(run) = &options.worker_process {
        return ledger::work(options, target, run).await.map(|()| ExitCode::SUCCESS);
    }
    let report = ledger::run(options, target).await?;
    outputs.write(&Default::default(), &report.json())?;
    print(options, &report, &report.verdict());
    Ok(ExitCode::from(report.exit_code()))
}

/// Runs the demo on several nodes, or as one of them.
#[cfg(feature = "cluster")]
async fn run_nodes(options: &Options, outputs: &manifest::Outputs) -> Result<ExitCode, String> {
    if let Some(config) = &options.node_process {
        return nodes::work(config, options.sabotage).await.map(|()| ExitCode::SUCCESS);
    }
    let report = nodes::run(options, outputs).await?;
    outputs.write(&report.matching, &report.json())?;
    print(options, &report, &report.verdict());
    Ok(ExitCode::from(report.exit_code()))
}

fn print(options: &Options, report: &impl Display, verdict: &str) {
    if options.quiet {
        print_line!("{verdict}");
    } else if options.verbose {
        print_text!("{report:#}");
    } else {
        print_text!("{report}");
    }
}

fn wrong_usage(line: &str) -> ExitCode {
    print_error!("chaos: {line}");
    ExitCode::from(2)
}
