//! The queries of the dashboard and of the alert rules: each names metrics and labels that exist.

use perennial_operations::{MetricInfo, MetricKind, Metrics};
use serde_json::Value;

const DASHBOARD: &str = include_str!("../../../docs/operations/dashboard.json");
const ALERTS: &str = include_str!("../../../docs/operations/alerts.yml");

/// Returns the queries of the dashboard, each with its legend.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("there are panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("it has queries"));
    let text = |target: &Value, field: &str| target[field].as_str().expect("it is a text").to_owned();
    targets.map(|target| (text(target, "expr"), text(target, "legendFormat"))).collect()
}

/// Returns the queries of the rules, each with its summary.
fn rules() -> Vec<(String, String)> {
    let field = |name: &str| -> Vec<String> {
        let values = ALERTS.lines().filter_map(|line| line.trim().strip_prefix(name));
        values.map(|value| value.trim().to_owned()).collect()
    };
    let (queries, summaries) = (field("expr:"), field("summary:"));
    assert_eq!(queries.len(), summaries.len());
    queries.into_iter().zip(summaries).collect()
}

/// Returns the words of a text: letters, digits and underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

/// Returns the metric with this name, or that of which it is the series of a histogram.
fn metric(name: &str) -> Option<&'static MetricInfo> {
    let of = |name: &str, is_histogram: bool| {
        let is_it = |metric: &&&MetricInfo| {
            metric.name == name && (metric.kind == MetricKind::Histogram) == is_histogram
        };
        Metrics::all().iter().find(is_it).copied()
    };
    match name.strip_suffix("_bucket") {
        Some(histogram) => of(histogram, true),
        None => of(name, false),
    }
}

/// Returns the labels that a query names: in matchers and after `by`.
fn labels(query: &str) -> Vec<&str> {
    let after = |open: &str, close: char| {
        let parts = query.split(open).skip(1);
        parts.map(move |part| part.split(close).next().unwrap_or_default()).collect::<Vec<_>>()
    };
    let matchers = after("{", '}').into_iter().flat_map(|matchers| matchers.split(','));
    let matchers = matchers.filter_map(|matcher| words(matcher).next());
    let groups = after("by (", ')').into_iter().flat_map(words);
    matchers.chain(groups).collect()
}

/// Returns the labels that a legend or a summary shows.
fn shown(text: &str) -> Vec<&str> {
    let parts = text.split("{{").skip(1).filter_map(|part| part.split("}}").next());
    parts.map(|part| part.trim().trim_start_matches("$labels.")).collect()
}

fn check((query, text): &(String, String)) {
    let named: Vec<&str> = words(query).filter(|word| word.starts_with("perennial_")).collect();
    assert!(!named.is_empty(), "{query}");
    for name in named {
        let metric = metric(name).unwrap_or_else(|| panic!("there is no {name}: {query}"));
        for label in labels(query).into_iter().filter(|label| *label != "le") {
            assert!(metric.labels.contains(&label), "{name} has no {label}: {query}");
        }
        for label in shown(text) {
            assert!(metric.labels.contains(&label), "{name} has no {label}: {text}");
            let is_kept = !query.contains("by (") || labels(query).contains(&label);
            assert!(is_kept, "{label} is summed up: {query}");
        }
    }
}

#[test]
fn queries_of_the_dashboard_name_metrics_and_labels_that_exist() {
    assert_eq!(panels().len(), 19);
    panels().iter().for_each(check);
}

#[test]
fn queries_of_the_alert_rules_name_metrics_and_labels_that_exist() {
    assert_eq!(rules().len(), 14);
    rules().iter().for_each(check);
}

#[test]
fn label_that_a_metric_does_not_have_is_found() {
    let query = "sum by (pool) (perennial_actors{state=\"down\"})".to_owned();
    let checked = std::panic::catch_unwind(|| check(&(query, String::new())));
    assert!(checked.is_err());
    assert_eq!(labels("rate(a{b=\"c\",d!~\"e\"}[5m]) / sum by (f, g) (h)"), ["b", "d", "f", "g"]);
}
