//! How the results of a readiness probe add up.

use crate::pool::runtime::probing::Results;

/// Returns the readiness after each result. `+` is a success, `-` a failure.
fn readiness(success_threshold: u32, failure_threshold: u32, results: &str) -> String {
    let mut recorded = Results::new(success_threshold, failure_threshold);
    let mut is_ready = false;
    let after = results.chars().map(|result| {
        is_ready = recorded.record(result == '+').unwrap_or(is_ready);
        if is_ready { 'R' } else { '.' }
    });
    after.collect()
}

#[test]
fn kubernetes_defaults_make_a_worker_ready_after_one_success_and_unready_after_three_failures() {
    assert_eq!(readiness(1, 3, "--+--+---+-+"), "..RRRRRR.RRR");
}

#[test]
fn only_results_in_a_row_count() {
    assert_eq!(readiness(3, 2, "++-+++-+-+--++-++-+++"), ".....RRRRRR.........R");
    assert_eq!(readiness(1, 1, "+-+--++"), "R.R..RR");
}

#[test]
fn changes_are_announced_once() {
    let mut results = Results::new(2, 2);
    let announced = [true, true, true, false, false, false].map(|result| results.record(result));
    assert_eq!(announced, [None, Some(true), None, None, Some(false), None]);
}
