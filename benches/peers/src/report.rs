//! The results of the race: as JSON for programs, and as a table for readers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::contestants::{self, PERENNIAL};
use crate::race::{Cost, Outcome};
use crate::targets::{self, Against, Target};

/// All results and the targets that they meet.
#[derive(Debug, Serialize)]
pub struct Report {
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    work: &'static str,
    unit: &'static str,
    perennial: Option<f64>,
    contestants: BTreeMap<&'static str, Option<f64>>,
    targets: Vec<Standing>,
}

#[derive(Debug, Serialize)]
struct Standing {
    against: String,
    at_least_ratio: f64,
    /// The other's cost divided by perennial's: more is better.
    ratio: Option<f64>,
    met: bool,
}

impl Report {
    pub fn new(outcomes: &[Outcome]) -> Self {
        Self { rows: outcomes.iter().map(Row::new).collect() }
    }
}

impl Row {
    fn new(outcome: &Outcome) -> Self {
        let others = contestants::ALL.into_iter().map(|other| other.name);
        let others = others.filter(|other| *other != PERENNIAL.name);
        Self {
            work: outcome.work.name,
            unit: outcome.work.unit,
            perennial: outcome.cost(PERENNIAL.name),
            contestants: others.map(|other| (other, outcome.cost(other))).collect(),
            targets: targets::of(outcome.work).iter().map(|target| Standing::new(target, outcome)).collect(),
        }
    }
}

impl Standing {
    fn new(target: &Target, outcome: &Outcome) -> Self {
        let (against, cost) = match target.against {
            Against::Peer(peer) => (peer.name.to_owned(), outcome.cost(peer.name)),
            Against::Limit(limit) => (format!("{limit} {}", outcome.work.unit), Some(limit)),
        };
        let ratio = ratio(cost, outcome);
        let met = ratio.is_some_and(|ratio| ratio >= target.at_least);
        Self { against, at_least_ratio: target.at_least, ratio, met }
    }
}

fn ratio(cost: Option<f64>, outcome: &Outcome) -> Option<f64> {
    Some(cost? / outcome.cost(PERENNIAL.name)?)
}

/// Returns the medians with their ratios to perennial's, the targets, and the number of targets
/// that are met.
pub fn table(report: &Report, outcomes: &[Outcome]) -> String {
    let mut text = aligned(&costs(outcomes));
    let standings = standings(report);
    if standings.len() > 1 {
        text.push('\n');
        text.push_str(&aligned(&standings));
    }
    let all = || report.rows.iter().flat_map(|row| &row.targets);
    let met = all().filter(|standing| standing.met).count();
    // Writing into a string does not fail.
    let _ = writeln!(text, "\ntargets met: {met} of {}", all().count());
    text
}

fn costs(outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let names = contestants::ALL.iter().map(|contestant| contestant.name.to_owned());
    let head = ["median cost".to_owned(), "unit".to_owned()].into_iter().chain(names).collect();
    let rows = outcomes.iter().map(|outcome| {
        let cells = outcome.costs.iter().map(|(name, cost)| cell(name, *cost, outcome));
        [outcome.work.name.to_owned(), outcome.work.unit.to_owned()].into_iter().chain(cells).collect()
    });
    std::iter::once(head).chain(rows).collect()
}

fn cell(name: &str, cost: Cost, outcome: &Outcome) -> String {
    match (cost, ratio(cost.median(), outcome)) {
        (Cost::Median(cost), Some(ratio)) if name != PERENNIAL.name => {
            format!("{cost:.1} ({ratio:.2}x)")
        }
        (Cost::Median(cost), _) => format!("{cost:.1}"),
        (Cost::Missing, _) => "-".to_owned(),
        (Cost::Absent(why), _) => why.to_owned(),
    }
}

fn standings(report: &Report) -> Vec<Vec<String>> {
    let head = ["target", "against", "at least", "ratio", "met"].map(str::to_owned).to_vec();
    let rows = report.rows.iter().flat_map(|row| row.targets.iter().map(|standing| (row.work, standing)));
    let rows = rows.map(|(work, standing)| {
        let ratio = standing.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let met = if standing.met { "yes" } else { "no" };
        let at_least = format!("{:.2}", standing.at_least_ratio);
        vec![work.to_owned(), standing.against.clone(), at_least, ratio, met.to_owned()]
    });
    std::iter::once(head).chain(rows).collect()
}

/// Formats columns as wide as their widest cell: the first aligned left, the others right.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        });
        text.push_str(cells.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::named;

    fn outcome(work: &str, costs: [Cost; 6]) -> Outcome {
        let names = contestants::ALL.map(|contestant| contestant.name);
        Outcome { work: named(work).unwrap(), costs: names.into_iter().zip(costs).collect() }
    }

    fn cast() -> Outcome {
        let [us, ractor, kameo, actix, bare] = [10.0, 80.0, 79.0, 200.0, 10.0].map(Cost::Median);
        outcome("cast_1_1", [us, ractor, kameo, actix, bare, Cost::Absent("not on PATH")])
    }

    #[test]
    fn a_target_is_met_from_its_ratio_on() {
        let report = Report::new(&[cast()]);
        let met: Vec<_> =
            report.rows[0].targets.iter().map(|target| (&*target.against, target.met)).collect();
        assert_eq!(met, [("ractor", true), ("kameo", false), ("actix", true), ("bare", true)]);
    }

    #[test]
    fn a_limit_stands_against_its_own_unit() {
        let report = Report::new(&[outcome("idle_bytes", [512.0; 6].map(Cost::Median))]);
        let target = &report.rows[0].targets[0];
        assert_eq!((&*target.against, target.ratio, target.met), ("1024 bytes", Some(2.0), true));
    }

    #[test]
    fn a_missing_contestant_is_null_in_json() {
        let json = serde_json::to_value(Report::new(&[cast()])).unwrap();
        let row = &json["rows"][0];
        assert_eq!(row["work"], "cast_1_1");
        assert_eq!(row["perennial"], 10.0);
        assert!(row["contestants"]["erlang"].is_null());
        assert_eq!(row["contestants"]["kameo"], 79.0);
        assert!(row["contestants"].get("perennial").is_none());
        assert_eq!(row["targets"][0]["at_least_ratio"], 8.0);
    }

    #[test]
    fn the_table_is_aligned_and_counts_the_targets() {
        let outcomes = [cast()];
        let table = table(&Report::new(&outcomes), &outcomes);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len());
        assert!(lines[1].contains("79.0 (7.90x)") && lines[1].ends_with("not on PATH"), "{table}");
        assert_eq!(lines.last(), Some(&"targets met: 3 of 4"));
    }

    #[test]
    fn without_targets_there_is_one_table() {
        let outcomes = [outcome("call_bounded", [Cost::Missing; 6])];
        let table = table(&Report::new(&outcomes), &outcomes);
        assert!(table.contains('-') && !table.contains("at least"), "{table}");
        assert!(table.ends_with("targets met: 0 of 0\n"));
    }
}
