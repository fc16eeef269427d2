//! What a recorder got.

use std::collections::BTreeMap;

use metrics::with_local_recorder;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use perennial_operations::Metrics;

/// The series that a recorder got, as `name{label=value,..}`.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    values: BTreeMap<String, f64>,
    samples: BTreeMap<String, Vec<f64>>,
}

impl Recorded {
    /// Collects the metrics into a new recorder.
    pub(crate) fn collect(metrics: &Metrics) -> Self {
        let recorder = DebuggingRecorder::new();
        with_local_recorder(&recorder, || metrics.collect());
        Self::of(&recorder)
    }

    /// Reads a recorder. Its counters begin at zero again.
    pub(crate) fn of(recorder: &DebuggingRecorder) -> Self {
        let mut recorded = Self::default();
        for (key, _, _, value) in recorder.snapshotter().snapshot().into_vec() {
            let key = key.key();
            let labels: Vec<_> =
                key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = key.name().strip_prefix("perennial_").expect("all have the prefix");
            let series =
                if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) };
            match value {
                DebugValue::Counter(number) => drop(recorded.values.insert(series, number as f64)),
                DebugValue::Gauge(number) => drop(recorded.values.insert(series, *number)),
                DebugValue::Histogram(samples) => {
                    let samples = samples.into_iter().map(|sample| *sample).collect();
                    recorded.samples.insert(series, samples);
                }
            }
        }
        recorded
    }

    /// Returns a counter or a gauge, without the prefix of its name.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.values.get(series).copied()
    }

    /// Returns the samples of a histogram.
    pub(crate) fn samples(&self, series: &str) -> &[f64] {
        self.samples.get(series).map_or(&[], Vec::as_slice)
    }

    /// Returns the number of series of a metric.
    pub(crate) fn series(&self, name: &str) -> usize {
        let is_of = |series: &&String| series.split('{').next() == Some(name);
        self.values.keys().chain(self.samples.keys()).filter(is_of).count()
    }

    /// Returns the sum of the series of a metric whose text contains a part.
    pub(crate) fn sum(&self, name: &str, part: &str) -> f64 {
        let is_of = |series: &str| series.split('{').next() == Some(name) && series.contains(part);
        self.values.iter().filter(|(series, _)| is_of(series)).map(|(_, value)| value).sum()
    }
}
