//! Counts the instructions of one item of each work, with valgrind's callgrind.
//!
//! ```text
//! ./x instructions                # fails if a work grew by more than 3 percent
//! ./x instructions cast call      # only the works with one of these in their names
//! ./x instructions =cast          # only the work with this name
//! ./x instructions --bless        # writes the counts to limits.txt
//! ./x instructions --floors       # the same by hand, with tasks and channels of tokio
//! ./x instructions --metrics      # casts and calls, while a child publishes metrics
//! ```
//!
//! A time depends on what else runs on the machine. A count does not, so it can be a limit in CI.
//! It says nothing about waiting for memory or for other cores.
//!
//! Each work is done by a task on a tokio runtime of one thread, in a process of its own, with few
//! items and with many. The difference of the two counts, divided by the difference of the items,
//! is the count of one item. Starting the process, the runtime and the actors is not in it.
//!
//! It is built with a profile of its own, which has one codegen unit. With Cargo's sixteen, a
//! change of one crate moves functions of another into other units. That has changed the count of a
//! lookup by a tenth.
//!
//! A count differs by less than a percent between runs. The reasons are the seeds of hash tables
//! and of tokio's scheduler, and the time that passes on the clock of the machine. It differs by
//! more between compilers, processors and C libraries, whose `malloc` and `memcpy` are in it. So
//! the limits name their platform, and `./x instructions` compares only counts of the same.

#![expect(clippy::print_stdout, reason = "it prints its counts")]

mod callgrind;
mod floors;
mod limits;
mod observed;
mod works;

use std::env;
use std::fs;
use std::process::ExitCode;

use floors::FLOORS;
use limits::Limits;
use works::{WORKS, Work};

/// The items of the short run and of the long run of a work.
const FEW: u64 = 1_000;
const MANY: u64 = 5_000;

/// How often a work is counted before its count is too high. The lowest is valid.
const TRIES: u32 = 3;

/// The file with the limits.
const LIMITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/limits.txt");

/// What to do with the counts.
enum Mode {
    /// Prints them.
    Show,
    /// Prints them, and fails if one is too high.
    Check,
    /// Writes them to the file, as those of this platform.
    Bless(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, name, items] = arguments.as_slice()
        && flag == callgrind::WORK
    {
        return run(name, items);
    }
    let given = |what: &str| arguments.iter().any(|argument| argument == what);
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let matches = |name: &str, part: &str| match part.strip_prefix('=') {
        Some(whole) => name == whole,
        None => name.contains(part),
    };
    let is_wanted = |work: &&Work| filters.is_empty() || filters.iter().any(|part| matches(work.name, part));
    let floors = given("--floors");
    let works = if floors { FLOORS } else { WORKS };
    let wanted: Vec<&Work> = works.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        println!("no work has such a name");
        return ExitCode::FAILURE;
    }
    let bless = arguments.iter().find_map(|argument| argument.strip_prefix("--bless="));
    let mode = match bless {
        Some(platform) => Mode::Bless(platform.to_owned()),
        None if given("--check") && !floors => Mode::Check,
        None => Mode::Show,
    };
    match count(&wanted, mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("\n{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Returns `true` if there is a work of this name.
fn exists(name: &str) -> bool {
    WORKS.iter().any(|work| work.name == name)
}

/// Does a work in this process, for the process that started it.
fn run(name: &str, items: &str) -> ExitCode {
    let work = WORKS.iter().chain(FLOORS).find(|work| work.name == name);
    let (Some(work), Ok(items)) = (work, items.parse()) else { return ExitCode::FAILURE };
    work.run(items);
    ExitCode::SUCCESS
}

/// Counts the instructions of the works and prints them.
///
/// # Errors
///
/// The reason for the failure, as text for the user: a program that is missing or failed, a file
/// that is wrong, or the counts that exceed their limits.
fn count(wanted: &[&Work], mode: Mode) -> Result<(), String> {
    let unread = |error| format!("{LIMITS}: {error}");
    let mut limits: Limits = fs::read_to_string(LIMITS).map_err(unread)?.parse()?;
    println!("{:<16} {:>12} {:>9} {:>9}", "one item", "instructions", "limit", "change");
    let mut counts = Vec::new();
    for work in wanted {
        let mut count = callgrind::count(work.name, FEW, MANY)?;
        for _ in 1..TRIES {
            if limits.is_exceeded(work.name, count) {
                count = count.min(callgrind::count(work.name, FEW, MANY)?);
            }
        }
        println!("{}", limits.row(work.name, count));
        counts.push((work.name, count));
    }
    match mode {
        Mode::Show => Ok(()),
        Mode::Check => {
            let report = limits.check(&counts, exists);
            report.fallen.iter().for_each(|line| println!("\n{line}"));
            if report.wrong.is_empty() { Ok(()) } else { Err(report.wrong.join("\n")) }
        }
        Mode::Bless(platform) => {
            limits.bless(&platform, &counts, exists);
            fs::write(LIMITS, limits.to_string()).map_err(unread)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_ends_well() {
        WORKS.iter().chain(FLOORS).for_each(|work| work.run(1_000));
    }

    #[test]
    fn every_work_has_a_limit_and_every_limit_a_work() {
        let limits: Limits = fs::read_to_string(LIMITS).expect("it is there").parse().expect("it is right");
        let counts: Vec<(&str, u64)> = WORKS.iter().map(|work| (work.name, 1)).collect();
        assert!(limits.check(&counts, exists).wrong.is_empty());
    }
}
