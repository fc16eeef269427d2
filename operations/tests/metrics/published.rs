//! When metrics are published, and to which recorder.

use std::time::Duration;

use metrics::set_default_local_recorder;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString};
use metrics_util::debugging::DebuggingRecorder;
use perennial_actors::System;
use perennial_operations::{MetricKind, Metrics};
use perennial_supervision::{Child, Supervisor};

use crate::recorded::Recorded;
use crate::unit::{Msg, Unit};

#[tokio::test(start_paused = true)]
async fn child_publishes_at_its_start_every_five_seconds_and_at_its_stop() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let system = System::new();
    let metrics = Metrics::of(&system);
    let child = Child::new::<Unit>("unit", true);
    let unit = child.address();
    let app = Supervisor::new("app").child(metrics.child("metrics")).child(child);
    let app = app.start(&system).await.expect("it starts");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(Recorded::of(&recorder).value("names"), Some(0.0));
    let handled = || Recorded::of(&recorder).value("messages_total{actor=app/unit,outcome=handled}");
    unit.call(Msg::Ping).await.expect("it answers");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(handled(), None, "not yet");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(handled(), Some(1.0));
    unit.call(Msg::Ping).await.expect("it answers");
    assert!(app.shutdown().await.is_clean());
    let seen = Recorded::of(&recorder);
    assert_eq!(seen.value("messages_total{actor=app/unit,outcome=handled}"), Some(2.0));
    assert_eq!(seen.value("actor_ends_total{actor=app/unit,reason=shutdown}"), Some(1.0), "it is last");
}

#[tokio::test(start_paused = true)]
async fn later_recorder_gets_the_same_counts_and_all_descriptions() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let unit = system.spawn::<Unit>(true).label("unit").await.expect("it starts");
    unit.call(Msg::Ping).await.expect("it answers");
    metrics.collect();
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || Metrics::of(&system).collect());
    for (key, unit, description, _) in recorder.snapshotter().snapshot().into_vec() {
        let is_it = |metric: &&&perennial_operations::MetricInfo| metric.name == key.key().name();
        let metric = Metrics::all().iter().find(is_it).expect("each is in the list");
        assert_eq!(unit.map(|unit| unit.as_str()), Some(metric.unit), "{}", metric.name);
        assert_eq!(description.as_deref(), Some(metric.description));
        let labels: Vec<&str> = key.key().labels().map(metrics::Label::key).collect();
        assert_eq!(labels, metric.labels);
        let is_total = metric.name.ends_with("_total");
        assert_eq!(is_total, metric.kind == MetricKind::Counter, "{}", metric.name);
    }
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("messages_total{actor=unit,outcome=handled}"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn counting_ends_with_the_last_value() {
    let system = System::new();
    drop(Metrics::of(&system));
    drop(system.spawn::<Unit>(true).label("unit").await.expect("it starts"));
    let seen = Recorded::collect(&Metrics::of(&system));
    assert_eq!(seen.value("actor_starts_total{actor=unit}"), None);
}

/// A recorder that panics at one metric.
struct Touchy(DebuggingRecorder);

impl Recorder for Touchy {
    fn describe_counter(&self, name: KeyName, unit: Option<metrics::Unit>, text: SharedString) {
        self.0.describe_counter(name, unit, text);
    }
    fn describe_gauge(&self, name: KeyName, unit: Option<metrics::Unit>, text: SharedString) {
        assert_ne!(name.as_str(), "perennial_names", "on purpose");
        self.0.describe_gauge(name, unit, text);
    }
    fn describe_histogram(&self, name: KeyName, unit: Option<metrics::Unit>, text: SharedString) {
        self.0.describe_histogram(name, unit, text);
    }
    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.0.register_counter(key, metadata)
    }
    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        assert_ne!(key.name(), "perennial_names", "on purpose");
        self.0.register_gauge(key, metadata)
    }
    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.0.register_histogram(key, metadata)
    }
}

#[tokio::test(start_paused = true)]
async fn recorder_that_panics_costs_that_value_and_nothing_else() {
    let recorder = Touchy(DebuggingRecorder::new());
    let _guard = set_default_local_recorder(&recorder);
    let system = System::new();
    let metrics = Metrics::of(&system);
    let app = Supervisor::new("app").child(metrics.child("metrics")).start(&system).await;
    let app = app.expect("it starts");
    tokio::time::sleep(Duration::from_secs(11)).await;
    let seen = Recorded::of(&recorder.0);
    assert_eq!(seen.value("names"), None);
    assert_eq!(seen.value("topics"), Some(0.0));
    assert_eq!(seen.value("actor_starts_total{actor=app/metrics}"), Some(1.0), "it was not restarted");
    assert!(app.shutdown().await.is_clean());
}
