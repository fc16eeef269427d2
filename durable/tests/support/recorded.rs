//! What a recorder of metrics got.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, Snapshotter};

/// The series that a recorder got, as `name{label=value,..}` without the prefix of the name.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    values: BTreeMap<String, f64>,
    samples: BTreeMap<String, Vec<f64>>,
    /// The names, units and descriptions.
    pub(crate) described: Vec<(String, Option<&'static str>, Option<String>)>,
}

impl Recorded {
    /// Reads a recorder, whose values begin at zero again.
    pub(crate) fn of(snapshotter: &Snapshotter) -> Self {
        let mut recorded = Self::default();
        for (key, unit, description, value) in snapshotter.snapshot().into_vec() {
            let key = key.key();
            let labels: Vec<_> =
                key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = key.name().strip_prefix("perennial_").expect("all have the prefix");
            let series = format!("{name}{{{}}}", labels.join(","));
            let description = description.map(|text| text.to_string());
            recorded.described.push((name.to_owned(), unit.map(|unit| unit.as_str()), description));
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

    /// Returns a counter or a gauge.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.values.get(series).copied()
    }

    /// Returns the samples of a histogram.
    pub(crate) fn samples(&self, series: &str) -> &[f64] {
        self.samples.get(series).map_or(&[], Vec::as_slice)
    }
}
