//! Two builds of this program in one race: what a change of perennial costs.

use std::path::Path;

use anyhow::Result;

use crate::contestants::PERENNIAL;
use crate::race::{self, Entrant, Outcome};
use crate::report::aligned;
use crate::work::Work;

const OTHER: &str = "other build";
const THIS: &str = "this build";

/// Runs all rounds of all works with the perennial of both builds.
pub fn run(works: &[&'static Work], this: &Path, other: &Path, rounds: u32) -> Result<Vec<Outcome>> {
    let entrant = |name, program| Entrant { name, contestant: PERENNIAL, program };
    race::run(works, &[entrant(OTHER, other), entrant(THIS, this)], |_| rounds)
}

/// Returns the medians of both builds. The ratio is the cost of this build divided by that of the
/// other in the same round, and the median over the rounds: less is better.
pub fn table(outcomes: &[Outcome]) -> String {
    let head = ["median cost", "unit", OTHER, THIS, "ratio"].map(str::to_owned).to_vec();
    let rows = outcomes.iter().map(|outcome| {
        let cell = |cost: Option<f64>, digits| cost.map_or("-".to_owned(), |cost| format!("{cost:.digits$}"));
        let (other, this) = (outcome.cost(OTHER), outcome.cost(THIS));
        let ratio = outcome.ratio(THIS, OTHER);
        let name = outcome.row.row.to_owned();
        vec![name, outcome.row.unit.to_owned(), cell(other, 1), cell(this, 1), cell(ratio, 3)]
    });
    aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::race::{Cost, Samples};
    use crate::work::named;

    #[test]
    fn the_ratio_is_above_one_if_this_build_is_slower() {
        let cost = |cost| Cost::Measured(Samples::of(vec![cost]).unwrap());
        let work = named("restart_error").unwrap();
        let costs = vec![(OTHER, cost(200.0)), (THIS, cost(206.0))];
        let table = table(&[Outcome { work, row: work.results[0], costs }]);
        let cells: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells, ["restart_error", "ns", "200.0", "206.0", "1.030"]);
    }
}
