//! The list of the metrics, each of which has a row in docs/OPERATIONS.md; the number of series.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use metrics_util::debugging::DebuggingRecorder;

use super::PeerMetrics;
use super::catalog::{ALL, Metric};
use crate::config::NodeConfig;
use crate::identity::{Boot, NodeId, NodeName};
use crate::peer::Peer;

fn row(metric: &Metric) -> String {
    let kind = if metric.is_counter { "counter" } else { "gauge" };
    let Metric { name, unit, label, description, .. } = metric;
    format!("| `{name}` | {kind} | {} | `{label}` | {description} |", unit.as_str())
}

#[test]
fn each_metric_of_nodes_has_a_row_in_the_documentation_and_each_row_a_metric() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let page = fs::read_to_string(page).expect("it can be read");
    let documented: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `perennial_cluster_")).collect();
    let expected: Vec<String> = ALL.iter().map(|metric| row(metric)).collect();
    assert_eq!(documented, expected);
}

fn peer(name: &str) -> Arc<Peer> {
    let id = NodeId { name: NodeName::new(name).expect("a name"), boot: Boot { started: 1, random: 0 } };
    Arc::new(Peer::new(id, &NodeConfig::default(), 1))
}

#[tokio::test]
async fn peers_beyond_the_limit_share_their_series() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let mut metrics = PeerMetrics::new();
    ::metrics::with_local_recorder(&recorder, || {
        for round in 0..10 {
            let peers: Vec<_> = (0..100).map(|at| peer(&format!("n-{round}-{at}"))).collect();
            metrics.publish(&peers);
        }
    });
    let mut series: BTreeMap<String, usize> = BTreeMap::new();
    let mut is_shared = false;
    for (key, ..) in snapshotter.snapshot().into_vec() {
        *series.entry(key.key().name().to_owned()).or_default() += 1;
        is_shared |= key.key().labels().any(|label| label.value() == "other peers");
    }
    assert_eq!(series.len(), ALL.len());
    assert_eq!(series.remove("perennial_cluster_peers"), Some(2));
    assert!(series.into_values().all(|series| series == 257));
    assert!(is_shared);
}
