//! What the documentation says about durable queues: sentences that follow from the rows.

use super::data::{Report, Row};
use super::markdown::number;
use crate::contestants::{BARE, RIVER};
use crate::work::KILLS;

/// The columns of the text.
const COLUMNS: usize = 100;

/// Returns the sentences about the cost of jobs and about the rescue. Those whose rows are missing
/// are left out.
pub fn sizing(report: &Report) -> String {
    let jobs = [many_submitters(report), against_the_floor(report)];
    let rescues = [rescue(report), rescue_of_server(report)];
    let paragraphs = [jobs, rescues].map(|sentences| sentences.into_iter().flatten().collect::<Vec<_>>());
    let paragraphs = paragraphs.iter().filter(|sentences| !sentences.is_empty());
    paragraphs.map(|sentences| wrapped(&sentences.join(" "))).collect::<Vec<_>>().join("\n")
}

/// Returns the sentences about what the sync of the disk allows.
pub fn bound(report: &Report) -> String {
    let sentences = || {
        let sync = report.row("durable_sync")?.cost(BARE.name)?;
        let jobs = report.row("durable_jobs_1")?;
        let (own, river) = (jobs.perennial? / sync, jobs.cost(RIVER.name)? / sync);
        Some(format!(
            "A sync alone took {} ms. A job of one submitter took {} times as long with perennial, and {} \
             times with River. Each job needs one sync at least, so {} times the speed of River is the most \
             that is possible on such a disk.",
            number(sync / 1e6),
            number(own),
            number(river),
            number(river),
        ))
    };
    wrapped(&sentences().unwrap_or_default())
}

fn many_submitters(report: &Report) -> Option<String> {
    let [one, many] = ["durable_jobs_1", "durable_jobs_64"].map(|row| report.row(row)?.perennial);
    Some(format!(
        "In the race, 64 submitters have {:.0} times the jobs of one in the same time.",
        one? / many?
    ))
}

fn against_the_floor(report: &Report) -> Option<String> {
    let cost = |row: &str| Some(number(1.0 / report.row(row)?.ratio(BARE.name)?));
    Some(format!(
        "A job of theirs costs {} times as much as one of a plain loop of transactions that inserts 64 jobs \
         and then marks them as done, with two syncs for each 64. With one submitter, and with groups of \
         one, it is {} times.",
        cost("durable_jobs_64")?,
        cost("durable_jobs_1")?,
    ))
}

fn rescue(report: &Report) -> Option<String> {
    let [half, most] = rescue_times(report, "durable_rescue")?;
    Some(format!(
        "After a SIGKILL, the first of the jobs that ran starts again {half} ms after the start of the next \
         process (median of {KILLS} kills; 99th percentile: {most} ms)."
    ))
}

fn rescue_of_server(report: &Report) -> Option<String> {
    let [half, most] = rescue_times(report, "durable_rescue_postgres")?;
    Some(format!("With a PostgreSQL server on the same machine, it is {half} ms ({most} ms)."))
}

fn rescue_times(report: &Report, row: &str) -> Option<[String; 2]> {
    let time = |row: &Row| row.perennial.map(number);
    let row = |end| report.row(&format!("{row}_{end}"));
    Some([time(row("p50")?)?, time(row("p99")?)?])
}

/// Breaks a paragraph into lines.
fn wrapped(paragraph: &str) -> String {
    let mut text = String::new();
    let mut columns = 0;
    for word in paragraph.split_whitespace() {
        if columns > 0 && columns + 1 + word.len() <= COLUMNS {
            text.push(' ');
            columns += 1;
        } else if columns > 0 {
            text.push('\n');
            columns = 0;
        }
        text.push_str(word);
        columns += word.len();
    }
    if columns > 0 { text + "\n" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::tests::outcome;

    fn row(work: &str, perennial: f64, bare: f64, river: f64) -> crate::race::Outcome {
        let costs = [perennial, 0.0, 0.0, 0.0, bare, 0.0, 0.0, river];
        outcome(work, costs.map(|cost| (cost > 0.0).then_some(cost)))
    }

    #[test]
    fn sentences_follow_from_their_rows() {
        let outcomes = [
            row("durable_sync", 0.0, 500_000.0, 0.0),
            row("durable_jobs_1", 1_000_000.0, 2_000_000.0, 3_000_000.0),
            row("durable_jobs_64", 20_000.0, 10_000.0, 60_000.0),
        ];
        let report = Report::new(&outcomes, 1).unwrap();
        let sizing = sizing(&report).replace('\n', " ");
        assert!(sizing.starts_with("In the race, 64 submitters have 50 times the jobs of one"), "{sizing}");
        assert!(sizing.contains("A job of theirs costs 2.00 times as much"), "{sizing}");
        assert!(sizing.ends_with("groups of one, it is 0.50 times. "), "{sizing}");
        let bound = bound(&report).replace('\n', " ");
        assert!(
            bound.starts_with("A sync alone took 0.50 ms. A job of one submitter took 2.00 times"),
            "{bound}"
        );
        assert!(bound.contains("so 6.00 times the speed of River"), "{bound}");
    }

    #[test]
    fn sentences_without_their_rows_are_left_out() {
        let report = Report::new(&[row("durable_jobs_1", 10.0, 0.0, 0.0)], 1).unwrap();
        assert_eq!([sizing(&report), bound(&report)], [String::new(), String::new()]);
    }

    #[test]
    fn lines_have_at_most_a_hundred_columns() {
        let text = wrapped(&"seven77 ".repeat(30));
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [95, 95, 47]);
        assert!(text.ends_with("7\n"));
    }
}
