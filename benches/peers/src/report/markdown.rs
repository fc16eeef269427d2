//! The results as tables of the documentation.

use super::data::{Report, Row};
use crate::contestants::{self, PERENNIAL};
use crate::work::Contestant;

/// The rows of the README.
const SHORT: &[(&str, &str)] = &[
    ("cast_1_1", "send a message"),
    ("cast_1_1_bounded", "send to a bounded mailbox"),
    ("call", "call and reply"),
    ("call_in_time", "call with a timeout, as all of perennial's are"),
    ("spawn_stop", "start and stop an actor"),
    ("restart_error", "crash to first answer"),
    ("whereis", "find by name"),
    ("pool_empty_jobs", "an empty job of a pool"),
    ("idle_bytes", "memory of an idle actor"),
    ("scale_1m", "start, use and stop one of 1,000,000 supervised workers"),
];

/// The numbers of workers of the works of scale, as their rows begin.
pub const SCALES: &[(&str, &str)] =
    &[("scale_10k", "10,000"), ("scale_100k", "100,000"), ("scale_1m", "1,000,000")];

/// The results of one of these works: the end of their row, and what it is.
const SCALE_RESULTS: &[(&str, &str)] = &[
    ("", "all four"),
    ("_start", "start"),
    ("_message", "message"),
    ("_crash", "crash"),
    ("_stop", "stop"),
    ("_memory", "memory"),
    ("_peak", "peak"),
    ("_after", "afterwards"),
];

/// Returns where, when and how often was measured.
pub fn origin(report: &Report) -> String {
    let rounds =
        if report.rounds == 1 { "one round".to_owned() } else { format!("{} rounds", report.rounds) };
    format!("Measured on {}: {}, {rounds}.\n", report.date, report.machine)
}

/// Returns the costs of every contestant, with their ratios to perennial's. The rows of scale have
/// a table of their own.
pub fn costs(report: &Report) -> String {
    let rows = report
        .rows
        .iter()
        .filter(|row| !row.row.starts_with("scale_") && !is_durable(row) && !is_remote(row));
    costs_of(rows, &contestants::ACTORS)
}

/// Returns the costs of the durable queues.
pub fn durable(report: &Report) -> String {
    costs_of(report.rows.iter().filter(|row| is_durable(row)), &contestants::DURABLE)
}

/// Returns the costs of messages between processes, or nothing if they were not measured.
pub fn remote(report: &Report) -> String {
    let mut rows = report.rows.iter().filter(|row| is_remote(row)).peekable();
    if rows.peek().is_none() { String::new() } else { costs_of(rows, &contestants::REMOTE) }
}

/// Returns `true` if the row is one of messages between processes.
pub fn is_remote(row: &Row) -> bool {
    row.row.starts_with("remote_")
}

/// Returns `true` if the row is one of the durable queues.
pub fn is_durable(row: &Row) -> bool {
    row.row.starts_with("durable_")
}

fn costs_of<'a>(rows: impl Iterator<Item = &'a Row>, contestants: &[&Contestant]) -> String {
    let names: Vec<_> = contestants.iter().map(|contestant| contestant.name).collect();
    let head = [&["work", "unit"], &names[..]].concat();
    let rows = rows.map(|row| cells(row, &row.row, &names));
    table(&head.iter().map(ToString::to_string).collect::<Vec<_>>(), rows)
}

/// Returns the results of every number of workers.
pub fn scale(report: &Report) -> String {
    let racing = contestants::ACTORS.iter().map(|contestant| contestant.name);
    let names: Vec<_> = racing.filter(|name| *name != contestants::ACTIX.name).collect();
    let head = [&["workers", "result", "unit"], &names[..]].concat();
    let rows = SCALES.iter().flat_map(|(work, workers)| {
        let row = move |end| report.row(&format!("{work}{end}"));
        let rows = SCALE_RESULTS.iter().filter_map(move |(end, result)| Some((row(end)?, *result)));
        rows.map(|(row, result)| [vec![(*workers).to_owned()], cells(row, result, &names)].concat())
    });
    table(&head.iter().map(ToString::to_string).collect::<Vec<_>>(), rows)
}

fn cells(row: &Row, name: &str, contestants: &[&str]) -> Vec<String> {
    let costs = contestants.iter().map(|contestant| cell(row, contestant));
    [name.replace('_', " "), row.unit.clone()].into_iter().chain(costs).collect()
}

fn cell(row: &Row, contestant: &str) -> String {
    match (row.cost(contestant), row.ratio(contestant)) {
        (Some(cost), Some(ratio)) if contestant != PERENNIAL.name => {
            format!("{} ({ratio:.2}x)", number(cost))
        }
        (Some(cost), _) if contestant != PERENNIAL.name => number(cost),
        (Some(cost), _) => format!("**{}**", number(cost)),
        (None, _) => "-".to_owned(),
    }
}

/// Returns the targets, the ratios, and which are met.
pub fn targets(report: &Report) -> String {
    let rows = report.rows.iter().flat_map(|row| row.targets.iter().map(|standing| (&row.row, standing)));
    let rows = rows.map(|(row, standing)| {
        let ratio = standing.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let met = if standing.met { "yes" } else { "**no**" };
        let at_least = format!("{:.2}", standing.at_least_ratio);
        vec![row.replace('_', " "), standing.against.replace('_', " "), at_least, ratio, met.to_owned()]
    });
    let head = ["row", "the cost of", "to reach", "ratio", "met"].map(str::to_owned);
    let (met, all) = report.met();
    format!("{}\n{met} of {all} targets are met.\n", table(&head, rows))
}

/// Returns a few rows, with ratios only.
pub fn short(report: &Report) -> String {
    let others = [&contestants::BARE, &contestants::RACTOR, &contestants::KAMEO, &contestants::ERLANG];
    let names = ["tokio task and channel", "ractor", "kameo", "Erlang"];
    let head: Vec<_> = ["", "perennial"].into_iter().chain(names).map(str::to_owned).collect();
    let rows = SHORT.iter().filter_map(|(name, what)| {
        let row = report.row(name)?;
        let cost = format!("{} {}", number(row.perennial?), row.unit);
        let ratio = |name| row.ratio(name).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}x"));
        let ratios = others.iter().map(|other| ratio(other.name));
        Some([(*what).to_owned(), cost].into_iter().chain(ratios).collect())
    });
    table(&head, rows)
}

fn table(head: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    [line(head), rule].into_iter().chain(rows.map(|row| line(&row))).collect()
}

/// Returns three digits or more, with commas between thousands.
pub fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::tests::{cast, outcome};
    use crate::work::WORKS;

    #[test]
    fn numbers_have_three_digits_or_more() {
        let numbers = [1.234, 12.34, 123.4, 1_234.4, 1_234_567.0].map(number);
        assert_eq!(numbers, ["1.23", "12.3", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn a_table_shows_costs_and_ratios() {
        let report = Report::new(&[cast()], 5).unwrap();
        let costs = costs(&report);
        let row =
            "| cast 1 1 | ns | **10.0** | 80.0 (8.00x) | 79.0 (7.90x) | 200 (20.00x) | 13.0 (1.30x) | - |";
        assert_eq!(costs.lines().nth(2), Some(row));
        assert!(targets(&report).contains("| cast 1 1 | best peer: kameo | 8.00 | 7.90 | **no** |"));
        assert!(short(&report).contains("| send a message | 10.0 ns | 1.3x | 8.0x | 7.9x | - |"));
    }

    #[test]
    fn rows_of_scale_are_in_their_own_table() {
        let report = Report::new(&[outcome("scale_10k", [Some(9_000.0); 6])], 1).unwrap();
        assert_eq!(costs(&report).lines().count(), 2);
        assert!(scale(&report).contains("| 10,000 | all four | ns | **9,000** | 9,000 (1.00x) |"));
    }

    #[test]
    fn rows_of_durable_queues_are_in_their_own_table() {
        let costs_of = [Some(10.0), None, None, None, Some(20.0), None, Some(90.0), Some(80.0)];
        let report = Report::new(&[outcome("durable_jobs_64", costs_of)], 1).unwrap();
        assert_eq!(costs(&report).lines().count(), 2);
        let row = "| durable jobs 64 | ns | **10.0** | 90.0 (9.00x) | 80.0 (8.00x) | - | 20.0 (2.00x) |";
        assert_eq!(durable(&report).lines().nth(2), Some(row));
    }

    #[test]
    fn every_row_that_is_shown_is_in_the_race() {
        let rows: Vec<_> = WORKS.iter().flat_map(|work| work.results).map(|result| result.row).collect();
        let scales =
            SCALES.iter().flat_map(|(work, _)| SCALE_RESULTS.iter().map(move |(end, _)| (work, end)));
        assert!(scales.clone().all(|(work, end)| rows.contains(&&*format!("{work}{end}"))));
        assert_eq!(scales.count(), rows.iter().filter(|row| row.starts_with("scale_")).count());
        assert!(SHORT.iter().all(|(row, _)| rows.contains(row)));
    }
}
