//! The cost of an item among 1,000 and among 100,000.
//!
//! ```text
//! cargo bench --bench costs                     # all rows
//! cargo bench --bench costs -- names groups     # the rows whose name contains one of these
//! cargo bench --bench costs -- --test           # a few items of each row, to check that it works
//! ```
//!
//! The claim: an item among 100,000 costs at most 1.5 times as much as one among 1,000. One round
//! has the same number of items in both sizes: a hundred systems of 1,000 items each, and one
//! system of 100,000. The bench prints the medians over the rounds and their ratio. Everything runs
//! on one thread, and is measured in the processor time of that thread.

#![expect(clippy::print_stdout, reason = "it prints its measurements")]

#[path = "costs/actors.rs"]
mod actors;
#[path = "costs/pools.rs"]
mod pools;
#[path = "costs/registry.rs"]
mod registry;

use std::env;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

const FEW: usize = 1_000;
const MANY: usize = 100_000;

/// The number of rounds. Each round measures both sizes.
const ROUNDS: usize = 7;

/// The highest ratio that passes.
const LIMIT: f64 = 1.5;

/// Does the row's operation to every item of every owner. Returns the time of all of them together.
type Run = fn(owners: usize, items: usize) -> Pin<Box<dyn Future<Output = Duration>>>;

/// One operation, done to many items.
struct Row {
    name: &'static str,
    run: Run,
}

macro_rules! rows {
    ($($module:ident::$row:ident,)*) => {
        [$(Row { name: stringify!($row), run: |owners, items| Box::pin($module::$row(owners, items)) },)*]
    };
}

const ROWS: &[Row] = &rows![
    actors::monitors_taken_back,
    actors::senders_told_of_an_end,
    registry::names_bound,
    registry::names_bound_again,
    registry::names_handed_over,
    registry::names_freed,
    registry::names_at_an_end,
    registry::groups_joined,
    registry::groups_left,
    registry::memberships_left,
    registry::turns_in_a_group,
    registry::unique_keys_registered,
    registry::unique_keys_given_up,
    registry::duplicate_keys_given_up,
    registry::entries_of_a_key_given_up,
    registry::keys_at_an_end,
    registry::subscriptions_made,
    registry::subscriptions_given_up,
    registry::subscriptions_at_an_end,
    pools::delayed_jobs_cancelled,
    pools::waiting_jobs_cancelled,
    pools::delayed_jobs_expired,
    pools::waits_for_room_given_up,
];

/// Returns the processor time of this thread.
#[cfg(unix)]
fn ran() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().expect("it is not negative")
}

/// Returns the time since the first call, where the processor time is not known.
#[cfg(not(unix))]
fn ran() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures both sizes in turn. Returns the nanoseconds per item for `few` and for `many`.
fn measure(row: &Row, few: usize, many: usize, rounds: usize) -> [f64; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut measured = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (size, items) in [few, many].into_iter().enumerate() {
            let time = runtime.block_on((row.run)(many / items, items));
            measured[size].push(time.as_nanos() as f64 / many as f64);
        }
    }
    measured.map(median)
}

/// Returns `true` if the arguments select the row.
fn is_wanted(name: &str) -> bool {
    let mut filters = env::args().skip(1).filter(|arg| !arg.starts_with('-')).peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(&filter))
}

fn main() -> ExitCode {
    let given = |what: &str| env::args().any(|arg| arg == what);
    if given("--list") {
        return ExitCode::SUCCESS;
    }
    let is_quick = !given("--bench") || given("--test");
    let (few, many, rounds) = if is_quick { (10, 100, 1) } else { (FEW, MANY, ROUNDS) };
    println!("{:<28} {:>12} {:>12} {:>7}", "nanoseconds per item", few, many, "ratio");
    let mut failed = 0;
    for row in ROWS.iter().filter(|row| is_wanted(row.name)) {
        let [small, large] = measure(row, few, many, rounds);
        let ratio = large / small;
        // The time of so few items is mostly that of reading the clock.
        let is_over = !is_quick && ratio > LIMIT;
        failed += usize::from(is_over);
        let verdict = if is_over { "  too much" } else { "" };
        println!("{:<28} {small:>12.0} {large:>12.0} {ratio:>7.2}{verdict}", row.name);
    }
    ExitCode::from(u8::from(failed > 0))
}
