//! The chaos demo where its output goes nowhere: to pipes without a reader, or to descriptors that
//! are closed.

#![cfg(unix)]

#[path = "support/examples.rs"]
mod examples;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

const FILES: usize = 20;

fn place() -> TempDir {
    let place = tempfile::tempdir().expect("a folder");
    let input = place.path().join("in");
    fs::create_dir(&input).expect("a folder");
    (0..FILES).for_each(|number| fs::write(input.join(format!("file {number}")), [7; 5000]).expect("a file"));
    place
}

/// The redirections under which a shell starts the demo. `|` stands for a pipe that has no reader
/// before the demo prints anything.
const UNREAD: [&str; 7] = [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "|", "2>&1 |", "2>&1 >&- |"];

/// Runs the demo with its output redirected. Returns its exit code.
fn run(arguments: &[&str], redirection: &str, folder: &Path) -> Option<i32> {
    let (redirection, piped) = match redirection.strip_suffix('|') {
        Some(rest) => (rest, true),
        None => (redirection, false),
    };
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}"));
    shell.arg(examples::built("chaos")).args(arguments).current_dir(folder).stderr(Stdio::null());
    shell.stdout(if piped { Stdio::piped() } else { Stdio::null() });
    let mut demo = shell.spawn().expect("there is a shell");
    drop(demo.stdout.take());
    demo.wait().expect("the process ends").code()
}

#[test]
fn a_run_whose_output_goes_nowhere_ends_in_a_manifest_that_sha256sum_accepts() {
    let place = place();
    for quiet in [false, true] {
        for redirection in UNREAD {
            let mut arguments = vec!["--input", "in", "--manifest", "m", "--seed", "7", "--faults", "10"];
            arguments.extend(["--duration", "0.1"]);
            arguments.extend(quiet.then_some("--quiet"));
            let manifest = place.path().join("m");
            assert_eq!(run(&arguments, redirection, place.path()), Some(0), "chaos {redirection}");
            let mut check = Command::new("sha256sum");
            check.args(["--check", "--strict", "m"]).current_dir(place.path());
            let check = check.output().expect("sha256sum is there");
            assert!(check.status.success(), "chaos {redirection}: {check:?}");
            let lines = fs::read_to_string(&manifest).expect("the manifest").lines().count();
            assert_eq!(lines, FILES, "chaos {redirection}");
            fs::remove_file(&manifest).expect("it exists");
        }
    }
}

#[test]
fn the_exit_code_of_a_run_without_output_still_says_what_was_wrong() {
    let place = place();
    let violated = ["--input", "in", "--sabotage", "lose-work", "--seed", "1"];
    for redirection in UNREAD {
        assert_eq!(run(&["--input", "nowhere"], redirection, place.path()), Some(2), "chaos {redirection}");
        assert_eq!(run(&["--help"], redirection, place.path()), Some(0), "chaos {redirection}");
    }
    assert_eq!(run(&violated, "2>&1 |", place.path()), Some(1));
    assert_eq!(run(&violated, ">&- 2>&-", place.path()), Some(1));
}
