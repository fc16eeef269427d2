//! Calls the recorder of the facade. It is foreign code, so it runs under a guard.

use ::metrics::{Key, Label, Level, Metadata, Recorder, SharedString, with_recorder};
use perennial_actors::host::ignore_panic;

use super::catalog::{ALL, Metric};

const METADATA: Metadata<'static> = Metadata::new("perennial", Level::INFO, Some(module_path!()));

/// Counts so many more.
pub(super) fn count(metric: &Metric, value: impl Into<SharedString>, more: u64) {
    record(metric, value, |recorder, key| recorder.register_counter(key, &METADATA).increment(more));
}

/// Sets a gauge.
pub(super) fn set(metric: &Metric, value: impl Into<SharedString>, to: f64) {
    record(metric, value, |recorder, key| recorder.register_gauge(key, &METADATA).set(to));
}

fn record(metric: &Metric, value: impl Into<SharedString>, record: impl FnOnce(&dyn Recorder, &Key)) {
    let key = Key::from_parts(metric.name, vec![Label::new(metric.label, value)]);
    ignore_panic(|| with_recorder(|recorder| record(recorder, &key)));
}

/// Describes all metrics.
pub(super) fn describe() {
    for metric in ALL {
        let (name, unit, text) = (metric.name.into(), Some(metric.unit), metric.description.into());
        ignore_panic(|| {
            with_recorder(|recorder| {
                if metric.is_counter {
                    recorder.describe_counter(name, unit, text);
                } else {
                    recorder.describe_gauge(name, unit, text);
                }
            });
        });
    }
}
