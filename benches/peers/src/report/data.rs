//! The results of a race and the targets that they meet, as they are in its JSON file.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::contestants::{self, PERENNIAL};
use crate::race::{Outcome, Samples};
use crate::targets::{self, Against, Target};

/// All results and the targets that they meet.
#[derive(Debug, Deserialize, Serialize)]
pub struct Report {
    /// The day on which the race began, in UTC.
    pub date: String,
    pub machine: String,
    pub rounds: u32,
    /// The contestants that are not on the machine, and the works that need what is not, and why.
    pub absent: BTreeMap<String, String>,
    pub rows: Vec<Row>,
}

/// The median costs of one row.
#[derive(Debug, Deserialize, Serialize)]
pub struct Row {
    pub row: String,
    pub unit: String,
    pub perennial: Option<f64>,
    /// Perennial's cost in its slowest round.
    pub slowest: Option<f64>,
    pub contestants: BTreeMap<String, Option<f64>>,
    /// The cost of a contestant divided by perennial's in the same round: the median over the
    /// rounds. Older files have none.
    #[serde(default)]
    pub ratios: BTreeMap<String, f64>,
    pub targets: Vec<Standing>,
}

/// A target of a row and the ratio that was measured.
#[derive(Debug, Deserialize, Serialize)]
pub struct Standing {
    pub against: String,
    pub at_least_ratio: f64,
    /// The other's cost divided by perennial's: more is better.
    pub ratio: Option<f64>,
    pub met: bool,
}

impl Report {
    /// Returns the report of a race on this machine, today.
    pub fn new(outcomes: &[Outcome], rounds: u32) -> Result<Self> {
        let contestants = contestants::ALL.into_iter().map(|one| (one.name, (one.absence)()));
        let works = outcomes.iter().map(|outcome| (outcome.work.name, outcome.work.task.absence()));
        let absent = contestants.chain(works);
        Ok(Self {
            date: today()?,
            machine: machine(),
            rounds,
            absent: absent.filter_map(|(name, why)| Some((name.to_owned(), why?.to_owned()))).collect(),
            rows: outcomes.iter().map(|outcome| Row::new(outcome, outcomes)).collect(),
        })
    }

    /// Returns the row with this name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.row == name)
    }

    /// Returns the number of targets that are met, and the number of all.
    pub fn met(&self) -> (usize, usize) {
        let all = || self.rows.iter().flat_map(|row| &row.targets);
        (all().filter(|standing| standing.met).count(), all().count())
    }
}

impl Row {
    fn new(outcome: &Outcome, all: &[Outcome]) -> Self {
        let others = contestants::ALL.into_iter().map(|other| other.name);
        let others: Vec<_> = others.filter(|other| *other != PERENNIAL.name).collect();
        let ratio = |other: &str| Some((other.to_owned(), outcome.ratio(other, PERENNIAL.name)?));
        let targets = targets::of(outcome.row.row).iter();
        Self {
            row: outcome.row.row.to_owned(),
            unit: outcome.row.unit.to_owned(),
            perennial: outcome.cost(PERENNIAL.name),
            slowest: outcome.samples(PERENNIAL.name).map(Samples::slowest),
            ratios: others.iter().filter_map(|other| ratio(other)).collect(),
            contestants: others.into_iter().map(|other| (other.to_owned(), outcome.cost(other))).collect(),
            targets: targets.map(|target| Standing::new(target, outcome, all)).collect(),
        }
    }

    /// Returns the cost of a contestant.
    pub fn cost(&self, contestant: &str) -> Option<f64> {
        if contestant == PERENNIAL.name { self.perennial } else { *self.contestants.get(contestant)? }
    }

    /// Returns the cost of a contestant divided by perennial's.
    pub fn ratio(&self, contestant: &str) -> Option<f64> {
        let of_medians = || Some(self.cost(contestant)? / self.perennial?);
        self.ratios.get(contestant).copied().or_else(of_medians)
    }
}

impl Standing {
    fn new(target: &Target, outcome: &Outcome, all: &[Outcome]) -> Self {
        let own = outcome.samples(PERENNIAL.name);
        let to_own = |cost: f64| own.map(|own| cost / own.median());
        let (against, ratio) = match target.against {
            Against::Peer(peer) => (peer.to_owned(), outcome.ratio(peer, PERENNIAL.name)),
            Against::BestPeer => match targets::best_peer(outcome) {
                Some((name, _)) => (format!("best peer: {name}"), outcome.ratio(name, PERENNIAL.name)),
                None => ("best peer".to_owned(), None),
            },
            Against::Limit(limit) => (format!("{limit} {}", outcome.row.unit), to_own(limit)),
            Against::Row(row) => {
                let other = all.iter().find(|other| other.row.row == row);
                (row.to_owned(), other.and_then(|other| other.cost(PERENNIAL.name)).and_then(to_own))
            }
            Against::OwnMedian => {
                ("the slowest round".to_owned(), own.map(|own| own.median() / own.slowest()))
            }
        };
        let met = ratio.is_some_and(|ratio| ratio >= target.at_least);
        Self { against, at_least_ratio: target.at_least, ratio, met }
    }
}

fn today() -> Result<String> {
    let output = Command::new("date").args(["-u", "+%F"]).output().context("`date` does not start")?;
    ensure!(output.status.success(), "`date` failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.trim().strip_prefix(':'));
    format!("{cores} cores, {}", model.map_or("an unknown processor", str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::tests::{cast, outcome};
    use crate::work::Work;

    fn standings(outcomes: &[Outcome]) -> Vec<(String, Option<f64>, bool)> {
        let report = Report::new(outcomes, 1).unwrap();
        let standings = report.rows.into_iter().flat_map(|row| row.targets);
        standings.map(|target| (target.against, target.ratio, target.met)).collect()
    }

    #[test]
    fn a_target_is_met_from_its_ratio_on() {
        let best = ("best peer: kameo".to_owned(), Some(7.9), false);
        assert_eq!(standings(&[cast()]), [("bare".to_owned(), Some(1.3), true), best]);
    }

    #[test]
    fn a_limit_stands_against_its_own_unit() {
        let outcome = outcome("idle_bytes", [Some(512.0); 6]);
        assert_eq!(standings(&[outcome]), [("1024 bytes".to_owned(), Some(2.0), true)]);
    }

    #[test]
    fn a_steady_row_has_no_slow_round() {
        let mut steady = outcome("cast_1_1_bounded", [Some(100.0); 6]);
        let rounds = Samples::of(vec![100.0, 131.0, 90.0]).unwrap();
        steady.costs[0].1 = crate::race::Cost::Measured(rounds);
        let [_, _, (against, _, met)] = &standings(&[steady])[..] else { panic!("three targets") };
        assert_eq!((&**against, *met), ("the slowest round", false));
    }

    #[test]
    fn a_row_stands_against_another_one_of_perennial() {
        let work: &'static Work = crate::work::named("scale_1m").unwrap();
        let mut large = outcome("scale_1m", [Some(150.0); 6]);
        large.row = work.results[0];
        let against = |small| standings(&[outcome("scale_10k", [Some(small); 6])]).len();
        assert_eq!(against(100.0), 0);
        for (small, met) in [(100.0, true), (99.0, false)] {
            let both = [outcome("scale_10k", [Some(small); 6]), outcome("scale_1m", [Some(150.0); 6])];
            assert_eq!(standings(&both)[0].2, met, "{small}");
        }
        assert_eq!(standings(&[large])[0], ("scale_10k".to_owned(), None, false));
    }

    #[test]
    fn a_missing_contestant_is_null_in_json() {
        let json = serde_json::to_value(Report::new(&[cast()], 1).unwrap()).unwrap();
        let row = &json["rows"][0];
        assert_eq!(row["row"], "cast_1_1");
        assert_eq!(row["perennial"], 10.0);
        assert!(row["contestants"]["erlang"].is_null());
        assert_eq!(row["contestants"]["kameo"], 79.0);
        assert!(row["contestants"].get("perennial").is_none());
        assert_eq!(row["targets"][0]["at_least_ratio"], 1.3);
    }

    #[test]
    fn a_report_reads_its_own_json() {
        let report = Report::new(&[cast()], 3).unwrap();
        let json = serde_json::to_string(&report).unwrap();
        let read: Report = serde_json::from_str(&json).unwrap();
        assert_eq!(format!("{report:?}"), format!("{read:?}"));
    }
}
