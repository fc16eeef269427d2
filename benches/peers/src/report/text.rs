//! The results as text for a terminal.

use std::fmt::Write as _;

use super::data::{Report, Row};
use crate::contestants::{self, PERENNIAL};

/// Returns the medians with their ratios to perennial's, the targets, and the number of targets
/// that are met.
pub fn table(report: &Report) -> String {
    let mut text = aligned(&costs(report));
    let standings = standings(report);
    if standings.len() > 1 {
        text.push('\n');
        text.push_str(&aligned(&standings));
    }
    let (met, all) = report.met();
    // Writing into a string does not fail.
    let _ = writeln!(text, "\ntargets met: {met} of {all}");
    for (contestant, why) in &report.absent {
        let _ = writeln!(text, "{contestant}: {why}");
    }
    text
}

fn costs(report: &Report) -> Vec<Vec<String>> {
    let names = contestants::ALL.iter().map(|contestant| contestant.name.to_owned());
    let head = ["median cost".to_owned(), "unit".to_owned()].into_iter().chain(names).collect();
    let rows = report.rows.iter().map(|row| {
        let cells = contestants::ALL.iter().map(|contestant| cell(row, contestant.name));
        [row.row.clone(), row.unit.clone()].into_iter().chain(cells).collect()
    });
    std::iter::once(head).chain(rows).collect()
}

fn cell(row: &Row, contestant: &str) -> String {
    match (row.cost(contestant), row.ratio(contestant)) {
        (Some(cost), Some(ratio)) if contestant != PERENNIAL.name => format!("{cost:.1} ({ratio:.2}x)"),
        (Some(cost), _) => format!("{cost:.1}"),
        (None, _) => "-".to_owned(),
    }
}

fn standings(report: &Report) -> Vec<Vec<String>> {
    let head = ["target", "against", "at least", "ratio", "met"].map(str::to_owned).to_vec();
    let rows = report.rows.iter().flat_map(|row| row.targets.iter().map(|standing| (&row.row, standing)));
    let rows = rows.map(|(row, standing)| {
        let ratio = standing.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let met = if standing.met { "yes" } else { "no" };
        let at_least = format!("{:.2}", standing.at_least_ratio);
        vec![row.clone(), standing.against.clone(), at_least, ratio, met.to_owned()]
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
pub(super) mod tests {
    use super::*;
    use crate::race::{Cost, Outcome, Samples};
    use crate::work::named;

    /// Returns the outcome of the first row of a work.
    pub(in crate::report) fn outcome<const N: usize>(work: &str, costs: [Option<f64>; N]) -> Outcome {
        let names = contestants::ALL.map(|contestant| contestant.name);
        let work = named(work).unwrap();
        let cost = |cost: Option<f64>| {
            cost.and_then(|cost| Samples::of(vec![cost])).map_or(Cost::Missing, Cost::Measured)
        };
        Outcome { work, row: work.results[0], costs: names.into_iter().zip(costs.map(cost)).collect() }
    }

    pub(in crate::report) fn cast() -> Outcome {
        outcome("cast_1_1", [Some(10.0), Some(80.0), Some(79.0), Some(200.0), Some(13.0), None])
    }

    #[test]
    fn the_table_is_aligned_and_counts_the_targets() {
        let mut report = Report::new(&[cast()], 1).unwrap();
        report.absent = [("erlang".to_owned(), "not on PATH".to_owned())].into();
        let table = table(&report);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len());
        assert!(lines[1].contains("79.0 (7.90x)") && lines[1].ends_with(" -"), "{table}");
        assert!(table.ends_with("targets met: 1 of 2\nerlang: not on PATH\n"), "{table}");
    }

    #[test]
    fn without_targets_there_is_one_table() {
        let mut report = Report::new(&[outcome("call_bounded", [None; 6])], 1).unwrap();
        report.absent.clear();
        let table = table(&report);
        assert!(table.contains('-') && !table.contains("at least"), "{table}");
        assert!(table.ends_with("targets met: 0 of 0\n"));
    }
}
