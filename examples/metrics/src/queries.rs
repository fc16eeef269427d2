//! The queries of the dashboard and of the alert rules, compared with the scrape of a run: each
//! finds series with the labels that it names.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::everything::Everything;

const DASHBOARD: &str = include_str!("../../../docs/operations/dashboard.json");
const ALERTS: &str = include_str!("../../../docs/operations/alerts.yml");
const ALERT_TESTS: &str = include_str!("../../../docs/operations/alerts_test.yml");

/// A series of a scrape.
struct Series<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
}

/// Returns the series of a scrape, without their values.
fn series(scrape: &str) -> Vec<Series<'_>> {
    let lines = scrape.lines().filter(|line| line.starts_with("perennial_"));
    let series = lines.map(|line| {
        let (series, _) = line.rsplit_once(' ').expect("a line has a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
        Series { name, labels: labels.map(|(name, value)| (name, value.trim_end_matches('"'))).collect() }
    });
    series.collect()
}

/// Returns the queries of the dashboard, each with its legend.
fn panels() -> Vec<(String, String)> {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("there are panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("it has queries"));
    let text = |target: &serde_json::Value, field: &str| target[field].as_str().expect("a text").to_owned();
    targets.map(|target| (text(target, "expr"), text(target, "legendFormat"))).collect()
}

/// Returns the values of a field of the rules.
fn rules(field: &str) -> Vec<String> {
    let values = ALERTS.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(field));
    values.map(|value| value.trim().to_owned()).collect()
}

/// Returns the words of a text: letters, digits and underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

/// Returns the selectors of a query: names of metrics, each with its matchers.
fn selectors(query: &str) -> Vec<(&str, &str)> {
    let starts = query.match_indices("perennial_").map(|(at, _)| &query[at..]);
    let selectors = starts.map(|rest| {
        let name = words(rest).next().unwrap_or_default();
        let matchers = rest[name.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next());
        (name, matchers.unwrap_or_default())
    });
    selectors.collect()
}

/// Returns the labels that a query groups by.
fn groups(query: &str) -> Vec<&str> {
    let parts = query.split("by (").skip(1).filter_map(|part| part.split(')').next());
    parts.flat_map(words).collect()
}

/// Returns the labels that a legend or a summary shows.
fn shown(text: &str) -> Vec<&str> {
    let parts = text.split("{{").skip(1).filter_map(|part| part.split("}}").next());
    parts.map(|part| part.trim().trim_start_matches("$labels.")).collect()
}

/// Returns `true` if a series has what a matcher asks for. Of regular expressions, it knows
/// alternatives only.
fn matches(series: &Series<'_>, matcher: &str) -> bool {
    let (label, rest) = matcher.split_at(matcher.find(['=', '!']).expect("a matcher has an operator"));
    let (operator, value) = rest.split_once('"').expect("a matcher has a value");
    let value = value.trim_end_matches('"');
    let Some(found) = series.labels.get(label.trim()) else { return false };
    match operator {
        "=" => *found == value,
        "!=" => *found != value,
        "=~" => value.split('|').any(|one| one == *found),
        "!~" => value.split('|').all(|one| one != *found),
        other => panic!("{other}"),
    }
}

/// Returns why a query finds nothing, or shows a label that it does not find.
fn problem(query: &str, text: &str, all: &[Series<'_>]) -> Option<String> {
    let (groups, selectors) = (groups(query), selectors(query));
    if let Some(label) = shown(text).into_iter().find(|label| !groups.is_empty() && !groups.contains(label)) {
        return Some(format!("{label} is summed up: {query}"));
    }
    let wanted: Vec<&str> = groups.iter().copied().chain(shown(text)).collect();
    let is_found = |(name, matchers): &(&str, &str)| {
        let mut named = all.iter().filter(|series| series.name == *name);
        named.any(|series| {
            let is_matched =
                matchers.split(',').filter(|one| !one.is_empty()).all(|one| matches(series, one));
            // Each selector of a query with several groups has those of its own.
            let has = |label: &&str| series.labels.contains_key(label) || *label == "le";
            is_matched && wanted.iter().all(has)
        })
    };
    let missing = selectors.iter().find(|selector| !is_found(selector));
    let missing =
        missing.map(|(name, matchers)| format!("nothing is {name}{{{matchers}}} with {wanted:?}: {query}"));
    missing.or_else(|| selectors.is_empty().then(|| format!("no metric: {query}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn queries_find_what_a_run_has_published() {
    let mut queries = panels();
    queries.extend(rules("expr:").into_iter().zip(rules("summary:")));
    let run = Everything::start().await.expect("it runs");
    let mut problems = Vec::new();
    let checked = async {
        loop {
            let scrape = run.scrape();
            let all = series(&scrape);
            problems = queries.iter().filter_map(|(query, text)| problem(query, text, &all)).collect();
            if problems.is_empty() {
                break;
            }
            // A deadlock is reported within a second.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(30), checked).await;
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn query_that_finds_nothing_is_noticed() {
    let scrape = "perennial_a{b=\"c\",d=\"e f\"} 1\nperennial_g_bucket{b=\"c\",le=\"+Inf\"} 2\n";
    let all = series(scrape);
    let is_right = |query: &str, text: &str| problem(query, text, &all).is_none();
    assert!(is_right("sum by (b) (rate(perennial_a{d=~\"x|e f\",b!=\"x\"}[5m]))", "{{b}}"));
    assert!(is_right("histogram_quantile(0.9, sum by (le, b) (perennial_g_bucket))", "{{ $labels.b }}"));
    for (query, text) in [
        ("perennial_h", ""),
        ("perennial_a{b=\"d\"}", ""),
        ("perennial_a{x!=\"d\"}", ""),
        ("perennial_a{b!~\"c|d\"}", ""),
        ("sum by (x) (perennial_a)", ""),
        ("sum by (b) (perennial_a)", "{{d}}"),
        ("perennial_a", "{{x}}"),
        ("1", ""),
    ] {
        assert!(!is_right(query, text), "{query}");
    }
}

#[test]
fn each_alert_rule_has_a_case_that_fires() {
    let (alerts, queries) = (rules("alert:"), rules("expr:"));
    assert_eq!((alerts.len(), rules("summary:").len()), (queries.len(), queries.len()));
    for alert in alerts {
        let name = format!("alertname: {alert}\n");
        let mut cases = ALERT_TESTS.split(&name).skip(1).filter_map(|rest| rest.split("alertname:").next());
        assert!(cases.any(|case| case.contains("exp_labels")), "{alert}");
    }
}
