//! The report as one page of HTML that needs nothing else: no script, no font, no other file.

mod histogram;
mod markup;
mod timeline;

use std::fmt::Write as _;

use super::recovery::Recovery;
use super::report::Report;
use super::text::counted;
use markup::Escaped;

const STYLE: &str = include_str!("style.css");

/// Returns the page.
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    let passed = report.exit_code() == 0;
    let (class, verdict) = (if passed { "good" } else { "bad" }, report.verdict());
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>chaos, seed {}</title>\n<style>\n{STYLE}</style>\n<main>\n\
         <header><h1>Chaos, seed {}</h1>\n<p class=\"verdict {class}\">{}</p></header>\n",
        report.seed,
        report.seed,
        Escaped(&verdict),
    )?;
    write_numbers(page, report)?;
    section(page, "What happened when", &timeline::timeline(&report.history))?;
    let times: Vec<_> = report.history.faults.iter().map(|fault| fault.recovered_in).collect();
    section(page, "From a crash to the next incarnation", &histogram::histogram(&times))?;
    let tree = format!("<pre>{}</pre>\n", Escaped(&report.tree));
    section(page, "The tree after the attack", &tree)?;
    section(page, "Checks", &checks(report))?;
    writeln!(page, "</main>\n</html>")
}

fn section(page: &mut String, title: &str, content: &str) -> std::fmt::Result {
    write!(page, "<section>\n<h2>{title}</h2>\n{content}</section>\n")
}

fn write_numbers(page: &mut String, report: &Report) -> std::fmt::Result {
    let Recovery { p50, p99, .. } = report.recovery;
    let restarts = report.totals.restarts;
    let numbers = [
        (counted(report.faults.total, "fault"), format!("{} planned", report.planned)),
        (counted(restarts, "restart"), counted(report.totals.escalations, "escalation")),
        (counted(report.matching.len() as u64, "file"), "each in the result once".to_owned()),
        (format!("{} µs", p50), format!("to recover, half of the time; {p99} µs at p99")),
        (
            counted(report.messages.handled, "message"),
            format!("{} lost with a crash", report.messages.lost_in_flight),
        ),
    ];
    page.push_str("<ul class=\"numbers\">\n");
    for (number, about) in numbers {
        writeln!(page, "<li><strong>{number}</strong> <span>{about}</span></li>")?;
    }
    page.push_str("</ul>\n");
    Ok(())
}

fn checks(report: &Report) -> String {
    let mut list = String::from("<ul class=\"checks\">\n");
    for check in &report.checks {
        let (class, mark) = if check.passed() { ("good", "passed") } else { ("bad", "violated") };
        let detail = check.violations.first().map_or_else(String::new, |first| format!(": {first}"));
        let text = format!("{}{detail}", check.invariant);
        let _ = writeln!(list, "<li class=\"{class}\"><b>{mark}</b> {}</li>", Escaped(&text));
    }
    list.push_str("</ul>\n");
    list
}
