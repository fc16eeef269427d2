//! Rounds, each work of each contestant in a process of its own, and the median and the slowest.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::work::{Contestant, Quantity, Work, printed};

/// The hidden command that does one work in a fresh process.
pub const CHILD: &str = "child";

/// A contestant in a build of this program.
#[derive(Clone, Copy, Debug)]
pub struct Entrant<'a> {
    pub name: &'static str,
    pub contestant: &'static Contestant,
    pub program: &'a Path,
}

/// The cost of one row for every entrant.
#[derive(Debug)]
pub struct Outcome {
    pub work: &'static Work,
    pub row: Quantity,
    /// The names of the entrants, and their costs.
    pub costs: Vec<(&'static str, Cost)>,
}

/// The cost over all rounds, or the reason why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Cost {
    Measured(Samples),
    /// The contestant cannot do the work.
    Missing,
    /// The contestant is not on this machine, or what the work needs is not.
    Absent(&'static str),
}

/// The costs of all rounds, in the order of the rounds: one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Returns the samples, or `None` if there are none.
    pub fn of(samples: Vec<f64>) -> Option<Self> {
        (!samples.is_empty()).then_some(Self(samples))
    }

    /// Returns the middle sample, or the mean of the two in the middle.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
    }

    pub fn slowest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

impl Outcome {
    /// Returns the costs of an entrant.
    pub fn samples(&self, entrant: &str) -> Option<&Samples> {
        match &self.costs.iter().find(|(name, _)| *name == entrant)?.1 {
            Cost::Measured(samples) => Some(samples),
            Cost::Missing | Cost::Absent(_) => None,
        }
    }

    /// Returns the median cost of an entrant.
    pub fn cost(&self, entrant: &str) -> Option<f64> {
        Some(self.samples(entrant)?.median())
    }

    /// Returns the cost of an entrant divided by that of another in the same round: the median over
    /// the rounds. Whatever slows a whole round down is in both.
    pub fn ratio(&self, entrant: &str, to: &str) -> Option<f64> {
        let pairs = self.samples(entrant)?.0.iter().zip(&self.samples(to)?.0);
        Some(Samples::of(pairs.map(|(one, other)| one / other).collect())?.median())
    }
}

/// Runs all rounds of all works. A work is done as often as `rounds` says.
pub fn run(
    works: &[&'static Work],
    entrants: &[Entrant<'_>],
    rounds: impl Fn(&Work) -> u32,
) -> Result<Vec<Outcome>> {
    let absences: Vec<_> = entrants.iter().map(|entrant| (entrant.contestant.absence)()).collect();
    let mut samples = vec![vec![Vec::new(); entrants.len()]; works.len()];
    let most = works.iter().map(|work| rounds(work)).max().unwrap_or(0);
    for round in 0..most {
        eprintln!("round {} of {most}", round + 1);
        for (work, samples) in works.iter().zip(&mut samples).filter(|(work, _)| round < rounds(work)) {
            for place in rotated(entrants.len(), round as usize) {
                let entrant = entrants[place];
                let is_absent = absences[place].or_else(|| work.task.absence()).is_some();
                if !is_absent && (entrant.contestant.can)(work.task) {
                    samples[place].push(in_child(work, entrant)?);
                }
            }
        }
    }
    let outcome = |(work, samples): (&&'static Work, Vec<Vec<Vec<f64>>>)| {
        let rows = work.results.iter().enumerate();
        rows.map(|(place, row)| {
            let costs = entrants.iter().zip(&absences).zip(&samples).map(|((entrant, absence), samples)| {
                let samples = samples.iter().map(|results| results[place]).collect();
                (entrant.name, cost(work, entrant, absence.or_else(|| work.task.absence()), samples))
            });
            Outcome { work, row: *row, costs: costs.collect() }
        })
        .collect::<Vec<_>>()
    };
    Ok(works.iter().zip(samples).flat_map(outcome).collect())
}

fn cost(work: &Work, entrant: &Entrant<'_>, absence: Option<&'static str>, samples: Vec<f64>) -> Cost {
    match (Samples::of(samples), absence) {
        (Some(samples), _) => Cost::Measured(samples),
        (None, Some(why)) if (entrant.contestant.can)(work.task) => Cost::Absent(why),
        (None, _) => Cost::Missing,
    }
}

/// Returns the places in order, with a different first place in each round.
fn rotated(places: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..places).map(move |place| (place + round) % places)
}

fn in_child(work: &Work, entrant: Entrant<'_>) -> Result<Vec<f64>> {
    let what = format!("{} of {}", work.name, entrant.name);
    let output = Command::new(entrant.program)
        .args([CHILD, work.name, entrant.contestant.name])
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{what} does not start"))?;
    ensure!(output.status.success(), "{what} failed: {}", output.status);
    let results = printed(&output.stdout).with_context(|| format!("{what} did not print its results"))?;
    ensure!(results.len() == work.results.len(), "{what} printed {} results", results.len());
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_number_is_the_middle_one() {
        let samples = Samples(vec![9.0, 1.0, 2.0]);
        assert_eq!((samples.median(), samples.slowest()), (2.0, 9.0));
        assert_eq!(Samples(vec![7.0]).median(), 7.0);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_ones() {
        assert_eq!(Samples(vec![4.0, 1.0, 2.0, 100.0]).median(), 3.0);
    }

    #[test]
    fn there_is_no_median_of_nothing() {
        assert_eq!(Samples::of(Vec::new()), None);
    }

    #[test]
    fn a_ratio_compares_the_costs_of_the_same_round() {
        let cost = |samples: &[f64]| Cost::Measured(Samples(samples.to_vec()));
        let costs = vec![("one", cost(&[20.0, 2.0, 9.0])), ("other", cost(&[10.0, 1.0, 3.0]))];
        let work = &crate::work::WORKS[0];
        let outcome = Outcome { work, row: work.results[0], costs };
        assert_eq!(outcome.ratio("one", "other"), Some(2.0));
        assert_eq!(outcome.ratio("one", "a third"), None);
    }

    #[test]
    fn each_round_begins_with_another_contestant() {
        assert_eq!(rotated(3, 0).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(rotated(3, 4).collect::<Vec<_>>(), [1, 2, 0]);
    }
}
