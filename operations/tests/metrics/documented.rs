//! The list of the metrics: each has a row in docs/OPERATIONS.md and a test.

use std::fs;
use std::path::Path;

use perennial_operations::{MetricInfo, MetricKind, Metrics};

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn row(metric: &MetricInfo) -> String {
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        _ => "unknown",
    };
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let MetricInfo { name, unit, description, .. } = metric;
    format!("| `{name}` | {kind} | {unit} | {} | {description} |", labels.join(", "))
}

#[test]
fn each_metric_has_a_row_in_the_documentation_and_each_row_a_metric() {
    let text = read("../docs/OPERATIONS.md");
    let section = text.split("\n## Metrics\n").nth(1).expect("there is a section on metrics");
    let section = section.split("\n## ").next().expect("it is the rest");
    // Those of durable pools and stores are listed in a part of their own.
    let section = section.split("\n### ").next().expect("it is the first part");
    let documented: Vec<&str> = section.lines().filter(|line| line.starts_with("| `perennial_")).collect();
    let expected: Vec<String> = Metrics::all().iter().map(|metric| row(metric)).collect();
    assert_eq!(documented, expected);
}

#[test]
fn each_metric_has_a_test() {
    let tests = ["actors", "bounds", "handlers", "messages", "pools", "registry", "supervisors"];
    let tests: String = tests.iter().map(|name| read(&format!("tests/metrics/{name}.rs"))).collect();
    for metric in Metrics::all() {
        let name = metric.name.strip_prefix("perennial_").expect("all have the prefix");
        let is_tested = tests.contains(&format!("\"{name}\"")) || tests.contains(&format!("\"{name}{{"));
        assert!(is_tested, "{name}");
    }
}
