//! The spans of the program arrive at a collector, with their links.

use std::process::Command;

use otlp::collector::Collector;

fn run_with(endpoint: &str) -> bool {
    let mut program = Command::new(env!("CARGO_BIN_EXE_otlp"));
    program.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint);
    program.status().expect("it starts").success()
}

#[test]
fn spans_of_senders_and_handlers_arrive_linked() {
    let collector = Collector::start().expect("there is a port");
    assert!(run_with(&collector.endpoint()));
    collector.received().assert_linked();
}

#[test]
#[should_panic(expected = "there is no span buy")]
fn spans_that_do_not_arrive_are_missed() {
    let collector = Collector::start().expect("there is a port");
    collector.received().assert_linked();
}
