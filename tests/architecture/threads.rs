//! Tests on several threads read counters only after the handlers that change them have returned.

use super::sources::{Source, assert_none, everything, is_test};

/// Texts that mark a test on several threads.
const THREADS: [&str; 2] = ["multi_thread", "on_threads("];

/// The counters that change when a handler returns, which is after its reply.
const CHANGES_ON_RETURN: [&str; 2] = [".handled", ".queued"];

/// Calls that resolve after the last handler has returned: the exit of the actor or of its tree, or
/// the end of all work of the system.
const ENDS: [&str; 6] =
    [".ended(", "end(&", ".shutdown().await", ".settled().await", ".join()", ".stop(PoolShutdown"];

/// Returns the lines of a test that read a counter while a handler may still be running.
fn early_reads(test: &str) -> Vec<&str> {
    if !THREADS.iter().any(|mark| test.contains(mark)) {
        return Vec::new();
    }
    let mut ended = false;
    let mut early = Vec::new();
    for line in test.lines() {
        let reads = CHANGES_ON_RETURN.iter().any(|count| line.contains(count));
        // A loop waits for the count.
        if reads && !ended && !line.trim_start().starts_with("while ") {
            early.push(line.trim());
        }
        ended |= ENDS.iter().any(|end| line.contains(end));
    }
    early
}

fn tests_of(source: &Source) -> impl Iterator<Item = &str> {
    source.text.split("\n#[").skip(1)
}

#[test]
fn a_test_on_threads_reads_counters_after_the_handlers_have_returned() {
    let files = everything().into_iter().filter(|source| is_test(&source.path));
    // This file spells out what it looks for.
    let files = files.filter(|source| !source.path.ends_with(file!()));
    let wrong = files.flat_map(|source| {
        let path = source.path.display().to_string();
        let lines: Vec<String> = tests_of(&source).flat_map(early_reads).map(str::to_owned).collect();
        lines.into_iter().map(move |line| format!("{path}: {line}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert_none("a reply comes before its handler returns: wait for the exit of the actor first", &wrong);
}

#[test]
fn a_read_of_an_account_before_the_end_is_found() {
    let early =
        "tokio::test(flavor = \"multi_thread\")]\n  let c = a.counters();\n  assert_eq!(c.handled, 2);";
    assert_eq!(early_reads(early), ["assert_eq!(c.handled, 2);"]);
    let late = early.replace("let c", "stage.record.ended(2).await;\n let c");
    assert_eq!(early_reads(&late), [""; 0]);
    assert_eq!(early_reads(&early.replace("multi_thread", "current_thread")), [""; 0]);
}
