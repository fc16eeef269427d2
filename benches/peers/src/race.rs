//! Rounds, each work of each contestant in a process of its own, and the median over the rounds.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::work::{Contestant, Work};

/// The hidden command that does one work in a fresh process.
pub const CHILD: &str = "child";

/// A contestant in a build of this program.
#[derive(Clone, Copy, Debug)]
pub struct Entrant<'a> {
    pub name: &'static str,
    pub contestant: &'static Contestant,
    pub program: &'a Path,
}

/// The cost of one work for every entrant.
#[derive(Debug)]
pub struct Outcome {
    pub work: &'static Work,
    /// The names of the entrants, and their costs.
    pub costs: Vec<(&'static str, Cost)>,
}

/// The median over the rounds, or the reason why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cost {
    Median(f64),
    /// The contestant cannot do the work.
    Missing,
    /// The contestant is not on this machine.
    Absent(&'static str),
}

impl Cost {
    pub const fn median(self) -> Option<f64> {
        match self {
            Self::Median(cost) => Some(cost),
            Self::Missing | Self::Absent(_) => None,
        }
    }
}

impl Outcome {
    /// Returns the cost of an entrant.
    pub fn cost(&self, entrant: &str) -> Option<f64> {
        self.costs.iter().find(|(name, _)| *name == entrant)?.1.median()
    }
}

/// Runs all rounds of all works.
pub fn run(works: &[&'static Work], entrants: &[Entrant<'_>], rounds: u32) -> Result<Vec<Outcome>> {
    let absences: Vec<_> = entrants.iter().map(|entrant| (entrant.contestant.absence)()).collect();
    let mut samples = vec![vec![Vec::new(); entrants.len()]; works.len()];
    for round in 0..rounds as usize {
        eprintln!("round {} of {rounds}", round + 1);
        for (work, samples) in works.iter().zip(&mut samples) {
            for place in rotated(entrants.len(), round) {
                let entrant = entrants[place];
                if absences[place].is_none() && (entrant.contestant.can)(work.task) {
                    samples[place].push(in_child(work, entrant)?);
                }
            }
        }
    }
    let outcome = |(work, samples): (&&'static Work, _)| {
        let places = entrants.iter().zip(&absences).zip(samples);
        let costs = places
            .map(|((entrant, absence), samples)| (entrant.name, cost(work, entrant, *absence, samples)));
        Outcome { work, costs: costs.collect() }
    };
    Ok(works.iter().zip(samples).map(outcome).collect())
}

fn cost(work: &Work, entrant: &Entrant<'_>, absence: Option<&'static str>, samples: Vec<f64>) -> Cost {
    match (median(samples), absence) {
        (Some(median), _) => Cost::Median(median),
        (None, Some(why)) if (entrant.contestant.can)(work.task) => Cost::Absent(why),
        (None, _) => Cost::Missing,
    }
}

/// Returns the places in order, with a different first place in each round.
fn rotated(places: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..places).map(move |place| (place + round) % places)
}

/// Returns the middle sample, or the mean of the two in the middle.
fn median(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    let upper = *samples.get(samples.len() / 2)?;
    let lower = samples[(samples.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

fn in_child(work: &Work, entrant: Entrant<'_>) -> Result<f64> {
    let what = format!("{} of {}", work.name, entrant.name);
    let output = Command::new(entrant.program)
        .args([CHILD, work.name, entrant.contestant.name])
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{what} does not start"))?;
    ensure!(output.status.success(), "{what} failed: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("{what} printed {text:?} instead of a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_number_is_the_middle_one() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![7.0]), Some(7.0));
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_ones() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn there_is_no_median_of_nothing() {
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn each_round_begins_with_another_contestant() {
        assert_eq!(rotated(3, 0).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(rotated(3, 4).collect::<Vec<_>>(), [1, 2, 0]);
    }
}
