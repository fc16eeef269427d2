//! Tests the comparison of instruction counts with their limits.

use super::{Limits, Report};

const FILE: &str = "\
# Counted with rustc 1.95.0, x86_64-unknown-linux-gnu, glibc 2.36
# The instructions of one item; `./x instructions --bless` writes them.
call 1000
cast 200
";

fn limits() -> Limits {
    FILE.parse().expect("the file is right")
}

fn exists(work: &str) -> bool {
    ["call", "cast"].contains(&work)
}

#[test]
fn count_within_the_tolerance_is_neither_wrong_nor_fallen() {
    for (call, cast) in [(1000, 200), (1030, 206), (970, 194)] {
        let report = limits().check(&[("call", call), ("cast", cast)], exists);
        assert_eq!(report, Report::default());
    }
}

#[test]
fn count_that_grew_is_wrong_and_the_text_says_by_how_much() {
    let report = limits().check(&[("call", 1031), ("cast", 230)], exists);
    assert!(report.wrong[0].starts_with("call grew by 3.1 %, from 1000 to 1031 instructions"));
    assert!(report.wrong[1].starts_with("cast grew by 15.0 %, from 200 to 230 instructions"));
    assert!(report.wrong.iter().all(|text| text.ends_with("run ./x instructions --bless")));
    assert!(report.fallen.is_empty());
}

#[test]
fn count_that_fell_is_not_wrong_and_asks_for_a_new_limit() {
    let report = limits().check(&[("call", 969), ("cast", 100)], exists);
    assert!(report.wrong.is_empty());
    assert!(report.fallen[0].starts_with("call fell by 3.1 %, from 1000 to 969 instructions"));
    assert!(report.fallen[1].starts_with("cast fell by 50.0 %, from 200 to 100 instructions"));
    assert!(report.fallen.iter().all(|text| text.ends_with("run ./x instructions --bless")));
}

#[test]
fn work_without_a_limit_and_limit_without_a_work_are_wrong() {
    let report = limits().check(&[("whereis", 90)], |work| ["call", "whereis"].contains(&work));
    let wrong = [
        "cast does not exist, but has a limit: run ./x instructions --bless",
        "whereis has no limit: run ./x instructions --bless",
    ];
    assert_eq!(report.wrong, wrong);
}

#[test]
fn limit_of_a_work_that_is_not_counted_is_not_wrong() {
    assert_eq!(limits().check(&[("call", 1000)], exists), Report::default());
}

#[test]
fn file_is_written_as_it_is_read() {
    assert_eq!(limits().to_string(), FILE);
}

#[test]
fn blessed_count_is_the_new_limit_and_the_others_stay() {
    let mut limits = limits();
    limits.bless("rustc 1.95.0, x86_64-unknown-linux-gnu, glibc 2.36", &[("cast", 250)], exists);
    assert_eq!(limits.to_string(), FILE.replace("cast 200", "cast 250"));
}

#[test]
fn blessing_removes_limits_of_works_that_do_not_exist() {
    let mut limits = limits();
    let platform = "rustc 1.95.0, x86_64-unknown-linux-gnu, glibc 2.36";
    limits.bless(platform, &[("cast", 200)], |work| work == "cast");
    assert_eq!(limits.to_string(), FILE.replace("call 1000\n", ""));
}

#[test]
fn blessing_on_another_platform_removes_the_limits_of_the_old_one() {
    let mut limits = limits();
    limits.bless("another", &[("cast", 210)], exists);
    let limits = limits.to_string();
    assert!(limits.starts_with("# Counted with another\n"));
    assert!(limits.contains("cast 210\n") && !limits.contains("call "));
}

#[test]
fn row_shows_the_change_in_percent_or_that_there_is_no_limit() {
    let cells = |row: String| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells(limits().row("cast", 205)), ["cast", "205", "200", "+2.5", "%"]);
    assert_eq!(cells(limits().row("call", 900)), ["call", "900", "1000", "-10.0", "%"]);
    assert_eq!(cells(limits().row("whereis", 90)), ["whereis", "90", "-", "-"]);
}

#[test]
fn line_that_is_not_a_work_and_a_number_is_refused() {
    for line in ["cast", "cast x", "cast 0", "cast 1 2", "cast -1"] {
        let error = format!("# Counted with any\n{line}\n").parse::<Limits>().expect_err("it is no limit");
        assert!(error.ends_with(line));
    }
}
