//! The chaos demo on nodes: processes that are killed, frozen and cut off while they work.

#[path = "support/examples.rs"]
mod examples;
#[path = "support/place.rs"]
mod place;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::place::Place;

const FILES: usize = 40;

/// The feature of the demo.
const FEATURE: &str = "perennial-chaos/cluster";

impl Place {
    fn demo(&self, arguments: &[&str]) -> Command {
        let tmp = self.path().join("tmp");
        fs::create_dir_all(&tmp).expect("a folder");
        let mut demo = Command::new(self.path().join("chaos"));
        demo.args(["--input", "in", "--seed", "7"]).args(arguments);
        demo.current_dir(self.path()).env("TMPDIR", tmp);
        demo
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.demo(arguments).output().expect("the demo runs")
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("j")).expect("the report")).expect("JSON")
    }

    /// Returns how many files and folders a run has left in the temporary folder.
    fn left(&self) -> usize {
        fs::read_dir(self.path().join("tmp")).expect("it is there").count()
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
fn every_file_is_in_the_manifest_once_although_nodes_are_killed_frozen_and_cut_off() {
    let place = Place::new(FILES, FEATURE);
    let faults = ["--faults", "6", "--duration", "5"];
    let output = place.run(&[&["--nodes", "2", "--manifest", "m", "--json", "j"], &faults[..]].concat());
    assert_code(&output, 0);
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "m"]).current_dir(place.path());
    let checked = check.output().expect("sha256sum is there");
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert_eq!(text(&checked.stdout).matches(": OK\n").count(), FILES);
    let shown = text(&output.stdout);
    assert!(shown.contains("verified: 40 files, 2 nodes, 6 faults, nothing lost (seed 7)"), "{shown}");
    assert!(shown.lines().count() <= 24 && shown.lines().all(|line| line.chars().count() <= 100), "{shown}");

    let report = place.report();
    let number = |path: &str| {
        report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} in {report}"))
    };
    let kinds =
        ["kill", "freeze", "cut", "cut one way", "slow"].map(|kind| number(&format!("/faults/{kind}")));
    assert_eq!(kinds, [1, 2, 1, 1, 1]);
    assert!(number("/messages/boots") >= 3, "a node that is killed is started again: {report}");
    assert!(number("/messages/acknowledged") >= FILES as u64 && number("/messages/monitors") > 0);
    assert!(number("/messages/disconnected") > 0, "the faults were noticed: {report}");
    assert_eq!((&report["verified"], &report["violations"]), (&Value::Bool(true), &Value::Array(vec![])));
    assert_eq!(place.left(), 0);
}

#[test]
fn both_sabotages_are_noticed_and_named() {
    let place = Place::new(FILES, FEATURE);
    for (sabotage, noticed) in [
        ("reorder", "each stream is handled in order: "),
        ("double-deliver", "no message is handled twice: message "),
    ] {
        let arguments = ["--nodes", "2", "--faults", "1", "--duration", "2", "--json", "j"];
        let output = place.run(&[&arguments[..], &["--sabotage", sabotage]].concat());
        assert_code(&output, 1);
        let report = place.report();
        let violations = report["violations"].as_array().expect("a list");
        let is_named = |text: &Value| text.as_str().is_some_and(|text| text.starts_with(noticed));
        assert!(violations.iter().all(is_named) && report["verified"] == false, "{report}");
    }
}

#[test]
fn ctrl_c_ends_all_nodes_and_reports_what_there_is() {
    let place = Place::new(FILES, FEATURE);
    let mut demo = place.demo(&["--nodes", "2", "--duration", "60", "--json", "j"]);
    let mut demo = demo.stdout(Stdio::piped()).spawn().expect("the demo runs");
    let mut lines = BufReader::new(demo.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("chaos: indexing in with seed 7: 2 nodes, 12 faults over 60s"));
    assert_eq!(lines.next().as_deref(), Some("chaos: all nodes are connected"));
    assert_eq!(place.left(), 1);
    let sent = Command::new("kill").args(["-INT", &demo.id().to_string()]).status();
    assert!(sent.expect("there is a kill command").success());
    assert_eq!(demo.wait().expect("it ends").code(), Some(130));
    assert!(lines.any(|line| line.starts_with("interrupted: ")));
    assert_eq!((place.report()["interrupted"].as_bool(), place.left()), (Some(true), 0));
}

#[test]
fn what_nodes_cannot_do_is_wrong_usage() {
    let place = Place::new(FILES, FEATURE);
    for (arguments, told) in [
        (&["--nodes", "2", "--html", "page"][..], "for a run without --nodes"),
        (&["--nodes", "2", "--sabotage", "no-restart"], "reorder, double-deliver"),
        (&["--node-process", "nothing"], "nothing"),
    ] {
        let output = place.run(arguments);
        assert_code(&output, 2);
        assert!(text(&output.stderr).contains(told), "{arguments:?}: {}", text(&output.stderr));
    }
}
