//! The chaos demo as its user sees it: options, output, exit codes.

#[path = "support/examples.rs"]
mod examples;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn chaos() -> PathBuf {
    examples::built("chaos")
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    Command::new(chaos()).args(arguments).current_dir(folder).output().expect("the demo runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_code(output: &Output, code: i32) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
}

/// Returns a folder with files in `in` below it: nested, empty, and with unusual names.
fn place() -> TempDir {
    let place = tempfile::tempdir().expect("a folder");
    let input = place.path().join("in");
    fs::create_dir_all(input.join("deep/er")).expect("folders");
    for number in 0..60_u32 {
        let content = vec![number as u8; number as usize * 1000];
        fs::write(input.join(format!("file {number}")), content).expect("a file");
    }
    fs::write(input.join("deep/er/nested"), "nested").expect("a file");
    for name in [b"line\nbreak".as_slice(), b"back\\slash", b"carriage\rreturn", b"\xff not text"] {
        fs::write(input.join(std::ffi::OsStr::from_bytes(name)), name).expect("a file");
    }
    std::os::unix::fs::symlink("file 1", input.join("link")).expect("a link");
    place
}

const FILES: usize = 65;

#[test]
fn a_run_ends_in_a_manifest_that_sha256sum_accepts() {
    let place = place();
    let output = run(&["--input", "in", "--manifest", "m", "--json", "j", "--seed", "7"], place.path());
    assert_code(&output, 0);
    let manifest = fs::read(place.path().join("m")).expect("the manifest");
    let lines: Vec<&[u8]> = manifest.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), FILES);
    // Sorted by path, whatever escapes stand before and in it.
    let plain: Vec<&[u8]> =
        lines.iter().copied().filter(|line| line[0] != b'\\').map(|line| &line[66..]).collect();
    assert!(plain.is_sorted());
    assert_accepted("m", place.path());
}

/// Asserts that an outside tool finds every file as a manifest has it.
fn assert_accepted(manifest: &str, folder: &Path) {
    let check =
        Command::new("sha256sum").args(["--check", "--strict", manifest]).current_dir(folder).output();
    let check = check.expect("sha256sum is there");
    assert!(check.status.success(), "{}", text(&check.stderr));
    assert_eq!(text(&check.stdout).lines().filter(|line| line.ends_with(": OK")).count(), FILES);
}

#[test]
fn the_report_is_one_json_object_whose_accounts_add_up() {
    let place = place();
    assert_code(&run(&["--input", "in", "--json", "j", "--seed", "7", "--quiet"], place.path()), 0);
    let report: Value =
        serde_json::from_slice(&fs::read(place.path().join("j")).expect("the report")).expect("JSON");
    let number = |path: &str| {
        report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} in {report}"))
    };
    assert_eq!((number("/version"), number("/seed"), number("/files")), (2, 7, FILES as u64));
    assert_eq!(number("/bytes"), (0..60_u64).map(|n| n * 1000).sum::<u64>() + 6 + 10 + 10 + 15 + 10);
    assert_eq!((number("/faults/total"), number("/faults/planned")), (25, 25));
    let kinds = ["panic", "error", "kill", "exhaust_restarts"];
    let counts = kinds.map(|kind| number(&format!("/faults/{kind}")));
    assert_eq!(counts.iter().sum::<u64>(), 25);
    assert!(number("/supervision/escalations") >= 1 && number("/supervision/restarts") >= 1);
    let settled = ["handled", "lost_in_flight", "dead_lettered", "queued"]
        .map(|kind| number(&format!("/messages/{kind}")));
    assert_eq!(number("/messages/accepted"), settled.iter().sum::<u64>());
    let ended = ["completed", "failed", "dropped"].map(|kind| number(&format!("/jobs/{kind}")));
    assert_eq!(number("/jobs/submitted"), ended.iter().sum::<u64>());
    assert!(number("/jobs/completed") >= FILES as u64 && number("/jobs/retried") >= 1);
    assert!(number("/recovery_us/p50") <= number("/recovery_us/p99"));
    assert!(number("/recovery_us/p99") <= number("/recovery_us/max"));
    assert_eq!((&report["verified"], &report["violations"]), (&Value::Bool(true), &Value::Array(vec![])));
    assert_eq!(report["failed"], Value::Array(vec![]));
    assert!(report["elapsed_ms"].is_u64());
}

/// Returns the lines of the plan that `--verbose` prints.
fn planned(output: &Output) -> Vec<String> {
    let shown = text(&output.stdout);
    shown.lines().skip(1).take_while(|line| line.starts_with(' ')).map(str::to_owned).collect()
}

#[test]
fn the_same_seed_prints_and_injects_the_same_faults() {
    let place = place();
    let faults = |seed: &str| {
        let arguments = ["--input", "in", "--verbose", "--json", "j", "--seed", seed];
        let output = run(&arguments, place.path());
        assert_code(&output, 0);
        let json = fs::read(place.path().join("j")).expect("the report");
        let report: Value = serde_json::from_slice(&json).expect("JSON");
        (planned(&output), report["faults"].clone())
    };
    let first = faults("7");
    assert_eq!(first.0.len(), 25);
    assert_eq!(first, faults("7"));
    assert_ne!(first.0, faults("8").0);
    // The injected faults are the planned ones.
    for (kind, name) in [("panic", "panic"), ("error", "error"), ("kill", "kill")] {
        let planned = first.0.iter().filter(|line| line.split_whitespace().nth(2) == Some(name));
        assert_eq!(first.1[kind], planned.count() as u64, "{kind}");
    }
    assert_eq!(first.1["exhaust_restarts"], 1);
}

#[test]
fn the_report_fits_a_screen_and_explains_the_tree() {
    let place = place();
    let output = run(&["--input", "in", "--seed", "7"], place.path());
    assert_code(&output, 0);
    let shown = text(&output.stdout);
    for part in [
        "with seed 7",
        "<7.3> is the third incarnation of actor 7",
        "├─ collector",
        "├─ hashers",
        "faults  ",
        "1 exhaustion of a supervisor",
        "restarts  ",
        "lost in flight",
        "passed\n",
        "verified: 65 files, 25 faults, nothing lost (seed 7)",
    ] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    assert!(!text(&output.stderr).contains("panicked"), "planned panics are not shown");
    assert_fits_a_screen(&shown);
    // More workers than a screen has lines for, and more violations.
    let sabotages = ["lose-work", "double-count", "no-restart"].map(|sabotage| ["--sabotage", sabotage]);
    for more in [["--workers", "40"]].into_iter().chain(sabotages) {
        let output = run(&[&["--input", "in", "--seed", "7"], &more[..]].concat(), place.path());
        assert_fits_a_screen(&text(&output.stdout));
    }
}

/// Asserts that a text fits a terminal of 24 lines of 100 columns.
fn assert_fits_a_screen(shown: &str) {
    assert!(shown.lines().count() <= 24, "{} lines:\n{shown}", shown.lines().count());
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
}

#[test]
fn verbose_lists_every_check_and_every_worker() {
    let place = place();
    let output = run(&["--input", "in", "--seed", "7", "-v", "--workers", "20"], place.path());
    assert_code(&output, 0);
    let shown = text(&output.stdout);
    assert_eq!(shown.lines().filter(|line| line.starts_with("passed    ")).count(), 13, "{shown}");
    for worker in 0..20 {
        assert!(shown.contains(&format!("─ {worker}  running <")), "worker {worker} is not in:\n{shown}");
    }
}

#[test]
fn every_seed_holds() {
    let place = place();
    for seed in 0..10 {
        let seed = seed.to_string();
        let arguments = ["--input", "in", "--quiet", "--seed", &seed, "--duration", "0.1", "--workers", "3"];
        assert_code(&run(&arguments, place.path()), 0);
    }
}

#[test]
fn an_empty_folder_a_single_worker_and_a_single_fault_are_no_exceptions() {
    let place = place();
    fs::create_dir(place.path().join("empty")).expect("a folder");
    assert_code(&run(&["--input", "empty", "--quiet", "--duration", "0.1"], place.path()), 0);
    assert_code(&run(&["--input", "in", "--quiet", "--workers", "1"], place.path()), 0);
    let output = run(&["--input", "in", "--faults", "1", "--seed", "7"], place.path());
    assert_code(&output, 0);
    assert!(text(&output.stdout).contains("65 files, 1 fault, nothing lost"), "{}", text(&output.stdout));
}

#[test]
fn a_run_with_a_store_says_which_feature_it_needs() {
    let place = place();
    for arguments in [&["--durable", "f"][..], &["--durable", "f", "--kill-process", "3"]] {
        let output = run(arguments, place.path());
        assert_code(&output, 2);
        let said = text(&output.stderr);
        assert!(said.contains("--durable needs the feature durable: cargo run"), "{said}");
    }
    for arguments in [&["--kill-process", "3"][..], &["--sabotage", "no-fencing"]] {
        let output = run(arguments, place.path());
        assert_code(&output, 2);
        assert!(text(&output.stderr).contains("--durable STORE"), "{}", text(&output.stderr));
    }
    assert!(!place.path().join("f").exists());
}

#[test]
fn a_run_with_nodes_says_which_feature_it_needs() {
    let place = place();
    for (arguments, told) in [
        (&["--nodes", "3"][..], "--nodes needs the feature cluster: cargo run"),
        (&["--nodes", "1"], "give a number from 2 to 9"),
        (&["--sabotage", "reorder"], "need --nodes N"),
    ] {
        let output = run(arguments, place.path());
        assert_code(&output, 2);
        assert!(text(&output.stderr).contains(told), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn every_sabotage_is_noticed_and_named() {
    let place = place();
    for (sabotage, noticed) in [
        ("lose-work", "every file is in the result: missing: "),
        ("double-count", "no file is in the result twice: more than once: "),
        ("no-restart", "did not come back: "),
    ] {
        let output = run(&["--input", "in", "--sabotage", sabotage, "--seed", "1"], place.path());
        assert_code(&output, 1);
        let shown = text(&output.stdout);
        assert!(shown.contains("VIOLATED") && shown.contains(noticed), "{sabotage}:\n{shown}");
    }
}

#[test]
fn bad_usage_is_told_in_one_line_that_says_how() {
    let place = place();
    let cases: [(&[&str], &str); 7] = [
        (&["--input", "nowhere"], "name a folder that exists"),
        (&["--input", "in/file 1"], "name one"),
        (&["--workers", "0"], "see --help"),
        (&["--duration", "-1"], "give a number of seconds from 0 to 3600; see --help"),
        (&["--unknown"], "see --help"),
        (&["--sabotage", "everything"], "lose-work, double-count, no-restart"),
        (&["--manifest", "nowhere/m"], "name a file that can be written"),
    ];
    for (arguments, how) in cases {
        let output = run(arguments, place.path());
        assert_code(&output, 2);
        let told = text(&output.stderr);
        assert!(told.lines().count() == 1 && told.contains(how), "{arguments:?}: {told}");
    }
}

#[test]
fn its_own_output_is_not_indexed() {
    let place = place();
    let arguments = ["--input", "in", "--manifest", "in/m", "--json", "in/j", "--quiet"];
    for _ in 0..2 {
        assert_code(&run(&arguments, place.path()), 0);
        let manifest = fs::read(place.path().join("in/m")).expect("the manifest");
        assert_eq!(manifest.iter().filter(|byte| **byte == b'\n').count(), FILES);
    }
}

/// Runs the demo without the rights to read every file, even if this test runs as root.
fn run_unprivileged(arguments: &[&str], place: &Path) -> Output {
    const UNPRIVILEGED_UID: u32 = 65534;
    fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let program = place.join("chaos");
    examples::copy(&chaos(), &program);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place);
    if fs::metadata(place).expect("it is there").uid() == 0 {
        command.uid(UNPRIVILEGED_UID);
    }
    command.output().expect("the demo runs")
}

#[test]
fn a_file_that_cannot_be_read_is_listed_and_the_rest_goes_on() {
    let place = place();
    let secret = place.path().join("in/secret");
    fs::write(&secret, "secret").expect("a file");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let output = run_unprivileged(&["--input", "in", "--seed", "7"], place.path());
    assert_code(&output, 3);
    let shown = text(&output.stdout);
    assert!(shown.contains("in/secret: Permission denied"), "{shown}");
    assert!(shown.contains(&format!("files     {FILES} ")), "{shown}");
}

#[test]
fn a_file_that_vanishes_meanwhile_is_listed() {
    let place = place();
    let mut demo = Command::new(chaos())
        .args(["--input", "in", "--seed", "7", "--duration", "6", "--json", "j"])
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the demo runs");
    let mut lines = BufReader::new(demo.stdout.take().expect("it is piped")).lines();
    // The attack continues for a fifth of its duration after the last file. The final pass misses a
    // file that vanishes in that time.
    let done = lines.by_ref().map_while(Result::ok).find(|line| line.contains("files indexed"));
    assert!(done.is_some(), "the demo says when the work is done");
    fs::remove_file(place.path().join("in/file 9")).expect("it is removed");
    lines.for_each(drop);
    assert_eq!(demo.wait().expect("it ends").code(), Some(3));
    let report: Value =
        serde_json::from_slice(&fs::read(place.path().join("j")).expect("the report")).expect("JSON");
    assert_eq!(report["failed"][0]["path"], "in/file 9");
    assert_eq!(report["failed"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["verified"], true);
}

#[cfg(unix)]
mod interrupt {
    //! Ctrl-C, which a terminal sends as SIGINT.

    use super::*;
    use std::process::{Child, ChildStdout};

    /// Starts a run that takes a minute, and waits until faults are being injected.
    fn start(arguments: &[&str], place: &Path) -> (Child, BufReader<ChildStdout>) {
        let mut demo = Command::new(chaos());
        demo.args(["--input", "in", "--seed", "7", "--duration", "60"]).args(arguments).current_dir(place);
        let mut demo = demo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the demo runs");
        let mut output = BufReader::new(demo.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the first line");
        assert!(line.starts_with("chaos: indexing in with seed 7"), "{line}");
        (demo, output)
    }

    fn send_interrupt(demo: &Child) {
        let sent = Command::new("kill").args(["-INT", &demo.id().to_string()]).status();
        assert!(sent.expect("there is a kill command").success());
    }

    #[test]
    fn ends_the_run_with_the_report_so_far() {
        let place = place();
        let (mut demo, mut output) = start(&["--json", "j", "--manifest", "m"], place.path());
        send_interrupt(&demo);
        let mut shown = String::new();
        output.read_to_string(&mut shown).expect("the report");
        assert_eq!(demo.wait().expect("it ends").code(), Some(130), "{shown}");
        assert!(shown.contains("├─ collector") && shown.contains("\ninterrupted: "), "{shown}");
        assert_fits_a_screen(&shown);
        let json = fs::read(place.path().join("j")).expect("the report");
        let report: Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!((&report["interrupted"], &report["verified"]), (&true.into(), &false.into()));
        assert_eq!(report["violations"], Value::Array(vec![]));
        let manifest = fs::read(place.path().join("m")).expect("the manifest");
        let lines = manifest.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(report["files"], lines);
        assert!(lines < FILES as u64);
    }

    #[test]
    fn a_second_one_ends_the_run_at_once() {
        let place = place();
        // The plan is longer than a pipe holds, and is not read on: this run cannot end in good
        // order.
        let (mut demo, output) = start(&["--verbose", "--faults", "5000"], place.path());
        send_interrupt(&demo);
        let mut errors = BufReader::new(demo.stderr.take().expect("it is piped"));
        let told = errors.by_ref().lines().map_while(Result::ok);
        assert!(told.take(2).any(|line| line.contains("Ctrl-C again ends it at once")));
        send_interrupt(&demo);
        assert_eq!(demo.wait().expect("it ends").code(), Some(130));
        drop(output);
    }
}
