//! The chaos demo with jobs that outlive its process: the process is killed while it works.

#[path = "support/examples.rs"]
mod examples;
#[path = "support/place.rs"]
mod place;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::place::Place;

const FILES: usize = 80;

/// The feature of the demo.
const FEATURE: &str = "perennial-chaos/durable";

impl Place {
    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(&[&["--input", "in"], arguments].concat())
    }

    fn run_with(&self, arguments: &[&str]) -> Output {
        let program: PathBuf = self.path().join("chaos");
        let mut demo = Command::new(program);
        demo.args(["--seed", "7"]).args(arguments).current_dir(self.path());
        demo.output().expect("the demo runs")
    }

    fn transfer(&self, arguments: &[&str]) -> Output {
        self.run_with(&[&["--scenario", "ledger", "--durable", "ledger.db"], arguments].concat())
    }

    fn report(&self, name: &str) -> Value {
        let json = fs::read(self.path().join(name)).expect("the report");
        serde_json::from_slice(&json).expect("JSON")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_code(output: &Output, code: i32) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
}

#[test]
fn every_file_is_in_the_manifest_once_although_the_process_is_killed_again_and_again() {
    let place = Place::new(FILES, FEATURE);
    let arguments = ["--durable", "in/jobs.db", "--kill-process", "30", "--manifest", "m", "--json", "j"];
    let output = place.run(&arguments);
    assert_code(&output, 0);
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "m"]).current_dir(place.path());
    let checked = check.output().expect("sha256sum is there");
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert_eq!(text(&checked.stdout).matches(": OK\n").count(), FILES);
    let shown = text(&output.stdout);
    assert!(shown.contains("verified: 80 files, 30 kills, nothing lost (seed 7)"), "{shown}");
    assert!(shown.lines().count() <= 24 && shown.lines().all(|line| line.chars().count() <= 100), "{shown}");

    let report = place.report("j");
    let number = |path: &str| {
        report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} in {report}"))
    };
    assert_eq!((number("/files"), number("/kills")), (FILES as u64, 30));
    assert_eq!((number("/jobs/acknowledged"), number("/jobs/stored")), (FILES as u64, FILES as u64));
    assert_eq!(number("/jobs/attempts"), FILES as u64 + number("/jobs/cut_off"));
    assert!(number("/jobs/cut_off") > 0, "no kill came in the middle of the work");
    assert!(number("/rescues") > 0 && number("/rescue_us/p50") <= number("/rescue_us/p99"));
    assert_eq!((&report["verified"], &report["violations"]), (&Value::Bool(true), &Value::Array(vec![])));
}

#[test]
fn both_sabotages_are_noticed_and_named() {
    let place = Place::new(FILES, FEATURE);
    for (sabotage, noticed) in [
        ("ack-before-commit", "no acknowledged job is lost: job "),
        ("no-fencing", "no late outcome is accepted: job "),
    ] {
        let arguments = ["--durable", "jobs.db", "--kill-process", "30", "--json", "j"];
        let output = place.run(&[&arguments[..], &["--sabotage", sabotage]].concat());
        assert_code(&output, 1);
        assert!(text(&output.stdout).contains(noticed), "{}", text(&output.stdout));
        let report = place.report("j");
        let violations = report["violations"].as_array().expect("a list");
        let named =
            violations.iter().filter(|text| text.as_str().is_some_and(|text| text.starts_with(noticed)));
        assert!(named.count() > 0 && report["verified"] == false, "{report}");
    }
}

#[test]
fn runs_that_share_a_store_are_checked_apart() {
    let place = Place::new(FILES, FEATURE);
    for kills in ["1", "5"] {
        let output = place.run(&["--durable", "jobs.db", "--kill-process", kills, "--quiet"]);
        assert_code(&output, 0);
        assert!(text(&output.stdout).starts_with("verified: 80 files"), "{}", text(&output.stdout));
    }
}

#[test]
fn every_transfer_is_applied_once_although_the_process_and_its_accounts_are_killed() {
    let place = Place::new(FILES, FEATURE);
    for kills in ["20", "1"] {
        let output = place.transfer(&["--kill-process", kills, "--json", "j"]);
        assert_code(&output, 0);
        let shown = text(&output.stdout);
        assert!(shown.contains(", nothing lost (seed 7)"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
        let report = place.report("j");
        let number = |key: &str| report[key].as_u64().unwrap_or_else(|| panic!("{key} in {report}"));
        assert_eq!((number("accounts"), number("kills").to_string()), (8, kills.to_owned()));
        let acknowledged = number("acknowledged");
        assert!(acknowledged > 8 && number("jobs") == acknowledged, "{report}");
        assert_eq!(number("events"), 8 + 2 * acknowledged);
        assert!(number("abandoned_incarnations") > 0 && number("refused_writes") > 0, "{report}");
        assert_eq!((&report["verified"], &report["violations"]), (&Value::Bool(true), &Value::Array(vec![])));
    }
}

#[test]
fn both_sabotages_of_the_ledger_are_noticed() {
    let place = Place::new(FILES, FEATURE);
    for (sabotage, noticed) in [
        ("reply-before-commit", "acknowledged, and sent 0 times"),
        ("no-epoch", "acknowledged, and sent 2 times"),
    ] {
        let output = place.transfer(&["--kill-process", "20", "--sabotage", sabotage, "--json", "j"]);
        assert_code(&output, 1);
        let report = place.report("j");
        let violations = report["violations"].as_array().expect("a list");
        let named = violations.iter().filter(|text| text.as_str().is_some_and(|text| text.contains(noticed)));
        assert!(named.count() > 0 && report["verified"] == false, "{report}");
    }
}

#[test]
fn what_is_no_store_is_wrong_usage_and_is_left_as_it_was() {
    let place = Place::new(FILES, FEATURE);
    fs::write(place.path().join("text"), "no store").expect("a file");
    let output = place.run(&["--durable", "text", "--kill-process", "2"]);
    assert_code(&output, 2);
    assert!(text(&output.stderr).contains("text is not a store"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(place.path().join("text")).expect("a file"), "no store");
    let output = place.run(&["--durable", "postgres://me:secret@localhost/db"]);
    assert_code(&output, 2);
    let told = text(&output.stderr);
    assert!(told.contains("feature durable-postgres") && !told.contains("secret"), "{told}");
    let output = place.run(&["--durable", "jobs.db", "--sabotage", "no-restart"]);
    assert_code(&output, 2);
    assert!(text(&output.stderr).contains("ack-before-commit"), "{}", text(&output.stderr));
}
