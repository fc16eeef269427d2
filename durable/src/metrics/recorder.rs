//! Calls the recorder of the facade. It is foreign code, so it runs under a guard.

use ::metrics::{Key, Label, Level, Metadata, Recorder, SharedString, Unit, with_recorder};
use perennial_actors::host::ignore_panic;

use super::catalog::{ALL, Kind, Metric};

const METADATA: Metadata<'static> = Metadata::new("perennial", Level::INFO, Some(module_path!()));

/// Counts one more.
pub(crate) fn count<const N: usize>(metric: &Metric, values: [SharedString; N]) {
    record(metric, values, |recorder, key| recorder.register_counter(key, &METADATA).increment(1));
}

/// Sets a gauge.
pub(crate) fn set<const N: usize>(metric: &Metric, values: [SharedString; N], value: f64) {
    record(metric, values, |recorder, key| recorder.register_gauge(key, &METADATA).set(value));
}

/// Adds a sample to a histogram.
pub(crate) fn sample<const N: usize>(metric: &Metric, values: [SharedString; N], value: f64) {
    record(metric, values, |recorder, key| recorder.register_histogram(key, &METADATA).record(value));
}

fn record<const N: usize>(
    metric: &Metric,
    values: [SharedString; N],
    record: impl FnOnce(&dyn Recorder, &Key),
) {
    let labels = metric.labels.iter().zip(values).map(|(label, value)| Label::new(*label, value));
    let key = Key::from_parts(metric.name, labels.collect::<Vec<_>>());
    ignore_panic(|| with_recorder(|recorder| record(recorder, &key)));
}

/// Describes all metrics.
pub(crate) fn describe() {
    for metric in ALL {
        let unit = if metric.unit == "seconds" { Unit::Seconds } else { Unit::Count };
        let (name, unit, text) = (metric.name.into(), Some(unit), metric.description.into());
        ignore_panic(|| {
            with_recorder(|recorder| match metric.kind {
                Kind::Counter => recorder.describe_counter(name, unit, text),
                Kind::Gauge => recorder.describe_gauge(name, unit, text),
                Kind::Histogram => recorder.describe_histogram(name, unit, text),
            });
        });
    }
}
