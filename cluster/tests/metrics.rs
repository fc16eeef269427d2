//! What a node publishes of its peers, with a recorder of this thread.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use crate::support::{Msg, name, pair, pass};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use perennial_cluster::MemoryNetwork;

/// Runs a test whose metrics are recorded.
fn recorded<F: Future<Output = ()>>(test: impl FnOnce(Snapshotter) -> F) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    metrics::with_local_recorder(&recorder, || runtime.expect("it starts").block_on(test(snapshotter)));
}

/// Returns the series as `name{value of the label}`. Counters begin at zero again.
fn series(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let mut series = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        let label = key.labels().next().map(|label| label.value().to_owned()).unwrap_or_default();
        let name = key.name().strip_prefix("perennial_cluster_").expect("all have the prefix");
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => *value,
            DebugValue::Histogram(_) => panic!("there are none"),
        };
        series.insert(format!("{name}{{{label}}}"), value);
    }
    series
}

#[test]
fn state_of_each_connection_is_published_and_packets_are_counted_once() {
    recorded(|snapshotter| async move {
        let network = MemoryNetwork::new(1);
        let (a, b) = pair(&network).await;
        for item in 0..10 {
            a.cart_of("b").cast(Msg::Add(item)).unwrap();
        }
        let monitor = a.cart_of("b").monitor();
        pass(Duration::from_secs(2)).await;
        let seen = series(&snapshotter);
        let peer = |name: &str| seen[&format!("{name}{{b}}")];
        assert!(peer("round_trip_seconds") > 0.0 && peer("round_trip_seconds") < 1.0);
        assert_eq!((peer("pending"), peer("names"), peer("window_used_bytes")), (1.0, 1.0, 0.0));
        assert_eq!(seen["peers{up}"], 1.0);
        // Both nodes are in this process, and what `a` has sent is what `b` has received.
        let (a_info, b_info) = (&a.node.peers()[0], &b.node.peers()[0]);
        assert_eq!(peer("packets_sent_total"), a_info.sent as f64);
        assert_eq!(seen["packets_received_total{a}"], b_info.received as f64);
        assert_eq!(a_info.sent, b_info.received);
        pass(Duration::from_secs(2)).await;
        let later = series(&snapshotter);
        assert_eq!(later.get("packets_sent_total{b}"), Some(&0.0), "they are counted once");
        drop(monitor);
    });
}

#[test]
fn packets_that_are_lost_are_counted_and_gauges_of_a_lost_node_are_zero() {
    recorded(|snapshotter| async move {
        let network = MemoryNetwork::new(3);
        let (a, b) = pair(&network).await;
        network.freeze(&name("b"));
        for item in 0..10 {
            a.cart_of("b").cast(Msg::Add(item)).unwrap();
        }
        a.is_down("b").await;
        network.thaw(&name("b"));
        a.knows("b").await;
        pass(Duration::from_secs(2)).await;
        let lost = a.node.peers()[0].lost;
        assert!(lost > 0);
        assert_eq!(series(&snapshotter)["packets_lost_total{b}"], lost as f64);
        network.kill(&name("b"));
        pass(Duration::from_secs(2)).await;
        let seen = series(&snapshotter);
        assert_eq!((seen["round_trip_seconds{b}"], seen["names{b}"]), (0.0, 0.0));
        drop(b);
    });
}
