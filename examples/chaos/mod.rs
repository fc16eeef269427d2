//! The chaos demo. From the outside in:
//!
//! - [`options`]: what the user should_restart; [`run`]: from there to a [`report`].
//! - [`tree`]: who supervises whom. [`walker`], [`hasher`], [`collector`]: the workers, in the order in which a file passes through
//!   them; the hashers are a pool. [`files`]: walking and hashing itself. [`journal`]: what outlives every crash.
//! - [`plan`]: which faults, drawn from a seed. [`trap`] and [`target`]: how a fault reaches its victim.
//!   [`injector`]: the attack. [`recovery`]: how long it took to come back.
//! - [`check`]: whether everything held. [`manifest`]: the result for other tools.

mod check;
mod collector;
mod files;
mod hasher;
mod injector;
mod journal;
mod manifest;
mod options;
mod panics;
mod plan;
mod progress;
mod recovery;
mod report;
mod run;
mod target;
#[cfg(test)]
mod tests;
mod trap;
mod tree;
mod walker;

use std::process::ExitCode;

use options::Parsed;

/// Runs the demo as its command line says.
pub fn main() -> ExitCode {
    let options = match options::parse() {
        Parsed::Run(options) => options,
        Parsed::Help(text) => {
            print_text!("{text}");
            return ExitCode::SUCCESS;
        }
        Parsed::Wrong(line) => return usage(&line),
    };
    let outputs = match manifest::Outputs::create(&options) {
        Ok(outputs) => outputs,
        Err(line) => return usage(&line),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return usage(&format!("no runtime: {error}")),
    };
    let report = runtime.block_on(run::run(&options, &outputs));
    if let Err(line) = outputs.write(&report) {
        return usage(&line);
    }
    if options.quiet {
        print_line!("{}", report.verdict());
    } else {
        print_text!("{report}");
    }
    ExitCode::from(report.exit_code())
}

fn usage(line: &str) -> ExitCode {
    print_error!("chaos: {line}");
    ExitCode::from(2)
}
