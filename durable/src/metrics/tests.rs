//! The list of the metrics: each has a row in docs/OPERATIONS.md.

use std::fs;
use std::path::Path;

use super::catalog::{ALL, Kind, Metric};

fn row(metric: &Metric) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let Metric { name, unit, description, .. } = metric;
    format!("| `{name}` | {kind} | {unit} | {} | {description} |", labels.join(", "))
}

#[test]
fn each_metric_has_a_row_in_the_documentation_and_each_row_a_metric() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let page = fs::read_to_string(page).expect("it can be read");
    let is_ours =
        |line: &&str| ["| `perennial_durable_", "| `perennial_store_"].iter().any(|of| line.starts_with(of));
    let documented: Vec<&str> = page.lines().filter(is_ours).collect();
    let expected: Vec<String> = ALL.iter().map(|metric| row(metric)).collect();
    assert_eq!(documented, expected);
}
