//! The memory that stays after a million repetitions of each operation that cleans up after itself.
//!
//! ```text
//! cargo bench --bench memory                  # all rows
//! cargo bench --bench memory -- names links   # the rows whose name contains one of these
//! cargo bench --bench memory -- --test        # 10,000 repetitions, to check that every row works
//! ```
//!
//! Each row repeats one operation a million times, in a process and a thread of its own. The
//! resident memory of the process at the end is at most 1.1 times that after the first 100,000
//! repetitions, plus 2 MB. The allowance is for the allocator, whose layout differs between rounds.
//! It hides a leak of at most 2 bytes per repetition. The memory is read from
//! `/proc/self/smaps_rollup`, which is exact. The rows are skipped where that does not exist.
//!
//! A row that grows ends early, before it takes the memory of the machine.

#![expect(clippy::print_stdout, reason = "it prints its measurements")]

#[path = "memory/actors.rs"]
mod actors;
#[path = "memory/meter.rs"]
mod meter;
#[path = "memory/registry.rs"]
mod registry;
#[path = "memory/support.rs"]
mod support;
#[path = "memory/trees.rs"]
mod trees;

use std::env;
use std::pin::Pin;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use meter::{Meter, Reading, resident};

/// The repetitions of each row, and those of a quick run.
const TIMES: u64 = 1_000_000;
const TIMES_QUICK: u64 = 10_000;

/// The argument that makes this program run one row.
const ROW: &str = "--row";

type Run = fn(Meter) -> Pin<Box<dyn Future<Output = Meter>>>;

/// The clock of a row's runtime.
#[derive(Clone, Copy, PartialEq)]
enum Clock {
    Real,
    /// Time advances when no task can run.
    Paused,
}

/// One operation that cleans up after itself.
struct Row {
    name: &'static str,
    clock: Clock,
    run: Run,
}

macro_rules! rows {
    ($($clock:ident $module:ident::$row:ident,)*) => {
        [$(Row {
            name: stringify!($row),
            clock: Clock::$clock,
            run: |meter| Box::pin($module::$row(meter)),
        },)*]
    };
}

const ROWS: &[Row] = &rows![
    Real actors::spawn_and_stop,
    Real trees::crashes,
    Real trees::children,
    Real trees::dynamic_children,
    Paused actors::timers_that_fire,
    Paused actors::timers_cancelled,
    Paused actors::timers_of_actors_that_end,
    Real registry::names,
    Real registry::names_of_actors_that_end,
    Real registry::waits_for_names_given_up,
    Real registry::keys,
    Real registry::keys_of_actors_that_end,
    Real registry::groups,
    Real registry::groups_of_actors_that_end,
    Real registry::topics,
    Real registry::topics_of_actors_that_end,
    Real registry::subscriptions_of_actors_that_end,
    Real actors::event_listeners,
    Real actors::links,
    Real actors::links_of_actors_that_end,
    Real actors::monitors,
    Real actors::monitors_of_actors_that_end,
    Real actors::pipes,
    Real trees::jobs,
    Real trees::jobs_cancelled,
    Real actors::calls_given_up,
    Paused actors::calls_that_time_out,
    Real actors::polls_of_a_call,
    Real actors::sends_given_up,
    Real actors::threads_that_panic,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, name, times] = arguments.as_slice() {
        if flag == ROW {
            return measure(name, times.parse().unwrap_or(TIMES_QUICK));
        }
    }
    let given = |what: &str| arguments.iter().any(|argument| argument == what);
    let times = if !given("--bench") || given("--test") { TIMES_QUICK } else { TIMES };
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |row: &&Row| filters.is_empty() || filters.iter().any(|part| row.name.contains(*part));
    if resident().is_none() {
        println!("memory: skipped, this system does not tell how much memory a process has");
        return ExitCode::SUCCESS;
    }
    println!(
        "{:<34} {:>10} {:>10} {:>6} {:>9} {:>7}",
        "", "at a tenth", "at the end", "ratio", "each", "time"
    );
    let grown = ROWS.iter().filter(is_wanted).filter(|row| !show(row, times)).count();
    if grown > 0 {
        println!("{grown} rows grew");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Measures a row in this process, and prints the reading for the process that started it.
fn measure(name: &str, times: u64) -> ExitCode {
    let Some(row) = ROWS.iter().find(|row| row.name == name) else { return ExitCode::FAILURE };
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(row.clock == Clock::Paused).build().expect("a runtime");
    println!("{}", runtime.block_on((row.run)(Meter::new(times))).read());
    ExitCode::SUCCESS
}

/// Measures a row in a process of its own and prints it. Returns `false` if its memory grew.
fn show(row: &Row, times: u64) -> bool {
    let began = Instant::now();
    let this = env::current_exe().expect("this program has a path");
    let mut command = Command::new(this);
    let output = command.args([ROW, row.name, &times.to_string()]).stderr(Stdio::inherit()).output();
    let output = output.expect("this program starts");
    let Some(reading) = Reading::parse(&output.stdout) else {
        println!("{:<34} failed: {}", row.name, output.status);
        return false;
    };
    let verdict = match (reading.is_within_bounds(), reading.times < times) {
        (true, _) => String::new(),
        (false, false) => "  GREW".to_owned(),
        (false, true) => format!("  GREW, ended after {}", reading.times),
    };
    println!(
        "{:<34} {:>7.2} MB {:>7.2} MB {:>6.2} {:>7.1} B {:>5.1} s{verdict}",
        row.name,
        reading.first as f64 / 1e6,
        reading.end as f64 / 1e6,
        reading.ratio(),
        reading.bytes_each(times),
        began.elapsed().as_secs_f64()
    );
    reading.is_within_bounds()
}
